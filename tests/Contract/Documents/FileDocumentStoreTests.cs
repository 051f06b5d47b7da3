using Angarium.Contract.Packs;
using Angarium.Spool.Documents;
using Angarium.Spool.Files;
using Angarium.TestKit.Storage;

namespace Angarium.Contract.Documents;

/// <summary>Documents in files of this machine.</summary>
public sealed class FileDocumentStoreTests : DocumentStoreContract, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("angarium-test-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    protected override IDocumentStore Reopen()
    {
        Directory.CreateDirectory(Path.Combine(_root, "private"));
        return new FileDocumentStore(LocalFileSystem.Instance, _root);
    }

    [Fact]
    public async Task Read_WithAnyByteFlipped_IsAFailureToRead()
    {
        await Reopen().WriteAsync("a", new byte[] { 1, 2, 3 }, null, CancellationToken.None);
        var path = Assert.Single(Directory.GetFiles(_root, "*.doc", SearchOption.AllDirectories));
        var bytes = await File.ReadAllBytesAsync(path);
        for (var at = 0; at < bytes.Length; at++)
        {
            var flipped = bytes.ToArray();
            flipped[at] ^= 1;
            await File.WriteAllBytesAsync(path, flipped);
            await Assert.ThrowsAsync<IOException>(() => Reopen().ReadAsync("a", CancellationToken.None));
            await File.WriteAllBytesAsync(path, bytes[..at]);
            await Assert.ThrowsAsync<IOException>(() => Reopen().ReadAsync("a", CancellationToken.None));
        }
    }
}

/// <summary>Documents of which only what was flushed survives: each reopening is a loss of power.</summary>
public sealed class VolatileDocumentStoreTests : DocumentStoreContract
{
    private readonly VolatileFileSystem _files = FileStores.Volatile(3);

    protected override IDocumentStore Reopen()
    {
        _files.Crash();
        return new FileDocumentStore(_files, FileStores.Root);
    }

    [Fact]
    public async Task Write_AfterOneThatFailedInANewFolder_SurvivesACrash()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var files = FileStores.Volatile(seed);
            var store = new FileDocumentStore(files, FileStores.Root);
            files.Before = call => throw new IOException(call);
            await Assert.ThrowsAsync<IOException>(() => store.WriteAsync("ledger/writers", new byte[] { 1 }, null, CancellationToken.None));
            files.Before = null;
            Assert.NotNull(await store.WriteAsync("ledger/writers", new byte[] { 2 }, null, CancellationToken.None));
            files.Crash();
            var read = await new FileDocumentStore(files, FileStores.Root).ReadAsync("ledger/writers", CancellationToken.None);
            Assert.Equal((byte[])[2], read!.Content.ToArray());
        }
    }
}
