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
        return world.Loop.Chance(world.LateAppends) ? AppendLateAsync(stream, offset, bytes) : AppendOnceAsync(stream, offset, bytes);
    }

    private async Task<long> AppendOnceAsync(LedgerStream stream, long offset, byte[] bytes)
    {
        var end = await world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.Append(stream, offset, bytes));
        foreach (var record in LedgerReader.Decode(bytes, out _)) world.Account.Heard(process, record);
        return end;
    }

    // On its way long after its process gave it up, or died.
    private async Task<long> AppendLateAsync(LedgerStream stream, long offset, byte[] bytes)
    {
        world.Loop.Outside.At(world.Loop.Random.Next(3_000, 120_000), () =>
        {
            try
            {
                world.Blobs.Append(stream, offset, bytes);
            }
            catch (LedgerConflictException)
            {
                // Sealed meanwhile, or written by a later try.
            }
        });
        await process.Delay(3_000);
        throw new IOException("blobs: no reply");
    }

    public Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) =>
        world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.ReadLedger(stream, offset, maxBytes));

    public Task<LedgerRead?> TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken) => world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.Seal(stream));

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var streams = world.Breaks == Breaks.NewStreams && _stale is { } stale ? stale : await world.Net.AskAsync(process, world.Blobs.Link, world.Blobs.ListLedger);
        _stale ??= streams;
        foreach (var stream in streams) yield return stream;
    }

    public Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken) => world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.DeleteLedger(stream));
}
