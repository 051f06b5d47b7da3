using Angarium.Contracts.Tenants;

namespace Angarium.Contracts.Admin;

/// <summary>
/// What operators order of the whole cluster, and what they ordered. Any key reaches a silo at hand: use 0. Role: api. The truth is in documents; every order is in the audit before it is carried out.
/// </summary>
[Alias("angarium.IOperators")]
public interface IOperators : IGrainWithIntegerKey
{
    /// <summary>Enters an order into the audit, in the name of whoever calls.</summary>
    /// <exception cref="IOException">It may not be entered: the order is not to be carried out.</exception>
    [Alias("Note")]
    Task Note(string action, string target, string? detail);

    /// <summary>The latest orders before a number (null = of all), the newest first.</summary>
    [Alias("Audit")]
    Task<AuditEntry[]> Audit(long? before, int limit);

    /// <summary>Those in force.</summary>
    [Alias("Suspensions")]
    Task<Suspension[]> Suspensions();

    /// <summary>From now on, whatever restarts, until its end; one of the same thing is replaced. Answered when every living silo has heard of it, or did not answer.</summary>
    /// <param name="kind">Of what.</param>
    /// <param name="name">Of a site also a domain whose mail goes there.</param>
    /// <param name="lasts">Null = until it is taken back.</param>
    /// <param name="reason">For whoever looks.</param>
    [Alias("Suspend"), ResponseTimeout("00:01:00")]
    Task<SuspensionResult> Suspend(SuspensionKind kind, string name, TimeSpan? lasts, string reason);

    /// <summary>Takes one back; null of both = there is none.</summary>
    [Alias("Resume"), ResponseTimeout("00:01:00")]
    Task<SuspensionResult> Resume(SuspensionKind kind, string name);

    /// <summary>Where a domain's mail goes, and what bounds it; null = it is no domain.</summary>
    [Alias("Explain"), ResponseTimeout("00:01:00")]
    Task<DomainExplanation?> Explain(string domain);
}

/// <summary>Where a domain's mail goes, and what bounds it, as the silo that answers sees it. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.DomainExplanation")]
public sealed record DomainExplanation
{
    [Id(0)] public required string Domain { get; init; }

    /// <summary>Without a pool.</summary>
    [Id(1)] public required string Site { get; init; }

    /// <summary>The setting or document that says so, or `MX`.</summary>
    [Id(2)] public required string From { get; init; }

    /// <summary>In the order in which they are tried, each with its addresses or what is wrong with it.</summary>
    [Id(3)] public string[] Hosts { get; init; } = [];

    /// <summary>Why its mail goes nowhere now.</summary>
    [Id(4)] public string? Trouble { get; init; }

    [Id(5)] public required QueueSnapshot Queue { get; init; }

    /// <summary>One for each pool that has tenants, `default` first.</summary>
    [Id(6)] public SiteView[] Sites { get; init; } = [];

    [Id(7)] public LimitView[] Limits { get; init; } = [];
}

/// <summary>How a site stands towards one pool. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SiteView")]
public sealed record SiteView
{
    [Id(0)] public required string Pool { get; init; }

    [Id(1)] public int Connections { get; init; }

    /// <summary>Connections that it may have now: what its answers made of the limit.</summary>
    [Id(2)] public int Window { get; init; }

    /// <summary>Because connections failed; zero = it is not.</summary>
    [Id(3)] public Mail.StoreTime SuspendedUntil { get; init; }

    [Id(4)] public string? Trouble { get; init; }
}

/// <summary>A limit in force and where it comes from. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.LimitView")]
public readonly record struct LimitView([property: Id(0)] string Name, [property: Id(1)] string Value, [property: Id(2)] string From);
