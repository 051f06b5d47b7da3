using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool;

/// <summary>
/// All stores of one process over files under `Data`, opened and closed together. It holds the lock on the folder: nothing of an earlier process lives, so the streams that one left are
/// sealed here. Opened at start on one thread; its members may be used from any.
/// </summary>
public sealed class EmbeddedStores : RelayStores
{
    private readonly DataFolder _folder;
    private readonly FilePackStore _packs;
    private readonly FileLedgerStore _ledger;
    private readonly EmbeddedStoreClock _clock;

    private EmbeddedStores(
        DataFolder folder, FilePackStore packs, FileLedgerStore ledger, EmbeddedStoreClock clock, ScratchFolder scratch, SpoolOptions options, TimeProvider time, ILoggerFactory loggers)
        : base(StoreRights.All, packs, ledger, new FileDocumentStore(LocalFileSystem.Instance, folder.Path), clock, scratch, options, options.Spacing ?? TimeSpan.Zero, time, loggers) =>
        (_folder, _packs, _ledger, _clock) = (folder, packs, ledger, clock);

    /// <summary>Opens the stores in <paramref name="dataFolder"/>, making it when it is not there.</summary>
    /// <exception cref="StoreUnavailableException">One line says why not.</exception>
    public static async Task<EmbeddedStores> OpenAsync(string dataFolder, SpoolOptions options, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken)
    {
        if (options.Validate().FirstOrDefault() is { } mistake) throw new StoreUnavailableException(mistake);
        if (!MinFree.TryParse(options.MinFree, out var minFree)) throw new StoreUnavailableException($"Spool:MinFree: `{options.MinFree}`");
        var folder = DataFolder.Open(dataFolder);
        try
        {
            var files = LocalFileSystem.Instance;
            var space = new FreeSpace(files, folder.Path, minFree, time).Watched();
            var ledger = new FileLedgerStore(files, folder.Path, loggers.CreateLogger<FileLedgerStore>());
            var newest = await SealAllAsync(ledger, cancellationToken).ConfigureAwait(false);
            var start = new StartClock(time);
            var packs = new FilePackStore(files, folder.Path, space, start, time, loggers.CreateLogger<FilePackStore>());
            var clock = new EmbeddedStoreClock(time, loggers.CreateLogger<EmbeddedStoreClock>(), StoreTime.Max(newest, packs.Newest));
            start.Clock = clock;
            clock.Start();
            var scratch = new ScratchFolder(folder.Path, space, loggers.CreateLogger<ScratchFolder>());
            return new EmbeddedStores(folder, packs, ledger, clock, scratch, options, time, loggers);
        }
        catch (Exception failure)
        {
            folder.Dispose();
            if (failure is IOException or UnauthorizedAccessException) throw new StoreUnavailableException($"Data: {folder.Path} cannot be used: {failure.Message}", failure);
            throw;
        }
    }

    private protected override ValueTask CloseAsync()
    {
        _packs.Dispose();
        _ledger.Dispose();
        _clock.Dispose();
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Returns the newest time found: that of the last block of each stream that was still open.</summary>
    private static async Task<StoreTime> SealAllAsync(FileLedgerStore ledger, CancellationToken cancellationToken)
    {
        var newest = StoreTime.Zero;
        var listings = new List<LedgerStreamListing>();
        await foreach (var listing in ledger.ListAsync(cancellationToken).ConfigureAwait(false)) listings.Add(listing);
        foreach (var listing in listings.Where(l => !l.Sealed))
        {
            await ledger.SealAsync(listing.Stream, cancellationToken).ConfigureAwait(false);
            for (long at = 0; ;)
            {
                var read = await ledger.ReadAsync(listing.Stream, at, 1 << 20, cancellationToken).ConfigureAwait(false);
                foreach (var record in LedgerReader.Decode(read)) newest = StoreTime.Max(newest, record.Time);
                if (read.Next == at) break;
                at = read.Next;
            }
        }

        return newest;
    }

    /// <summary>The pack store is loaded before the clock that it will use can know the newest time.</summary>
    private sealed class StartClock(TimeProvider time) : IStoreClock
    {
        public EmbeddedStoreClock? Clock { get; set; }

        public StoreTime Now => Clock?.Now ?? StoreTime.FromDateTimeOffset(time.GetUtcNow());

        public bool IsSettled => Clock?.IsSettled ?? false;
    }
}
