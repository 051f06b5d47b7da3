using Angarium.Contracts.Admin;
using Angarium.Mail;
using Orleans.Concurrency;

namespace Angarium.Grains.DomainQueues;

/// <summary>The directory of this silo for callers elsewhere: a thin shell, at whichever silo the call came in. No state.</summary>
[GrainType("queue-directory"), StatelessWorker(4)]
internal sealed class QueueDirectoryGrain(IQueueDirectory directory, QueueShapes shapes) : Grain, IQueueDirectoryGrain
{
    public async Task<QueuedDomain[]> ListDomains(int limit) => [.. (await directory.ListDomainsAsync(limit, CancellationToken.None)).Select(d => new QueuedDomain(d.Domain, d.Queued))];

    public Task<QueueShape> Shape(ShapeRequest request) => shapes.ShapeAsync(request, CancellationToken.None);

    public Task<QueuedDomain[]> FindDomains(ShapeRequest request) => shapes.FindAsync(request, CancellationToken.None);

    public async Task<string[]> FindMessage(RecipientKey message) => [.. await directory.FindMessageAsync(message, CancellationToken.None)];
}
