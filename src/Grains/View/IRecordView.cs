using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.View;

/// <summary>What the ledger says of a recipient, in two bits (design rule 10).</summary>
[Flags]
public enum RecipientBits : byte { None = 0, Decided = 1, Finished = 2 }

/// <summary>
/// This silo's view of all ledger streams: two bits per recipient of every pack that exists. Reads are any thread and cheap; a refresh is shared by all callers.
/// </summary>
public interface IRecordView
{
    /// <summary>The bits as of the last refresh. They only ever grow.</summary>
    RecipientBits Bits(RecipientKey key);

    /// <summary>Completes with a refresh that began after this call. Own records are in the view before they are acknowledged.</summary>
    Task RefreshAsync(CancellationToken cancellationToken);

    /// <summary>How far every stream has been read that is not sealed and read to its end.</summary>
    IReadOnlyList<LedgerPosition> Positions { get; }

    /// <summary>Where an entry's recipient lies now: its birth place while that pack exists, else the moved pack that lists it; null = in no listing.</summary>
    EntryPlace? Locate(RecipientKey key, EntryPlace birth);

    /// <summary>When the last complete listing of packs began; zero = there was none yet. Only with one later than one's reading does a null of <see cref="Locate"/> mean anything.</summary>
    StoreTime ListedFrom { get; }

    /// <summary>About when a recipient was accepted, from its birth pack; null = not known (yet).</summary>
    StoreTime? Born(RecipientKey key);

    /// <summary>The record that decided a recipient which is not finished yet, so that its notice can be written again; null = not known.</summary>
    LedgerRecord? Decision(RecipientKey key);

    /// <summary>So many notices are owed that what decides more of them by choice had better wait: half of those whose records are kept for <see cref="Decision"/>.</summary>
    bool IsFullOfDecisions { get; }
}
