using System.Globalization;
using System.Text;

namespace Angarium.Mail.Sasl;

/// <summary>
/// The server's side of one SCRAM-SHA-256 exchange (RFC 5802 §5, RFC 7677) without what it needs to know of the password: that is asked for between the messages. Channel binding is not offered,
/// so a client that thinks it was (`y`) is taken at its word and one that demands it (`p=`) is refused. One per exchange, on the session's thread; hostile input makes it false, never an exception.
/// </summary>
public sealed class ScramExchange
{
    private const int MaxMessage = 2_048;
    private const int MaxNonce = 256;
    private string _header = "", _bare = "", _nonce = "", _first = "";

    /// <summary>Who logs in, once the first message was taken.</summary>
    public string User { get; private set; } = "";

    /// <summary>What is signed, once the last message was taken.</summary>
    public string AuthMessage { get; private set; } = "";

    public byte[] Proof { get; private set; } = [];

    /// <summary>client-first-message.</summary>
    public bool TakeFirst(ReadOnlySpan<byte> message)
    {
        if (message.Length > MaxMessage || !Utf8.TryRead(message, out var text)) return false;
        var parts = text.Split(',');
        // gs2-header: the binding flag, and whom it acts for; then the user and the nonce. A mandatory extension (m=) is one that we do not know.
        if (parts.Length < 4 || parts[0] is not ("n" or "y") || !parts[2].StartsWith("n=", StringComparison.Ordinal) || !parts[3].StartsWith("r=", StringComparison.Ordinal)) return false;
        if (!TryReadName(parts[2].AsSpan(2), out var user)) return false;
        if (parts[1].Length > 0 && (!parts[1].StartsWith("a=", StringComparison.Ordinal) || !TryReadName(parts[1].AsSpan(2), out var actsFor) || actsFor != user)) return false;
        var nonce = parts[3][2..];
        if (nonce.Length is 0 or > MaxNonce || nonce.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0) return false;
        _header = $"{parts[0]},{parts[1]},";
        (_bare, _nonce, User) = (text[_header.Length..], nonce, user);
        return true;
    }

    /// <summary>server-first-message. <paramref name="nonce"/> is ours, of printable characters without a comma.</summary>
    public string Challenge(string nonce, ReadOnlySpan<byte> salt, int iterations)
    {
        _nonce += nonce;
        return _first = string.Create(CultureInfo.InvariantCulture, $"r={_nonce},s={Convert.ToBase64String(salt)},i={iterations}");
    }

    /// <summary>client-final-message.</summary>
    public bool TakeFinal(ReadOnlySpan<byte> message)
    {
        if (message.Length > MaxMessage || !Utf8.TryRead(message, out var text)) return false;
        var end = text.LastIndexOf(",p=", StringComparison.Ordinal);
        if (end < 0 || text[..end].Split(',') is not [var binding, var nonce, ..]) return false;
        if (binding != "c=" + Convert.ToBase64String(Encoding.UTF8.GetBytes(_header)) || nonce != "r=" + _nonce) return false;
        var proof = new byte[64];
        if (!Convert.TryFromBase64String(text[(end + 3)..], proof, out var length)) return false;
        (Proof, AuthMessage) = (proof[..length], $"{_bare},{_first},{text[..end]}");
        return true;
    }

    /// <summary>server-final-message.</summary>
    public static string Final(ReadOnlySpan<byte> signature) => "v=" + Convert.ToBase64String(signature);

    /// <summary>saslname: `=2C` is a comma and `=3D` an equals sign; no other `=` may stand there.</summary>
    private static bool TryReadName(ReadOnlySpan<char> text, out string name)
    {
        name = "";
        var result = new StringBuilder(text.Length);
        while (!text.IsEmpty)
        {
            if (text[0] != '=')
            {
                if (text[0] == '\0') return false;
                result.Append(text[0]);
                text = text[1..];
                continue;
            }

            if (text.StartsWith("=2C")) result.Append(',');
            else if (text.StartsWith("=3D")) result.Append('=');
            else return false;
            text = text[3..];
        }

        name = result.ToString();
        return name.Length is > 0 and <= PlainResponse.MaxPart;
    }
}
