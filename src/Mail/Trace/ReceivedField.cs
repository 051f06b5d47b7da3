using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Angarium.Mail.Trace;

/// <summary>
/// The Received field that a reception adds at the top of the content, RFC 5321 §4.4. The message id is not known until the commit, so its 23 octets are left
/// as a placeholder whose offset is told. Immutable; pure.
/// </summary>
public sealed record ReceivedField
{
    /// <summary>Length of a message id, in octets.</summary>
    public const int IdLength = 23;

    private const int MaxShownName = 64;

    /// <summary>What the client called itself; hostile, so cleaned and cut when it is not a plain name.</summary>
    public required string Hello { get; init; }

    public required IPAddress Client { get; init; }

    /// <summary>Our name.</summary>
    public required string Host { get; init; }

    public required DateTimeOffset Time { get; init; }

    /// <summary>It said EHLO.</summary>
    public bool IsExtended { get; init; }

    public bool IsTls { get; init; }

    public bool IsAuthenticated { get; init; }

    public bool IsSmtpUtf8 { get; init; }

    /// <summary>It came over HTTP, and nothing else is said of how.</summary>
    public bool IsHttp { get; init; }

    /// <summary>Such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; null = none.</summary>
    public string? Tls { get; init; }

    /// <summary>The recipient, when it has only one: several would tell each of the others (RFC 5321 §7.2).</summary>
    public string? For { get; init; }

    /// <summary>RFC 5321 §4.4, RFC 3848 and RFC 6531 §4.3.</summary>
    public string With => IsHttp ? "HTTP" : !IsExtended ? "SMTP" : (IsSmtpUtf8 ? "UTF8SMTP" : "ESMTP") + (IsTls ? "S" : "") + (IsAuthenticated ? "A" : "");

    /// <summary>Writes the folded field with its CRLF; the answer is the offset of the id in what was written.</summary>
    public int Write(IBufferWriter<byte> output)
    {
        var text = new StringBuilder(320);
        text.Append("Received: from ").Append(Clean(Hello)).Append("\r\n\t([");
        // RFC 5321 §4.1.3: an IPv6 address has its tag in a literal. A mapped one is the IPv4 address it stands for.
        var client = Client.IsIPv4MappedToIPv6 ? Client.MapToIPv4() : Client;
        if (client.AddressFamily == AddressFamily.InterNetworkV6) text.Append("IPv6:").Append(new IPAddress(client.GetAddressBytes()));
        else text.Append(client);
        text.Append("])\r\n\tby ").Append(Clean(Host)).Append("\r\n\twith ").Append(With);
        if (IsTls && Tls is not null) text.Append(" (").Append(Clean(Tls, comment: true)).Append(')');
        text.Append("\r\n\tid ");
        var offset = Encoding.UTF8.GetByteCount(text.ToString());
        text.Append('x', IdLength);
        if (For is not null) text.Append("\r\n\tfor <").Append(For).Append('>');
        text.Append(";\r\n\t").Append(Time.ToString("ddd, dd MMM yyyy HH:mm:ss ", CultureInfo.InvariantCulture));
        // RFC 5322 §3.3: the zone is +hhmm.
        text.Append(Time.Offset < TimeSpan.Zero ? '-' : '+').Append(Time.Offset.ToString("hhmm", CultureInfo.InvariantCulture)).Append("\r\n");
        Encoding.UTF8.GetBytes(text.ToString(), output);
        return offset;
    }

    // A name of letters, digits, `-`, `_`, `.` (and those of a literal) goes as it is, others with `?` for each other character and cut, so that no client
    // writes comments, quotes or further fields.
    private static string Clean(string text, bool comment = false)
    {
        var clean = string.Create(text.Length, (text, comment), static (span, from) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                var c = from.text[i];
                span[i] = char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':' or '[' or ']' || (from.comment && c is ' ' or '/' or '=') ? c : '?';
            }
        });
        if (clean.Length == 0) return "?";
        return clean.Length > MaxShownName && clean.Contains('?') ? clean[..MaxShownName] : clean;
    }
}
