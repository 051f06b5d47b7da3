using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool;

/// <summary>
/// All stores of one process over one provider, opened and closed together. Opened at start on one thread; its members may be used from any. A member that the process's roles have no
/// right to throws: that is a mistake in the wiring, not an outcome.
/// </summary>
public abstract class RelayStores : IAsyncDisposable
{
    private readonly StoreRights _rights;
    private readonly IPackStore _packs;
    private readonly ILedgerStore? _ledger;
    private readonly IDocumentStore _documents;
    private readonly IScratchFolder? _scratch;
    private readonly SpoolReader _reader;
    private readonly PackWriter? _writer;
    private readonly PackMover? _mover;
    private readonly TimeSpan _spacing;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;

    /// <param name="scratch">Null = the process creates nothing.</param>
    private protected RelayStores(
        StoreRights rights, IPackStore packs, ILedgerStore? ledger, IDocumentStore documents, IStoreClock clock, IScratchFolder? scratch, SpoolOptions options, TimeSpan spacing, TimeProvider time,
        ILoggerFactory loggers)
    {
        (_rights, _packs, _ledger, _documents, Clock, _scratch, _spacing, _time, _loggers) = (rights, packs, ledger, documents, clock, scratch, spacing, time, loggers);
        // A process that reads none keeps none.
        var cache = new PackCache(Has(StoreRights.ReadPacks) ? options.Cache : 0);
        _reader = new SpoolReader(packs, cache, loggers.CreateLogger<SpoolReader>());
        if (Has(StoreRights.Create)) _writer = new PackWriter(packs, cache, clock, time, spacing, loggers.CreateLogger<PackWriter>());
        if (Has(StoreRights.All)) _mover = new PackMover(packs, _reader, scratch!, clock, time, loggers.CreateLogger<PackMover>());
    }

    public IPackStore Packs => Need(StoreRights.ReadPacks, _packs, "read packs", "grains or egress");

    public ILedgerStore LedgerStore => Need(StoreRights.ReadLedger, _ledger, "read the ledger", "grains or api");

    public IDocumentStore Documents => Need(StoreRights.Cluster, _documents, "read documents", "grains, ingress, egress or api");

    /// <summary>Its <see cref="PackWriter.Listener"/> is to be set before the first commit.</summary>
    public PackWriter Writer => Need(StoreRights.Create, _writer, "create packs", "grains or ingress");

    public ISpoolReader Reader => Need(StoreRights.ReadPacks, _reader, "read packs", "grains or egress");

    public IPackMover Mover => Need(StoreRights.All, _mover, "move packs", "grains");

    public IScratchFolder Scratch => Need(StoreRights.Create, _scratch, "gather large messages", "grains or ingress");

    public IStoreClock Clock { get; }

    /// <summary>This process's stream of the ledger. Made once; dispose it before the stores.</summary>
    /// <param name="onDurable">See <see cref="LedgerWriter"/>.</param>
    /// <param name="silo">The identity of this silo's life, by which others see that it is dead; null = this process is alone.</param>
    /// <param name="isMember">Looks whether this silo is a member now.</param>
    public LedgerWriter CreateLedger(Action<LedgerStream, long, IReadOnlyList<LedgerRecord>>? onDurable, Func<string>? silo = null, Func<Task<bool>>? isMember = null) =>
        new(Need(StoreRights.All, _ledger, "append to the ledger", "grains"), _documents, Clock, _time, _loggers.CreateLogger<LedgerWriter>(), onDurable, silo: silo, isMember: isMember, spacing: _spacing);

    public async ValueTask DisposeAsync()
    {
        if (_writer is not null) await _writer.DisposeAsync().ConfigureAwait(false);
        _mover?.Dispose();
        await CloseAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the provider, after all that uses it.</summary>
    private protected abstract ValueTask CloseAsync();

    private bool Has(StoreRights rights) => (_rights & rights) == rights;

    private T Need<T>(StoreRights rights, T? member, string act, string roles) where T : class =>
        Has(rights) && member is not null ? member : throw new InvalidOperationException($"This process may not {act}: that is for the role {roles}, and it was opened with {_rights}");
}
