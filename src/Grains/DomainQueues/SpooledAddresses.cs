using Angarium.Contracts.Admin;
using Angarium.Spool.Packs;

namespace Angarium.Grains.DomainQueues;

/// <summary>Reads the addresses of what an operator is shown from the spool: the index knows keys alone. Any thread; nothing is kept.</summary>
internal sealed class SpooledAddresses(ISpoolReader spool)
{
    private const int Concurrency = 4;

    public async Task<QueueSnapshot> AddAsync(QueueSnapshot snapshot)
    {
        var rows = snapshot.Recipients.ToArray();
        var entries = Enumerable.Range(0, rows.Length).GroupBy(i => rows[i].Place).ToArray();
        await Parallel.ForEachAsync(entries, new ParallelOptions { MaxDegreeOfParallelism = Concurrency }, async (entry, cancellationToken) =>
        {
            try
            {
                using var read = (await spool.ReadEntryAsync(entry.Key, cancellationToken)).Value;
                if (read is null) return;
                var ordinals = read.Keys.Select((key, at) => (key, at)).ToDictionary(k => k.key, k => k.at);
                foreach (var i in entry)
                {
                    rows[i] = rows[i] with
                    {
                        Sender = read.Envelope.ReversePath, Size = read.ContentLength, Address = ordinals.TryGetValue(rows[i].Key, out var at) ? read.Envelope.Recipients[at].Address : null,
                    };
                }
            }
            catch (IOException)
            {
                // The rows of this entry are shown without addresses.
            }
        });
        return snapshot with { Recipients = rows };
    }
}
