using Angarium.Contracts.Admin;
using Angarium.Grains.Index;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Grains.DomainQueues;

/// <summary>Which domains have mail, from index and activations; where a message is queued, from its pack. Any thread; no state.</summary>
internal sealed class QueueDirectory(IQueueIndex index, ActiveDomains active, ISpoolReader reader, IRecordView view) : IQueueDirectory
{
    public async Task<IReadOnlyList<(string Domain, long Queued)>> ListDomainsAsync(int limit, CancellationToken cancellationToken)
    {
        Dictionary<string, long> counts = [];
        try
        {
            counts = (await index.DomainsAsync(limit, cancellationToken)).ToDictionary(d => d.Domain, d => d.Queued);
        }
        catch (IOException)
        {
            // The index is away; the domains here can be told all the same, and each of them says so.
        }

        foreach (var (domain, count) in active.Counts) counts[domain] = counts.GetValueOrDefault(domain) + count;
        return [.. counts.Select(c => (c.Key, c.Value)).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Take(limit)];
    }

    public async Task<IReadOnlyList<string>> FindMessageAsync(RecipientKey message, CancellationToken cancellationToken)
    {
        var birth = PackName.Birth(message.PackId);
        var toc = await reader.ReadTocAsync(birth, cancellationToken);
        if (toc.Status == SpoolReadStatus.NotFound && view.Locate(message, new EntryPlace(birth, 0, 0)) is { } place && place.Pack != birth)
            toc = await reader.ReadTocAsync(place.Pack, cancellationToken);
        return toc.Value is null ? [] : [.. toc.Value.Entries
            .Where(e => e.Message.First == message && e.Keys.Any(k => (view.Bits(k) & RecipientBits.Finished) == 0)).Select(e => e.Domain).Distinct()];
    }
}
