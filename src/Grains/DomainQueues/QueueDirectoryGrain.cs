using Angarium.Contracts.Admin;
using Angarium.Mail;
using Orleans.Concurrency;

namespace Angarium.Grains.DomainQueues;

/// <summary>The silo's <see cref="QueueDirectory"/> as a grain. A few activations a silo, no state.</summary>
[GrainType("queue-directory"), StatelessWorker(4)]
internal sealed class QueueDirectoryGrain(IQueueDirectory directory) : Grain, IQueueDirectoryGrain
{
    public async Task<QueuedDomain[]> ListDomains(int limit) =>
        [.. (await directory.ListDomainsAsync(limit, CancellationToken.None)).Select(row => new QueuedDomain(row.Domain, row.Queued))];

    public async Task<string[]> FindMessage(RecipientKey message) => [.. await directory.FindMessageAsync(message, CancellationToken.None)];
}
