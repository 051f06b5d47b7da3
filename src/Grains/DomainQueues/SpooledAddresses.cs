using Angarium.Contracts.Admin;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Grains.DomainQueues;

/// <summary>Reads addresses from the spool, for what an operator is shown and for records: the index knows keys alone. Any thread; nothing is kept.</summary>
internal sealed class SpooledAddresses(ISpoolReader spool) : IDisposable
{
    private const int Concurrency = 4;

    /// <summary>A domain that expires has a thousand at a time.</summary>
    private readonly SemaphoreSlim _summaries = new(32);

    public void Dispose() => _summaries.Dispose();

    /// <summary>What the ledger keeps of these recipients' envelope, in their order; empty = it cannot be read.</summary>
    public async Task<EnvelopeSummary?[]> SummariesAsync(EntryPlace place, RecipientKey[] keys)
    {
        await _summaries.WaitAsync();
        try
        {
            using var read = (await spool.ReadEntryAsync(place, CancellationToken.None)).Value;
            if (read is null) return [];
            var (envelope, message, size) = (read.Envelope, read.Message, read.ContentLength);
            var ordinals = read.Keys.Select((key, at) => (key, at)).ToDictionary(k => k.key, k => k.at);
            return [.. keys.Select(key => !ordinals.TryGetValue(key, out var at) ? null : new EnvelopeSummary
            {
                Message = message, ReversePath = envelope.ReversePath, Recipient = envelope.Recipients[at].Address, Tenant = envelope.Tenant, Accepted = envelope.Accepted, Size = size, Labels = envelope.Labels,
            })];
        }
        catch (IOException)
        {
            // Their records are written without it.
            return [];
        }
        finally
        {
            _summaries.Release();
        }
    }

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
