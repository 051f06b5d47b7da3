namespace Angarium.Host.Cluster;

/// <summary>
/// The times and bounds of a cluster, in one place. With these a killed silo's grains answer elsewhere within 3 to 7 s, and an idle cluster of three silos and five clients makes five storage
/// calls a second in all (both measured). Constants; no state.
/// </summary>
internal static class ClusterTuning
{
    public static readonly TimeSpan Probe = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan MinProbe = TimeSpan.FromSeconds(0.5);

    /// <summary>Times <see cref="MissedProbes"/> it is also for how long votes are suppressed after a silo was frozen: Orleans' own default would make that 60 s.</summary>
    public static readonly TimeSpan MaxProbe = TimeSpan.FromSeconds(1);

    public static readonly TimeSpan TableRefresh = TimeSpan.FromSeconds(5);

    /// <summary>A joining silo must reach every active row younger than three times this: with the default, a restart of all silos at new addresses waits 90 s for the dead.</summary>
    public static readonly TimeSpan IAmAlive = TimeSpan.FromSeconds(5);

    /// <summary>The default of 60 s leaves clients of a frozen gateway without answers for 55 s.</summary>
    public static readonly TimeSpan GatewayRefresh = TimeSpan.FromSeconds(3);

    /// <summary>Dead rows are kept for a day for whoever investigates, at most <see cref="MaxDefunct"/> of them.</summary>
    public static readonly TimeSpan DefunctExpiration = TimeSpan.FromDays(1);

    public static readonly TimeSpan DefunctCleanup = TimeSpan.FromMinutes(10);

    /// <summary>Longest wait for a grain's answer: twice the longest poll (5 s), so that an exchange may wait for a slow ledger append. Calls in flight to a silo that dies wait this long at most.</summary>
    public static readonly TimeSpan Response = TimeSpan.FromSeconds(10);

    public const int MissedProbes = 3;
    public const int Votes = 2;
    public const int MaxDefunct = 50;

    /// <summary>Requests that wait for one activation: a warning, and the bound beyond which they are rejected.</summary>
    public const int EnqueuedSoft = 5_000;

    public const int EnqueuedHard = 20_000;

    /// <summary>Grains whose silo is remembered; others are asked for again. Room for all is taken at the start, twice 9 octets each; Orleans' own default is a million.</summary>
    public const int RememberedGrains = 100_000;

    /// <summary>
    /// Per cent of memory (the container's limit, if it has one) above which gateways reject clients' calls. There is no such limit on the processor: a busy silo still makes progress, and
    /// rejecting the reports of what was delivered would cost duplicates.
    /// </summary>
    public const int MemoryThreshold = 90;

    /// <summary>Largest message between processes: an offer or exchange of a full pack is far below.</summary>
    public const int MaxBody = 32 << 20;

    public const int MaxHeader = 1 << 20;

    /// <summary>How long a silo that finds no document waits before it makes an empty one: living silos read at least every <paramref name="refresh"/> and put theirs back.</summary>
    public static TimeSpan PatienceWithNothing(TimeSpan refresh) => refresh + TimeSpan.FromSeconds(2);
}
