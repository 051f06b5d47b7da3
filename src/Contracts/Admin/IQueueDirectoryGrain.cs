using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary><see cref="IQueueDirectory"/> for processes that are no silo. Key: 0. Role: api. Answered by the silo that is asked.</summary>
[Alias("angarium.IQueueDirectoryGrain")]
public interface IQueueDirectoryGrain : IGrainWithIntegerKey
{
    /// <summary>Domains with queued recipients, largest first. What another silo took in within the last ten seconds may be missing.</summary>
    [Alias("ListDomains")]
    Task<QueuedDomain[]> ListDomains(int limit);

    /// <summary>The domains whose queues hold some of a message.</summary>
    [Alias("FindMessage")]
    Task<string[]> FindMessage(RecipientKey message);
}

[GenerateSerializer, Immutable, Alias("angarium.QueuedDomain")]
public readonly record struct QueuedDomain([property: Id(0)] string Domain, [property: Id(1)] long Queued);
