using Angarium.Contracts.EgressPools;

namespace Angarium.Grains.Sites;

/// <summary>What a pool tells a site. Key: `pool|site`. Silos only. Lost calls are healed by the site's comparison with its pool.</summary>
[Alias("angarium.ISiteReports")]
public interface ISiteReports : IGrainWithStringKey
{
    [Alias("Report")]
    Task Report(SiteReport[] reports);
}

/// <summary>What became of one permit: a worker's report, or (none) it is free again because its worker is gone or never took it.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SiteReport")]
public sealed record SiteReport
{
    [Id(0)] public ulong Permit { get; init; }

    [Id(1)] public SessionReport? Session { get; init; }
}
