using Angarium.Contracts.Admin;
using Angarium.Contracts.Routing;
using Angarium.Mail;

namespace Angarium.Grains.Sites;

/// <summary>
/// What a domain's queue asks of the site that its mail goes to. Key: `pool|site` (see Contracts.Routing.SiteRoute.Site). Silos only. Lost calls are
/// harmless: a demand is repeated at least every 30 s while it is not empty.
/// </summary>
[Alias("angarium.ISite")]
public interface ISite : IGrainWithStringKey
{
    /// <summary>Replaces what the site knows of this domain's demand. The answer is the site's state, also pushed by <see cref="ISiteListener"/> on change.</summary>
    [Alias("Demand")]
    ValueTask<SiteState> Demand(SiteDemand demand);

    /// <summary>An operator says that it may answer again: a suspended site is tried at once, at most every five seconds. The answer is its state after that.</summary>
    [Alias("Retry")]
    ValueTask<SiteState> Retry();

    /// <summary>How it stands, for people.</summary>
    [Alias("Look")]
    ValueTask<SiteView> Look();
}

/// <summary>What a domain has due at a site just now; a later one takes its place. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SiteDemand")]
public sealed record SiteDemand
{
    [Id(0)] public required string Domain { get; init; }

    /// <summary>Messages that are due now and not leased, by lane; empty = none, the domain is forgotten.</summary>
    [Id(1)] public LaneDemand[] Lanes { get; init; } = [];

    [Id(2)] public bool IsRoute { get; init; }

    /// <summary>The route's connection limit, when one was set.</summary>
    [Id(3)] public int? MaxConnections { get; init; }

    [Id(4)] public StoreTime SentAt { get; init; }
}

/// <summary>How many messages of one lane are due. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.LaneDemand")]
public readonly record struct LaneDemand([property: Id(0)] string Tenant, [property: Id(1)] MessageClass Class, [property: Id(2)] int Messages);

/// <summary>What a site tells its domains of itself: whether it is suspended and why. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SiteState")]
public sealed record SiteState
{
    /// <summary>No connection before this; default = not suspended.</summary>
    [Id(0)] public StoreTime SuspendedUntil { get; init; }

    /// <summary>When a connection of the site last failed; default = never. Justifies expiry by age (design rule 6).</summary>
    [Id(1)] public StoreTime LastFailure { get; init; }

    /// <summary>Why, in the peer's words or ours.</summary>
    [Id(2)] public Reply? Trouble { get; init; }

    [Id(3)] public string? Remote { get; init; }

    /// <summary>The trouble is in our own words.</summary>
    [Id(4)] public bool Own { get; init; }
}

/// <summary>Told by a site to the domains that have demand there when it is suspended, fails again or recovers. Implemented by the domain's queue. Silos only.</summary>
[Alias("angarium.ISiteListener")]
public interface ISiteListener : IGrainWithStringKey
{
    [Alias("SiteChanged")]
    ValueTask SiteChanged(string site, SiteState state);

    /// <summary>A worker that was sent to <paramref name="site"/> for this domain found that its mail goes elsewhere.</summary>
    [Alias("SiteMoved")]
    ValueTask SiteMoved(string site, SiteRoute route);
}
