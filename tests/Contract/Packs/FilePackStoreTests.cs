using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Packs;
using Angarium.TestKit.Storage;

namespace Angarium.Contract.Packs;

/// <summary>Packs in segment files of this machine.</summary>
public sealed class FilePackStoreTests : PackStoreContract, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("angarium-test-").FullName;
    private readonly List<FilePackStore> _stores = [];

    public void Dispose()
    {
        foreach (var store in _stores) store.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    protected override IPackStore Reopen() => Open();

    [Fact]
    public async Task Delete_OfTheLastPackOfASealedSegment_UnlinksIt()
    {
        var name = new PackName(PackKind.Birth, 7, 1);
        var store = Open();
        await store.CreateAsync(name, Image(10, 1), CancellationToken.None);
        store.Dispose();
        await Open().DeleteAsync(name, CancellationToken.None);
        Assert.Empty(Directory.GetFiles(_root, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Reopen_WithAnyByteFlipped_NeverThrowsAndKeepsTheOtherPacks()
    {
        PackName one = new(PackKind.Birth, 7, 1), two = one with { Number = 2 }, three = one with { Number = 3 };
        var store = Open();
        foreach (var name in new[] { one, two, three }) await store.CreateAsync(name, Image(64, (int)name.Number), CancellationToken.None);
        var path = Assert.Single(Directory.GetFiles(_root, "*.seg", SearchOption.AllDirectories));
        var open = await File.ReadAllBytesAsync(path);
        store.Dispose();
        var frame = (int)SegmentFormat.FrameSize(64);
        for (var at = 0; at < open.Length; at += 3)
        {
            var bytes = open.ToArray();
            bytes[at] ^= 0x40;
            foreach (var beside in Directory.GetFiles(Path.GetDirectoryName(path)!)) File.Delete(beside);
            await File.WriteAllBytesAsync(path, bytes);
            using var again = New();
            var listed = await again.ListAsync(CancellationToken.None).Select(l => l.Name).ToListAsync();
            foreach (var name in new[] { one, two, three })
            {
                var from = SegmentFormat.HeaderSize + ((int)name.Number - 1) * frame;
                if (at >= from && at < from + frame) continue;
                Assert.Contains(name, listed);
                Assert.Equal(Bytes(64, (int)name.Number), await ReadAsync(again, name));
            }
        }
    }

    [Fact]
    public async Task Reopen_WithATornTail_DropsItAndAppendsNothingToTheFile()
    {
        var name = new PackName(PackKind.Birth, 7, 1);
        var store = Open();
        await store.CreateAsync(name, Image(64, 1), CancellationToken.None);
        await store.CreateAsync(name with { Number = 2 }, Image(64, 2), CancellationToken.None);
        var path = Assert.Single(Directory.GetFiles(_root, "*.seg", SearchOption.AllDirectories));
        var bytes = (await File.ReadAllBytesAsync(path))[..^20];
        store.Dispose();
        await File.WriteAllBytesAsync(path, bytes);
        var again = Open();
        Assert.Equal(name, Assert.Single(await again.ListAsync(CancellationToken.None).ToListAsync()).Name);
        Assert.Equal(PackCreation.Created, await again.CreateAsync(name with { Number = 2 }, Image(30, 3), CancellationToken.None));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(path));
    }

    private FilePackStore Open()
    {
        var store = New();
        _stores.Add(store);
        return store;
    }

    private FilePackStore New() => FileStores.Packs(LocalFileSystem.Instance, _root);
}

/// <summary>Packs in segment files of which only what was flushed survives: each reopening is a loss of power.</summary>
public sealed class VolatilePackStoreTests : PackStoreContract
{
    private readonly VolatileFileSystem _files = FileStores.Volatile(1);

    protected override IPackStore Reopen()
    {
        _files.Crash();
        return FileStores.Packs(_files, FileStores.Root);
    }

    protected override IPackStore ReopenAfterDeletion() => FileStores.Packs(_files, FileStores.Root);
}
