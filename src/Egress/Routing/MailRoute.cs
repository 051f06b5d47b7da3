using System.Net;
using Angarium.Contracts.Routing;
using Angarium.Mail;

namespace Angarium.Egress.Routing;

/// <summary>Where a domain's mail goes now: hosts in the order to try, or why it goes nowhere. Immutable.</summary>
internal sealed record MailRoute
{
    /// <summary>See <see cref="Contracts.Routing.SiteRoute.Site"/>.</summary>
    public required string Site { get; init; }

    public IReadOnlyList<RouteHost> Hosts { get; init; } = [];

    /// <summary>The route of an operator; null = by MX.</summary>
    public NextHop? Hop { get; init; }

    /// <summary>A tenant named its host, for an inbound domain: what is wrong with it can be put right, so no message fails of it.</summary>
    public bool IsNamed { get; init; }

    /// <summary>Without hosts: 5yz = the domain's messages fail, 4yz = the connection did. Our own words.</summary>
    public Reply? Trouble { get; init; }

    public TimeSpan ValidFor { get; init; } = DnsCache.Least;

    /// <summary>What pace needs of it.</summary>
    public SiteRoute ToSite() => new(Site, Hop is not null, Hop?.Connections, ValidFor);
}

/// <summary>A host to connect to. <paramref name="Address"/> is set for literals.</summary>
internal sealed record RouteHost(string Name, int Port, IPAddress? Address = null);

/// <summary>The addresses of a host in the order to try; none: why (5yz = never any, 4yz = not now).</summary>
internal sealed record HostAddresses(IReadOnlyList<IPAddress> Addresses, Reply? Trouble);
