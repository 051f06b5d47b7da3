using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Angarium.Mail.Addresses;

/// <summary>
/// A domain in the one form that keys queues, routes and lists: A-labels in lower case without a trailing dot, or an address literal in lower case and
/// canonical (`[192.0.2.1]`, `[ipv6:2001:db8::1]`). A value; pure. The default value is empty and names no domain.
/// </summary>
public readonly record struct QueueDomain
{
    /// <summary>RFC 5321 §4.5.3.1.2: 255 octets as written. (RFC 1035 §3.1 leaves 253 for a name without its root dot.)</summary>
    public const int MaxLength = 255;

    private const int MaxName = 253;
    private const int MaxLabel = 63;

    // Case is folded, and what IDNA2008 forbids is refused, before this mapping is asked: without globalization data it neither folds nor normalizes.
    private static readonly IdnMapping Punycode = new() { AllowUnassigned = false, UseStd3AsciiRules = false };

    private readonly string? _value;

    private QueueDomain(string value) => _value = value;

    public string Value => _value ?? "";

    public bool IsLiteral => Value.StartsWith('[');

    public override string ToString() => Value;

    /// <summary>The address of an address literal.</summary>
    public bool TryGetAddress([NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        return IsLiteral && TryParseLiteral(Value, out address);
    }

    /// <summary>Reads a domain or address literal as written in an address, a setting or a DNS answer; one trailing dot is dropped.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out QueueDomain domain)
    {
        domain = default;
        if (text.IsEmpty || text.Length > MaxLength) return false;
        if (text[0] == '[')
        {
            if (!TryParseLiteral(text, out var address)) return false;
            domain = new QueueDomain(address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[ipv6:{address}]" : $"[{address}]");
            return true;
        }

        if (text[^1] == '.') text = text[..^1];
        if (text.IsEmpty) return false;
        string name;
        if (System.Text.Ascii.IsValid(text))
        {
            name = IsLowerName(text) ? text.ToString() : text.ToString().ToLowerInvariant();
        }
        else
        {
            var lower = text.ToString().ToLowerInvariant();
            if (!AreULabels(lower)) return false;
            try
            {
                name = Punycode.GetAscii(lower);
            }
            catch (ArgumentException)
            {
                return false; // A label that is too long or ill-formed: bad input, and the mapping has no other way to say so.
            }
        }

        if (!IsName(name)) return false;
        domain = new QueueDomain(name);
        return true;
    }

    private static bool IsLowerName(ReadOnlySpan<char> text) => text.IndexOfAnyInRange('A', 'Z') < 0;

    // RFC 5321 §4.1.2, RFC 1123 §2.1: labels of letters, digits and inner hyphens. The underscore is taken too: hosts are named so, and DNS carries it.
    // RFC 3696 §2: the last label is never all digits, so that no IPv4 address passes for a name.
    private static bool IsName(ReadOnlySpan<char> name)
    {
        if (name.Length > MaxName) return false;
        int start = 0;
        var digitsOnly = true;
        for (var i = 0; i <= name.Length; i++)
        {
            if (i == name.Length || name[i] == '.')
            {
                var label = name[start..i];
                if (label.IsEmpty || label.Length > MaxLabel || label[0] == '-' || label[^1] == '-') return false;
                if (i == name.Length) return !digitsOnly;
                start = i + 1;
                digitsOnly = true;
                continue;
            }

            var c = name[i];
            if (c is >= '0' and <= '9') continue;
            if (c is not (>= 'a' and <= 'z' or '-' or '_')) return false;
            digitsOnly = false;
        }

        return false;
    }

    // RFC 5892 §2.1, §2.7: a U-label has small letters, marks and digits only; RFC 5891 §5.3: it is in NFC. Normalization needs data that is not at hand, so what
    // it could change is refused: a Latin, Greek or Cyrillic letter with a combining mark behind it, conjoining jamo, and compatibility forms. (The A-label,
    // which needs none of this, is always taken.)
    private static bool AreULabels(string text)
    {
        var previous = '.';
        foreach (var rune in text.EnumerateRunes())
        {
            var value = rune.Value;
            if (value < 0x80)
            {
                previous = (char)value;
                continue;
            }

            if (value == 0xFFFD) return false;
            switch (System.Text.Rune.GetUnicodeCategory(rune))
            {
                case UnicodeCategory.LowercaseLetter or UnicodeCategory.OtherLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.DecimalDigitNumber:
                    break;
                case UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark:
                    if (value is >= 0x0300 and <= 0x036F || previous == '.') return false;
                    break;
                default:
                    return false;
            }

            if (value is >= 0x1100 and <= 0x11FF or >= 0xA960 and <= 0xA97F or >= 0xD7B0 and <= 0xD7FF
                or >= 0xF900 and <= 0xFAFF or >= 0xFB00 and <= 0xFDFF or >= 0xFE70 and <= 0xFEFF or >= 0xFF00 and <= 0xFFEF
                or >= 0x1D400 and <= 0x1D7FF or >= 0x2F800 and <= 0x2FA1F) return false;
            previous = 'x';
        }

        return true;
    }

    // RFC 5321 §4.1.3. Strict: the platform's parser also takes `1`, octal, hex, scopes and ports.
    private static bool TryParseLiteral(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (text.Length < 3 || text[^1] != ']') return false;
        var inner = text[1..^1];
        if (inner.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase))
        {
            inner = inner[5..];
            foreach (var c in inner)
                if (!char.IsAsciiHexDigit(c) && c is not (':' or '.')) return false;
            if (inner.Contains('.') && !IsDottedQuad(inner[(inner.LastIndexOf(':') + 1)..])) return false;
            return inner.Contains(':') && IPAddress.TryParse(inner, out address) && address.AddressFamily == AddressFamily.InterNetworkV6;
        }

        return IsDottedQuad(inner) && IPAddress.TryParse(inner, out address);
    }

    private static bool IsDottedQuad(ReadOnlySpan<char> text)
    {
        int parts = 0, digits = 0, number = 0;
        foreach (var c in text)
        {
            if (c == '.')
            {
                if (digits == 0 || ++parts > 3) return false;
                digits = number = 0;
                continue;
            }

            if (c is < '0' or > '9' || (digits > 0 && number == 0)) return false;
            number = number * 10 + (c - '0');
            if (++digits > 3 || number > 255) return false;
        }

        return parts == 3 && digits > 0;
    }
}
