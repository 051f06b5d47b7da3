using System.Runtime.CompilerServices;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;
using Angarium.Spool.Ledger;

namespace Angarium.Simulation.Stores;

/// <summary>The ledger's streams as one process reaches them.</summary>
internal sealed class SimLedgerStore(SimWorld world, SimProcess process) : ILedgerStore
{
    private List<LedgerStreamListing>? _stale;

    public Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        var bytes = block.ToArray();
        return world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.Append(stream, offset, bytes));
    }

    public Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) =>
        world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.ReadLedger(stream, offset, maxBytes));

    public Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken) => world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.Seal(stream));

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var streams = world.Breaks == Breaks.NewStreams && _stale is { } stale ? stale : await world.Net.AskAsync(process, world.Blobs.Link, world.Blobs.ListLedger);
        _stale ??= streams;
        foreach (var stream in streams) yield return stream;
    }

    public Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken) => world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.DeleteLedger(stream));
}
