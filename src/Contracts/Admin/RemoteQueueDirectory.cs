using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>The queues' directory as a client of the cluster sees it. Any thread; no state.</summary>
public sealed class RemoteQueueDirectory(IGrainFactory grains) : IQueueDirectory
{
    private IQueueDirectoryGrain Grain => grains.GetGrain<IQueueDirectoryGrain>(0);

    public async Task<IReadOnlyList<(string Domain, long Queued)>> ListDomainsAsync(int limit, CancellationToken cancellationToken) =>
        [.. (await Grain.ListDomains(limit).WaitAsync(cancellationToken)).Select(d => (d.Domain, d.Queued))];

    public async Task<IReadOnlyList<string>> FindMessageAsync(RecipientKey message, CancellationToken cancellationToken) => await Grain.FindMessage(message).WaitAsync(cancellationToken);
}
