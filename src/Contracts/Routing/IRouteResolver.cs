using Angarium.Mail;

namespace Angarium.Contracts.Routing;

/// <summary>
/// Where a domain's mail goes, as far as pace is concerned: which site it shares. Implemented by Egress (which owns DNS and routes), called by the
/// domain's queue in the silo. Any thread; caches by TTL. Never throws for what DNS says.
/// </summary>
public interface IRouteResolver
{
    ValueTask<SiteRoute> ResolveSiteAsync(string domain, CancellationToken cancellationToken);

    /// <summary>Whether a tenant may have said where the domain's mail goes, as far as this silo has heard: when that changes, what was resolved before counts no more. Cheap.</summary>
    bool MayBeNamed(string domain) => false;

    /// <summary>Why an inbound domain's mail cannot go this way, in words; null = it can.</summary>
    /// <param name="domain">Whose mail.</param>
    /// <param name="route">Null = by MX.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<string?> RefuseAsync(string domain, InboundRoute? route, CancellationToken cancellationToken) => new((string?)null);

    /// <summary>The same as <see cref="ResolveSiteAsync"/>, for people: with the hosts, their addresses, and what says so.</summary>
    async ValueTask<RouteExplanation> ExplainAsync(string domain, CancellationToken cancellationToken) => new(await ResolveSiteAsync(domain, cancellationToken), "MX", [], null);
}

/// <summary>A route in words.</summary>
/// <param name="Site">As pace knows it.</param>
/// <param name="From">The setting or document that says so, or `MX`.</param>
/// <param name="Hosts">In the order in which they are tried, each with its addresses or what is wrong with it.</param>
/// <param name="Trouble">Why its mail goes nowhere now.</param>
public sealed record RouteExplanation(SiteRoute Site, string From, IReadOnlyList<string> Hosts, Reply? Trouble);

/// <summary>
/// The site of a domain. <paramref name="Site"/>: `mx:host1,host2` (sorted, lower case), `route:host:port`, `inbound:host:port` (named by a tenant, see <see cref="InboundRoute"/>), or `dns:domain`
/// when DNS gave no usable answer (the session then finds out and reports what the domain's messages or the connection died of).
/// </summary>
/// <param name="IsRoute">Named by an operator: only the route's connection limit holds.</param>
/// <param name="ValidFor">How long it may be kept: 5 s to 1 h.</param>
[GenerateSerializer, Immutable, Alias("angarium.SiteRoute")]
public sealed record SiteRoute([property: Id(0)] string Site, [property: Id(1)] bool IsRoute, [property: Id(2)] int? MaxConnections, [property: Id(3)] TimeSpan ValidFor)
{
    /// <summary>No site has a longer name.</summary>
    public const int MaxName = 512;

    public static readonly TimeSpan Least = TimeSpan.FromSeconds(5);

    public static readonly TimeSpan Most = TimeSpan.FromHours(1);
}
