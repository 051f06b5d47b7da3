namespace Angarium.Mail;

/// <summary>
/// What a client is told and an operator traces: the key of the message's first recipient, in base32 (23 characters). The reply to the
/// final dot and the Received field name it.
/// </summary>
public readonly record struct MessageId(RecipientKey First)
{
    public override string ToString() => First.ToString();

    public static bool TryParse(ReadOnlySpan<char> text, out MessageId id)
    {
        var parsed = RecipientKey.TryParse(text, out var key);
        id = new MessageId(key);
        return parsed;
    }
}
