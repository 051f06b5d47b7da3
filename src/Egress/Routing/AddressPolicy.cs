using System.Net;
using System.Net.Sockets;

namespace Angarium.Egress.Routing;

/// <summary>
/// Which addresses a name found in DNS may lead to: public unicast only, so that no domain can point us at ourselves or into the operator's networks.
/// A route names its hop, so it is not asked. Pure.
/// </summary>
internal static class AddressPolicy
{
    // The registries of RFC 6890 (IANA special-purpose addresses), what is not globally reachable unicast; RFC 5771 multicast; RFC 1112 class E.
    private static readonly IPNetwork[] Refused =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("127.0.0.0/8"),
        IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.0.0.0/24"), IPNetwork.Parse("192.0.2.0/24"),
        IPNetwork.Parse("192.88.99.0/24"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("198.18.0.0/15"), IPNetwork.Parse("198.51.100.0/24"),
        IPNetwork.Parse("203.0.113.0/24"), IPNetwork.Parse("224.0.0.0/4"), IPNetwork.Parse("240.0.0.0/4"),
    ];

    // Only 2000::/3 is global unicast (RFC 4291 §2.4); these are the exceptions within: Teredo, ORCHID and benchmarks, documentation, 6to4.
    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] RefusedWithin =
    [
        IPNetwork.Parse("2001::/23"), IPNetwork.Parse("2001:db8::/32"), IPNetwork.Parse("2002::/16"), IPNetwork.Parse("3fff::/20"),
    ];

    public static bool IsPublic(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetwork) return !Contains(Refused, address);
        // ::ffff:0:0/96 is refused by itself: IPNetwork compares a mapped address as the IPv4 address that it holds.
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.ScopeId != 0 || address.IsIPv4MappedToIPv6) return false;
        return GlobalUnicast.Contains(address) && !Contains(RefusedWithin, address);
    }

    public static bool Contains(IReadOnlyList<IPNetwork> networks, IPAddress address)
    {
        for (var i = 0; i < networks.Count; i++)
            if (networks[i].Contains(address)) return true;
        return false;
    }
}
