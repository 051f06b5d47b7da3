using System.Runtime.CompilerServices;
using Angarium.Mail;

namespace Angarium.Spool.Ledger;

/// <summary>
/// Finds every record of messages or recipients in all streams, for people: reads the streams piece by piece, twice (first for the recipients that a message has), however many are asked
/// for. Memory: one piece and the keys of those messages. Any thread.
/// </summary>
public sealed class LedgerTrace(ILedgerStore store)
{
    private const int Piece = 1 << 20;

    /// <summary>
    /// Records of the recipients with these keys and, where a message has such an id (that of its first recipient), of all its recipients; each with the key that was asked for. In the order of the
    /// streams, not of time.
    /// </summary>
    public async IAsyncEnumerable<(RecipientKey Asked, LedgerRecord Record)> FindAsync(IReadOnlySet<RecipientKey> keys, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var asked = keys.ToDictionary(key => key);
        await foreach (var record in AllAsync(cancellationToken).ConfigureAwait(Turns.Captured))
            if (record.Summary is { } summary && keys.Contains(summary.Message.First)) asked.TryAdd(record.Key, summary.Message.First);
        await foreach (var record in AllAsync(cancellationToken).ConfigureAwait(Turns.Captured))
            if (asked.TryGetValue(record.Key, out var key)) yield return (key, record);
    }

    /// <summary>Every record of every stream.</summary>
    public async IAsyncEnumerable<LedgerRecord> AllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var listing in store.ListAsync(cancellationToken).ConfigureAwait(Turns.Captured))
        {
            for (long at = 0, end = long.MaxValue; ;)
            {
                var read = await store.ReadAsync(listing.Stream, at, Piece, cancellationToken).ConfigureAwait(Turns.Captured);
                foreach (var record in LedgerReader.Decode(read)) yield return record;
                end = Math.Min(end, read.End);
                if (read.Next == at || read.Next >= end) break;
                at = read.Next;
            }
        }
    }
}
