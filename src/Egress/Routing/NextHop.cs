using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Angarium.Egress.Routing;

/// <summary>How much TLS a connection needs.</summary>
internal enum TlsPolicy
{
    /// <summary>Not even when it is offered.</summary>
    None,

    /// <summary>When it is offered; the certificate is not judged (RFC 7435).</summary>
    May,

    /// <summary>Encrypted, with a validated certificate, or no mail.</summary>
    Required,
}

/// <summary>
/// A next hop as an operator names it (see the help of `Egress:NextHop`): a host, never a domain to look up MX of. Immutable, parsed once per change of
/// the settings.
/// </summary>
internal sealed record NextHop
{
    public const int DefaultConnections = 20;

    /// <summary>`mx`: the domain's own MX, in spite of `Egress:NextHop`.</summary>
    public bool IsMx { get; private init; }

    /// <summary>Host name in lower case, or an address without brackets.</summary>
    public string Host { get; private init; } = "";

    public IPAddress? Address { get; private init; }

    public int Port { get; private init; } = 25;

    /// <summary>TLS from the first octet (RFC 8314 §3).</summary>
    public bool ImplicitTls { get; private init; }

    public TlsPolicy Tls { get; private init; } = TlsPolicy.May;

    /// <summary>File of user name and password, one line each.</summary>
    public string? LoginFile { get; private init; }

    /// <summary>PEM file of the authorities that its certificate may come from.</summary>
    public string? AuthorityFile { get; private init; }

    public int Connections { get; private init; } = DefaultConnections;

    /// <summary>`route:host:port`, with what else decides whether two domains may share a connection.</summary>
    public string Site
    {
        get
        {
            var host = Address?.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{Host}]" : Host;
            var site = string.Create(CultureInfo.InvariantCulture, $"route:{host}:{Port}");
            if (ImplicitTls) site += ";smtps";
            if (Tls != (ImplicitTls ? TlsPolicy.Required : TlsPolicy.May)) site += ";tls=" + Tls.ToString().ToLowerInvariant();
            if (LoginFile is not null) site += ";login=" + LoginFile;
            if (AuthorityFile is not null) site += ";ca=" + AuthorityFile;
            return site;
        }
    }

    public static bool TryParse(string text, [NotNullWhen(true)] out NextHop? hop, [NotNullWhen(false)] out string? error)
    {
        hop = null;
        error = null;
        if (text.Length > 2000)
        {
            error = "a next hop has at most 2000 characters";
            return false;
        }

        if (text.Equals("mx", StringComparison.OrdinalIgnoreCase))
        {
            hop = new NextHop { IsMx = true };
            return true;
        }

        var rest = text.AsSpan().Trim();
        var implicitTls = false;
        if (rest.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme)
        {
            implicitTls = rest[..scheme].Equals("smtps", StringComparison.OrdinalIgnoreCase);
            if (!implicitTls && !rest[..scheme].Equals("smtp", StringComparison.OrdinalIgnoreCase))
            {
                error = $"`{text}` has an unknown scheme; use smtp:// or smtps://";
                return false;
            }

            rest = rest[(scheme + 3)..];
        }

        var optionsAt = rest.IndexOfAny('?', ';');
        var authority = (optionsAt < 0 ? rest : rest[..optionsAt]).TrimEnd('/');
        if (authority.Contains('@'))
        {
            error = "a next hop names no user or password; put them on two lines of a file and write ?login=FILE";
            return false;
        }

        if (!TryParseAuthority(authority, implicitTls ? 465 : 25, out var host, out var address, out var port))
        {
            error = $"`{text}` is not a next hop; write host:port, [IPv6]:port, smtp://host:port or smtps://host:port";
            return false;
        }

        var parsed = new NextHop
        {
            Host = host, Address = address, Port = port, ImplicitTls = implicitTls, Tls = implicitTls ? TlsPolicy.Required : TlsPolicy.May,
        };
        TlsPolicy? tls = null;
        if (optionsAt >= 0)
        {
            foreach (var option in rest[(optionsAt + 1)..].ToString().Split(['&', ';'], StringSplitOptions.RemoveEmptyEntries))
            {
                var equals = option.IndexOf('=', StringComparison.Ordinal);
                var value = equals < 0 ? "" : Uri.UnescapeDataString(option[(equals + 1)..]);
                switch (equals < 0 ? option : option[..equals])
                {
                    case "connections" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n is > 0 and <= 60000:
                        parsed = parsed with { Connections = n };
                        break;
                    case "tls" when value is "none" or "may" or "required":
                        tls = value switch { "none" => TlsPolicy.None, "may" => TlsPolicy.May, _ => TlsPolicy.Required };
                        break;
                    case "login" when value.Length > 0:
                        parsed = parsed with { LoginFile = value };
                        break;
                    case "ca" when value.Length > 0:
                        parsed = parsed with { AuthorityFile = value };
                        break;
                    default:
                        error = $"`{option}` is not an option of a next hop; there are connections=N, tls=none|may|required, login=FILE and ca=FILE";
                        return false;
                }
            }
        }

        // Never credentials without a validated certificate; and whoever names an authority wants it checked.
        var needsTrust = parsed.LoginFile is not null || parsed.AuthorityFile is not null;
        if (needsTrust && tls is TlsPolicy.None or TlsPolicy.May && needsTrust)
        {
            error = "login= and ca= need tls=required: credentials go only over a validated certificate";
            return false;
        }

        if (implicitTls && tls == TlsPolicy.None)
        {
            error = "smtps:// is TLS from the first octet: tls=none contradicts it";
            return false;
        }

        hop = parsed with { Tls = needsTrust ? TlsPolicy.Required : tls ?? parsed.Tls };
        return true;
    }

    private static bool TryParseAuthority(ReadOnlySpan<char> text, int defaultPort, out string host, out IPAddress? address, out int port)
    {
        host = "";
        address = null;
        port = defaultPort;
        ReadOnlySpan<char> name, portText;
        if (text.StartsWith("["))
        {
            var end = text.IndexOf(']');
            if (end < 0) return false;
            name = text[1..end];
            portText = text[(end + 1)..];
            if (portText.Length > 0 && portText[0] != ':') return false;
            if (!IPAddress.TryParse(name, out address)) return false;
        }
        else
        {
            var colon = text.IndexOf(':');
            name = colon < 0 ? text : text[..colon];
            portText = colon < 0 ? "" : text[colon..];
            if (IPAddress.TryParse(name, out address) && address.ToString() != name.ToString()) return false;
        }

        if (portText.Length > 0 && (!int.TryParse(portText[1..], NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535)) return false;
        host = address?.ToString() ?? DnsName.Normalize(name) ?? "";
        return host.Length > 0;
    }
}
