using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Angarium.Egress.Proxies;
using Angarium.Egress.Routing;

namespace Angarium.Egress.Pools;

/// <summary>Where connections of a pool come from and how they greet. A value.</summary>
/// <param name="Address">Null = the system chooses.</param>
/// <param name="Name">Of EHLO; null = `Hostname`.</param>
/// <param name="Proxy">What they go through: its address is the source.</param>
internal sealed record PoolAddress(IPAddress? Address, string? Name, SocksProxy? Proxy = null)
{
    /// <summary>The system's choice, and `Hostname`.</summary>
    public static readonly PoolAddress OfSystem = new(null, null);

    /// <summary>Of one pool.</summary>
    public const int Most = 256;

    /// <summary>As metrics and spans name it.</summary>
    public string Label { get; } = Proxy?.ToString() ?? Address?.ToString() ?? "system";

    private static readonly char[] Separators = [' ', ',', '\t', '\r', '\n'];

    /// <summary>What receivers see it by: two of the same are one.</summary>
    public string? Source => Proxy?.ToString() ?? Address?.ToString();

    /// <summary>`address=name`, `socks5://host:port=name` or a name alone, with spaces or commas between them; else what is wrong, and what would be right.</summary>
    public static bool TryParse(string text, out IReadOnlyList<PoolAddress> addresses, out string error)
    {
        var found = new List<PoolAddress>();
        addresses = found;
        error = "";
        foreach (var part in text.Split(Separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!TryParseOne(part, out var one, out error)) return false;
            if (one.Source is { } source && found.Exists(a => source == a.Source)) error = $"`{source}` is there twice; leave one out";
            if (error.Length > 0) return false;
            found.Add(one);
        }

        if (found.Count is 0 or > Most) error = $"lists {found.Count} addresses; write one to {Most}, such as 192.0.2.1=mx1.example.org";
        return error.Length == 0;
    }

    private static bool TryParseOne(string part, [NotNullWhen(true)] out PoolAddress? one, out string error)
    {
        one = null;
        error = "";
        var equals = part.IndexOf('=', StringComparison.Ordinal);
        var name = part[(equals + 1)..];
        IPAddress? address = null;
        SocksProxy? proxy = null;
        var isProxy = part.StartsWith(SocksProxy.Scheme, StringComparison.OrdinalIgnoreCase);
        if (equals < 0 && (isProxy || IPAddress.TryParse(part, out _))) error = $"`{part}` has no name to greet with; write it as {part}=mx1.example.org, with the name that its reverse DNS has";
        else if (isProxy && !SocksProxy.TryParse(part[..equals], out proxy, out error)) return false;
        else if (!isProxy && equals >= 0 && !TryParseAddress(part[..equals], out address)) error = $"`{part[..equals]}` is not an address to send from; write it as 192.0.2.1=mx1.example.org or 2001:db8::1=mx1.example.org";
        else if (IPAddress.TryParse(name, out _) || DnsName.Normalize(name) is not { } host) error = $"`{name}` is not a host name to greet with; write the name that the address's reverse DNS has, such as mx1.example.org";
        else one = new PoolAddress(address, host, proxy);
        return one is not null;
    }

    // Of an IPv4 address the parser also takes shorter forms, which nobody means.
    private static bool TryParseAddress(string text, [NotNullWhen(true)] out IPAddress? address) =>
        IPAddress.TryParse(text, out address) && (address.AddressFamily == AddressFamily.InterNetworkV6 || text.Count(c => c == '.') == 3)
        && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any) && !address.IsIPv4MappedToIPv6;
}
