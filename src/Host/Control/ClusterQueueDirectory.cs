using Angarium.Contracts.Admin;
using Angarium.Mail;

namespace Angarium.Host.Control;

/// <summary>The directory of a process that is no silo: asks one. Any thread; no state.</summary>
internal sealed class ClusterQueueDirectory(IGrainFactory grains) : IQueueDirectory
{
    public async Task<IReadOnlyList<(string Domain, long Queued)>> ListDomainsAsync(int limit, CancellationToken cancellationToken) =>
        [.. (await Grain.ListDomains(limit).WaitAsync(cancellationToken)).Select(row => (row.Domain, row.Queued))];

    public async Task<IReadOnlyList<string>> FindMessageAsync(RecipientKey message, CancellationToken cancellationToken) => await Grain.FindMessage(message).WaitAsync(cancellationToken);

    private IQueueDirectoryGrain Grain => grains.GetGrain<IQueueDirectoryGrain>(0);
}
