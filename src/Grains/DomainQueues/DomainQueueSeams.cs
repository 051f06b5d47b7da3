using Angarium.Contracts.Configuration;
using Angarium.Contracts.Routing;
using Angarium.Grains.Control;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.Notices;
using Angarium.Grains.Sites;
using Angarium.Grains.Tenants;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.DomainQueues;

/// <summary>Everything that a domain's queue touches outside itself: one instance a silo, shared by all domains; any thread.</summary>
internal sealed record DomainQueueSeams
{
    public required IStoreClock Clock { get; init; }

    public required IStanding Standing { get; init; }

    public required ILedger Ledger { get; init; }

    public required IQueueIndex Index { get; init; }

    public required IRecordView View { get; init; }

    public required INoticeWriter Notices { get; init; }

    public required IControlDocuments Control { get; init; }

    public required IRouteResolver Routes { get; init; }

    public required ISiteCalls Sites { get; init; }

    public required ISettings<GrainsOptions> Settings { get; init; }

    /// <summary>Random 64-bit numbers: owner tokens and lease ids.</summary>
    public required Func<ulong> Draw { get; init; }

    public required ILogger Log { get; init; }

    /// <summary>What the ledger keeps of an entry's recipients, from its envelope; fewer or null = it cannot be read now. Does not throw.</summary>
    public Func<EntryPlace, RecipientKey[], Task<EnvelopeSummary?[]>> Summaries { get; init; } = static (_, _) => Task.FromResult<EnvelopeSummary?[]>([]);

    /// <summary>Which tenant is in which pool now; another object when that has changed, null while it is not known.</summary>
    public Func<PoolMap?> Pools { get; init; } = static () => PoolMap.Empty;

    /// <summary>What operators suspended; null while it is not known, and then <see cref="Pools"/> is too.</summary>
    public Func<SuspensionMap?> Suspensions { get; init; } = static () => SuspensionMap.Empty;

    /// <summary>Whether all domains of the silo together hold as much as memory has room for.</summary>
    public Func<bool> IsFull { get; init; } = static () => false;

    /// <summary>For the simulation alone.</summary>
    public Waived Without { get; init; }
}

/// <summary>How a domain's queue reaches the sites that its mail goes to, by the names that its pools give them.</summary>
internal interface ISiteCalls
{
    ValueTask<SiteState> DemandAsync(string site, SiteDemand demand);

    ValueTask<SiteState> RetryAsync(string site);
}
