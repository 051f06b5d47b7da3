namespace Angarium.Mail;

/// <summary>An enhanced mail system status code, RFC 3463 §2: class (2, 4 or 5), subject (0 to 999) and detail (0 to 999).</summary>
public readonly record struct EnhancedStatus(byte Class, ushort Subject, ushort Detail)
{
    /// <summary>No code was given (a peer without ENHANCEDSTATUSCODES).</summary>
    public bool IsNone => Class == 0;

    public override string ToString() => IsNone ? "" : $"{Class}.{Subject}.{Detail}";

    /// <summary>Reads a code at the start of a text; it ends at the text's end or before a space, and <paramref name="length"/> says where.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out EnhancedStatus status, out int length)
    {
        status = default;
        length = 0;
        if (text.Length < 5 || text[0] is not ((byte)'2' or (byte)'4' or (byte)'5') || text[1] != (byte)'.') return false;
        var at = 2;
        if (!TryNumber(text, ref at, out var subject) || at >= text.Length || text[at++] != (byte)'.' || !TryNumber(text, ref at, out var detail)) return false;
        if (at < text.Length && text[at] != (byte)' ') return false;
        status = new EnhancedStatus((byte)(text[0] - '0'), subject, detail);
        length = at;
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> text, ref int at, out ushort number)
    {
        var start = at;
        number = 0;
        while (at < text.Length && at - start < 3 && text[at] is >= (byte)'0' and <= (byte)'9') number = (ushort)(number * 10 + (text[at++] - '0'));
        return at > start;
    }
}
