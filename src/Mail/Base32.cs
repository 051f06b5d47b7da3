namespace Angarium.Mail;

/// <summary>RFC 4648 §6 base32 without padding, lower case out, either case in. Pure.</summary>
public static class Base32
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

    public static int EncodedLength(int octets) => (octets * 8 + 4) / 5;

    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = bytes.Length <= 64 ? stackalloc char[EncodedLength(bytes.Length)] : new char[EncodedLength(bytes.Length)];
        int at = 0, bits = 0, buffer = 0;
        foreach (var octet in bytes)
        {
            buffer = (buffer << 8) | octet;
            bits += 8;
            while (bits >= 5)
            {
                bits -= 5;
                text[at++] = Alphabet[(buffer >> bits) & 31];
            }

            buffer &= (1 << bits) - 1;
        }

        if (bits > 0) text[at] = Alphabet[(buffer << (5 - bits)) & 31];
        return new string(text);
    }

    /// <summary>Decodes exactly <paramref name="destination"/>.Length octets; false on any other length, character or non-zero trailing bits.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> destination)
    {
        if (text.Length != EncodedLength(destination.Length)) return false;
        int at = 0, bits = 0, buffer = 0;
        foreach (var c in text)
        {
            int value = c switch
            {
                >= 'a' and <= 'z' => c - 'a',
                >= 'A' and <= 'Z' => c - 'A',
                >= '2' and <= '7' => c - '2' + 26,
                _ => -1,
            };
            if (value < 0) return false;
            buffer = (buffer << 5) | value;
            bits += 5;
            if (bits >= 8)
            {
                bits -= 8;
                destination[at++] = (byte)(buffer >> bits);
                buffer &= (1 << bits) - 1;
            }
        }

        return at == destination.Length && buffer == 0;
    }
}
