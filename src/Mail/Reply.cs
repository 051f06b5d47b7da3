namespace Angarium.Mail;

/// <summary>
/// An SMTP reply, RFC 5321 §4.2: a code, an enhanced status code (RFC 2034) or none, and one text (further lines after LF). Text is
/// printable; what came from a peer has been cleaned of control bytes and cut before it gets here.
/// </summary>
public sealed record Reply(int Code, EnhancedStatus Status, string Text)
{
    public bool IsPositive => Code is >= 200 and < 300;

    public bool IsTransient => Code is >= 400 and < 500;

    public bool IsPermanent => Code is >= 500 and < 600;

    public override string ToString() => Status.IsNone ? $"{Code} {Text}" : $"{Code} {Status} {Text}";
}
