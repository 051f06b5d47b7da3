using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Spool.Packs;

/// <summary>Writes moved packs for the cleaner (design rules 5 and 10). One instance a process, with a writer id of its own.</summary>
public interface IPackMover
{
    /// <summary>
    /// Copies the given entries (each reduced to its unfinished keys) of one or more packs into a new moved pack and returns its name once durable; null when the
    /// store would not take it now.
    /// </summary>
    Task<PackName?> MoveAsync(IReadOnlyList<MovedEntry> entries, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions, CancellationToken cancellationToken);
}

/// <summary>An entry to move: its source's row and the keys that were found unfinished.</summary>
public sealed record MovedEntry(PackName Source, PackEntry Entry, IReadOnlyList<RecipientKey> Unfinished);
