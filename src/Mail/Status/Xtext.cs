using System.Text;

namespace Angarium.Mail.Status;

/// <summary>
/// The encodings of DSN parameters: xtext (RFC 3461 §4) for ENVID and ORCPT, and the Unicode forms of `utf-8` addresses (RFC 6533 §3). Pure.
/// </summary>
public static class Xtext
{
    /// <summary>Octets 33 to 126 but `+` and `=` stand for themselves, all others become `+HH`.</summary>
    public static string Encode(ReadOnlySpan<byte> octets)
    {
        var text = new StringBuilder(octets.Length);
        foreach (var octet in octets)
        {
            if (IsPlain(octet)) text.Append((char)octet);
            else text.Append('+').Append(Digit(octet >> 4)).Append(Digit(octet & 15));
        }

        return text.ToString();

        static char Digit(int value) => "0123456789ABCDEF"[value];
    }

    public static string Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    /// <summary>What the xtext says; null when it is not xtext or says something unprintable (a control octet would be a header injection in a notice).</summary>
    public static string? Decode(ReadOnlySpan<char> xtext)
    {
        var octets = new byte[xtext.Length];
        var count = 0;
        for (var i = 0; i < xtext.Length; i++)
        {
            var c = xtext[i];
            if (c == '+')
            {
                // RFC 3461 §4: hexchar has upper case digits.
                if (i + 2 >= xtext.Length || !char.IsAsciiHexDigitUpper(xtext[i + 1]) || !char.IsAsciiHexDigitUpper(xtext[i + 2])) return null;
                c = (char)((Value(xtext[i + 1]) << 4) | Value(xtext[i + 2]));
                i += 2;
                if (c is < ' ' or >= (char)0x7F) return null;
            }
            else if (c >= 0x80 || !IsPlain((byte)c))
            {
                return null;
            }

            octets[count++] = (byte)c;
        }

        return Encoding.ASCII.GetString(octets, 0, count);

        static int Value(char c) => c <= '9' ? c - '0' : c - 'A' + 10;
    }

    /// <summary>
    /// RFC 6533 §3: the address in an ORCPT of type utf-8, in utf-8-addr-xtext (`\x{HEX}`) or utf-8-addr-unitext (UTF-8 as it is); null when it is neither.
    /// </summary>
    public static string? DecodeUtf8Address(ReadOnlySpan<char> encoded)
    {
        var text = new StringBuilder(encoded.Length);
        for (var i = 0; i < encoded.Length; i++)
        {
            var c = encoded[i];
            if (c != '\\')
            {
                if (c is <= ' ' or '+' or '=' or (char)0x7F || char.IsControl(c)) return null;
                text.Append(c);
                continue;
            }

            var rest = encoded[i..];
            var end = rest.IndexOf('}');
            // EmbeddedUnicodeChar: `\x{` 2 to 6 upper case hex digits `}`.
            if (end is < 5 or > 9 || rest[1] != 'x' || rest[2] != '{') return null;
            var value = 0;
            foreach (var digit in rest[3..end])
            {
                if (!char.IsAsciiHexDigitUpper(digit)) return null;
                value = value * 16 + (digit <= '9' ? digit - '0' : digit - 'A' + 10);
            }

            if (!Rune.IsValid(value) || Rune.IsControl(new Rune(value))) return null;
            text.Append(new Rune(value).ToString());
            i += end;
        }

        return text.ToString();
    }

    /// <summary>RFC 6533 §3, utf-8-addr-xtext: what is not QCHAR becomes `\x{HEX}`.</summary>
    public static string EncodeUtf8Address(string address)
    {
        var text = new StringBuilder(address.Length);
        foreach (var rune in address.EnumerateRunes())
        {
            if (rune.IsAscii && rune.Value != '\\' && IsPlain((byte)rune.Value)) text.Append((char)rune.Value);
            else text.Append($"\\x{{{rune.Value:X2}}}");
        }

        return text.ToString();
    }

    private static bool IsPlain(byte octet) => octet is >= 33 and <= 126 and not ((byte)'+' or (byte)'=');
}
