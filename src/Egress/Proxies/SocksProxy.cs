using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Angarium.Egress.Routing;

namespace Angarium.Egress.Proxies;

/// <summary>A SOCKS5 proxy that connections go through, so that its address is their source. A value.</summary>
/// <param name="Host">A name that the system resolves, or an address.</param>
/// <param name="LoginFile">User name and password on two lines; null = it asks for none.</param>
internal sealed record SocksProxy(string Host, int Port, string? LoginFile = null)
{
    public const string Scheme = "socks5://";

    private const int DefaultPort = 1080;

    /// <summary>RFC 1929 §2: the length of each is one octet.</summary>
    private const int LongestWord = 255;

    /// <summary>`socks5://host:port`; else what is wrong, and what would be right.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out SocksProxy? proxy, out string error)
    {
        (proxy, error) = (null, "");
        if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) error = $"`{text}` is not a proxy; write it as socks5://proxy.example.org:1080";
        else if (text.Contains('@', StringComparison.Ordinal)) error = "user name and password do not belong there; put them on two lines of a file and name it in Egress:ProxyPassword";
        else if (!TryParseHost(text[Scheme.Length..], out var host, out var port)) error = $"`{text}` has no host and port; write it as socks5://proxy.example.org:1080 or socks5://[2001:db8::1]:1080";
        else proxy = new SocksProxy(host, port);
        return proxy is not null;
    }

    /// <exception cref="InvalidDataException">Why it cannot be read, in one line without any of its contents.</exception>
    public static (byte[] User, byte[] Password) ReadLogin(string file)
    {
        var (user, password) = HopFiles.ReadLogin(file);
        var octets = (User: Encoding.UTF8.GetBytes(user), Password: Encoding.UTF8.GetBytes(password));
        return octets.User.Length <= LongestWord && octets.Password.Length is > 0 and <= LongestWord ? octets : throw new InvalidDataException($"user name and password in {file} must have 1 to {LongestWord} octets each");
    }

    public override string ToString() => $"{Scheme}{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}";

    private static bool TryParseHost(string text, out string host, out int port)
    {
        (host, port) = (text, DefaultPort);
        var colon = text.LastIndexOf(':');
        if (colon > text.LastIndexOf(']'))
        {
            if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is 0 or > 65_535) return false;
            host = text[..colon];
        }

        if (host is ['[', .. var six, ']']) return System.Net.IPAddress.TryParse(host = six, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        return DnsName.Normalize(host) is not null;
    }
}
