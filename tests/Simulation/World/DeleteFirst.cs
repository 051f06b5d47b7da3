using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>Deletes what it copies, then writes the copy (rule 5 broken).</summary>
internal sealed class DeleteFirst(IPackStore packs, IPackMover mover) : IPackMover
{
    public async Task<PackName?> MoveAsync(IReadOnlyList<MovedEntry> entries, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions, CancellationToken cancellationToken)
    {
        foreach (var source in sources) await packs.DeleteAsync(source, cancellationToken);
        return await mover.MoveAsync(entries, sources, positions, cancellationToken);
    }
}
