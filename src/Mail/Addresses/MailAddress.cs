using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Angarium.Mail.Addresses;

/// <summary>
/// A mailbox, RFC 5321 §4.1.2 with the internationalized forms of RFC 6531 §3.3: a local part (dot-string or quoted string) and a domain or address
/// literal. Both are kept as they were written, which is how they go on the wire again; <see cref="QueueDomain"/> is the form that keys things. Immutable;
/// pure. There is no way to build one that holds a control byte.
/// </summary>
public sealed record MailAddress
{
    /// <summary>
    /// RFC 5321 §4.5.3.1.3: a path has at most 256 octets with its angle brackets. The 64 octets of a local part (§4.5.3.1.1) are what everybody must take, not
    /// a bound: VERP and its like make longer ones, and only the domain that owns a local part can say that there is none such.
    /// </summary>
    public const int MaxLength = 254;

    private MailAddress(string localPart, string domain, QueueDomain queueDomain)
    {
        LocalPart = localPart;
        Domain = domain;
        QueueDomain = queueDomain;
    }

    /// <summary>As written, with quotes when it has them.</summary>
    public string LocalPart { get; }

    /// <summary>As written: A-labels, U-labels or an address literal, in any case.</summary>
    public string Domain { get; }

    public QueueDomain QueueDomain { get; }

    /// <summary>False: it travels only with SMTPUTF8 (RFC 6531 §3.1).</summary>
    public bool IsAscii => Ascii.IsValid(LocalPart) && Ascii.IsValid(Domain);

    /// <summary>The local part that is meant, quotes and backslashes removed: `"john"` and `john` are the same mailbox (RFC 5321 §4.1.2).</summary>
    public string Mailbox
    {
        get
        {
            if (LocalPart[0] != '"') return LocalPart;
            var text = new StringBuilder(LocalPart.Length);
            for (var i = 1; i < LocalPart.Length - 1; i++)
            {
                if (LocalPart[i] == '\\') i++;
                text.Append(LocalPart[i]);
            }

            return text.ToString();
        }
    }

    public override string ToString() => $"{LocalPart}@{Domain}";

    public static bool TryParse(string? text, [NotNullWhen(true)] out MailAddress? address)
    {
        address = null;
        if (text is null || text.Length > MaxLength) return false;
        Span<byte> bytes = stackalloc byte[MaxLength * 3];
        return Encoding.UTF8.GetByteCount(text) <= MaxLength && Parse(bytes[..Encoding.UTF8.GetBytes(text, bytes)], out address);
    }

    /// <summary>Reads a mailbox that fills <paramref name="utf8"/>, without angle brackets.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out MailAddress? address) => Parse(utf8, out address);

    private static bool Parse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out MailAddress? address)
    {
        address = null;
        if (utf8.Length is 0 or > MaxLength) return false;
        var at = LocalPartLength(utf8);
        if (at == 0 || at >= utf8.Length - 1 || utf8[at] != (byte)'@') return false;
        var wireDomain = utf8[(at + 1)..];
        if (wireDomain[^1] == (byte)'.' || !IsPrintable(utf8)) return false;
        var domain = Encoding.UTF8.GetString(wireDomain);
        if (!QueueDomain.TryParse(domain, out var queueDomain)) return false;
        address = new MailAddress(Encoding.UTF8.GetString(utf8[..at]), domain, queueDomain);
        return true;
    }

    /// <summary>Length of the local part that <paramref name="text"/> begins with; 0 = it begins with none.</summary>
    internal static int LocalPartLength(ReadOnlySpan<byte> text)
    {
        var i = 0;
        if (text[0] == (byte)'"')
        {
            // RFC 5321 §4.1.2: qtextSMTP is %d32-33, %d35-91, %d93-126; quoted-pairSMTP a backslash and %d32-126. RFC 6531 §3.3 adds UTF-8 to qtext.
            for (i = 1; i < text.Length; i++)
            {
                var c = text[i];
                if (c == (byte)'"') return i + 1;
                if (c == (byte)'\\' && (++i == text.Length || text[i] >= 0x7F)) return 0;
                if (text[i] is < 0x20 or 0x7F) return 0;
            }

            return 0;
        }

        var afterDot = true;
        for (; i < text.Length; i++)
        {
            var c = text[i];
            if (c == (byte)'.')
            {
                if (afterDot) return 0;
                afterDot = true;
                continue;
            }

            if (c < 0x80 && !IsAtext(c)) break;
            afterDot = false;
        }

        return afterDot ? 0 : i;
    }

    // RFC 5322 §3.2.3.
    private static bool IsAtext(byte c) => char.IsAsciiLetterOrDigit((char)c) || "!#$%&'*+-/=?^_`{|}~"u8.Contains(c);

    // Well-formed UTF-8 (RFC 3629) without C0, C1 and the two separators that some readers take for line ends.
    private static bool IsPrintable(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(text, out var rune, out var length) != System.Buffers.OperationStatus.Done) return false;
            if (rune.Value < 0x20 || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) return false;
            text = text[length..];
        }

        return true;
    }
}
