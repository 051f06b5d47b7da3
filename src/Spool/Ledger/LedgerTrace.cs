using System.Runtime.CompilerServices;
using Angarium.Mail;

namespace Angarium.Spool.Ledger;

/// <summary>
/// Finds every record of a message or recipient in all streams, for people: reads the streams piece by piece, twice (first for the recipients that a message has). Memory: one piece
/// and the keys of one message. Any thread.
/// </summary>
public sealed class LedgerTrace(ILedgerStore store)
{
    private const int Piece = 1 << 20;

    /// <summary>Records of the recipient with this key and, when a message has this id (that of its first recipient), of all its recipients. In the order of the streams, not of time.</summary>
    public async IAsyncEnumerable<LedgerRecord> FindAsync(RecipientKey key, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var keys = new HashSet<RecipientKey> { key };
        await foreach (var record in AllAsync(cancellationToken).ConfigureAwait(Turns.Captured))
            if (record.Summary is { } summary && summary.Message.First == key) keys.Add(record.Key);
        await foreach (var record in AllAsync(cancellationToken).ConfigureAwait(Turns.Captured))
            if (keys.Contains(record.Key)) yield return record;
    }

    /// <summary>Every record of every stream.</summary>
    public async IAsyncEnumerable<LedgerRecord> AllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var listing in store.ListAsync(cancellationToken).ConfigureAwait(Turns.Captured))
        {
            for (long at = 0; ;)
            {
                var read = await store.ReadAsync(listing.Stream, at, Piece, cancellationToken).ConfigureAwait(Turns.Captured);
                foreach (var record in LedgerReader.Decode(read)) yield return record;
                if (read.Next == at) break;
                at = read.Next;
            }
        }
    }
}
