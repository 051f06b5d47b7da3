using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>
/// The directory of a cluster's queues for processes that are no silo. Any key reaches a silo at hand: use 0. Role: api. What the other silos hold in memory alone (ten seconds' worth of
/// mail; more while the index is away) is not counted.
/// </summary>
[Alias("angarium.IQueueDirectoryGrain")]
public interface IQueueDirectoryGrain : IGrainWithIntegerKey
{
    /// <summary>Domains with queued recipients, largest first.</summary>
    [Alias("ListDomains"), ResponseTimeout("00:01:00")]
    Task<QueuedDomain[]> ListDomains(int limit);

    /// <summary>All queues in a table, summed by the silos, each its part: what they have in memory alone too.</summary>
    [Alias("Shape"), ResponseTimeout("00:02:00")]
    Task<QueueShape> Shape(ShapeRequest request);

    /// <summary>Domains that have, or may have, some of what is asked for: of what a silo has in memory alone the tenant is not looked at.</summary>
    [Alias("FindDomains"), ResponseTimeout("00:02:00")]
    Task<QueuedDomain[]> FindDomains(ShapeRequest request);

    /// <summary>The domains whose queues hold some of a message.</summary>
    [Alias("FindMessage"), ResponseTimeout("00:01:00")]
    Task<string[]> FindMessage(RecipientKey message);
}

/// <summary>A domain and how many of its recipients are queued. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.QueuedDomain")]
public readonly record struct QueuedDomain([property: Id(0)] string Domain, [property: Id(1)] long Queued);
