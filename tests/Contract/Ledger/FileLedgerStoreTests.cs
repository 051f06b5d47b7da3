using Angarium.Contract.Packs;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Contract.Ledger;

/// <summary>Ledger streams in files of this machine.</summary>
public sealed class FileLedgerStoreTests : LedgerStoreContract, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("angarium-test-").FullName;
    private readonly List<FileLedgerStore> _stores = [];

    public FileLedgerStoreTests() => Directory.CreateDirectory(Path.Combine(_root, "ledger"));

    public void Dispose()
    {
        foreach (var store in _stores) store.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    protected override ILedgerStore Reopen()
    {
        var store = new FileLedgerStore(LocalFileSystem.Instance, _root, NullLogger.Instance);
        _stores.Add(store);
        return store;
    }

    [Fact]
    public async Task Read_WithAnyByteFlipped_NeverThrowsAndKeepsTheOtherBlocks()
    {
        var store = Reopen();
        var first = await AppendAsync(store, 0, 1);
        var second = await AppendAsync(store, first, 2);
        await AppendAsync(store, second, 3);
        var path = Assert.Single(Directory.GetFiles(_root, "*.log", SearchOption.AllDirectories));
        var bytes = await File.ReadAllBytesAsync(path);
        for (var at = 0; at < bytes.Length; at++)
        {
            var flipped = bytes.ToArray();
            flipped[at] ^= 1;
            await File.WriteAllBytesAsync(path, flipped);
            int[] unhurt = at < first ? [2, 3] : at < second ? [1, 3] : [1, 2];
            Assert.Subset((await OrdinalsAsync(Reopen())).ToHashSet(), unhurt.ToHashSet());
        }
    }

    [Fact]
    public async Task Append_ToTheEndOfAStreamOfAnEarlierProcess_Conflicts()
    {
        // A file may end in what was never acknowledged. (Blobs cannot tell who appends, nor need they: every process draws a random id for its streams.)
        var end = await AppendAsync(Reopen(), 0, 1);
        await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(Reopen(), end, 2));
    }

    [Fact]
    public async Task Seal_OfATornTail_EndsAtTheLastIntactBlock()
    {
        var end = await AppendAsync(Reopen(), 0, 1);
        await File.AppendAllBytesAsync(Assert.Single(Directory.GetFiles(_root, "*.log", SearchOption.AllDirectories)), new byte[21]);
        var again = Reopen();
        Assert.Equal(end, await again.SealAsync(Stream, CancellationToken.None));
        Assert.Equal([1], await OrdinalsAsync(again));
    }
}

/// <summary>Ledger streams of which only what was flushed survives: each reopening is a loss of power.</summary>
public sealed class VolatileLedgerStoreTests : LedgerStoreContract
{
    private readonly VolatileFileSystem _files = FileStores.Volatile(2);

    protected override ILedgerStore Reopen()
    {
        _files.Crash();
        return new FileLedgerStore(_files, FileStores.Root, NullLogger.Instance);
    }
}
