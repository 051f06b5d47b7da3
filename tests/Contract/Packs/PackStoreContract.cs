using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Contract.Packs;

/// <summary>What every provider of packs promises (design rules 1, 2, 5).</summary>
public abstract class PackStoreContract
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PackName Name = new(PackKind.Birth, 7, 1);

    /// <summary>The provider over what it stored before: a new process.</summary>
    protected abstract IPackStore Reopen();

    /// <summary>The same, where the last thing done was a deletion: it may be forgotten by a loss of power, not by a restart.</summary>
    protected virtual IPackStore ReopenAfterDeletion() => Reopen();

    [Fact]
    public async Task Create_ASecondTime_ExistsAndStaysAsItWas()
    {
        var store = Reopen();
        Assert.Equal(PackCreation.Created, await store.CreateAsync(Name, Image(100, 1), None));
        Assert.Equal(PackCreation.Exists, await store.CreateAsync(Name, Image(50, 2), None));
        Assert.Equal(Bytes(100, 1), await ReadAsync(store, Name));
        Assert.Equal(PackCreation.Created, await store.CreateAsync(Name with { Kind = PackKind.Moved }, Image(50, 2), None));
        Assert.Equal(Bytes(100, 1), await ReadAsync(store, Name));
    }

    [Fact]
    public async Task Read_ByRange_IsShortOnlyAtTheEnd()
    {
        var store = Reopen();
        await store.CreateAsync(Name, Image(100, 1), None);
        var into = new byte[40];
        Assert.Equal(40, await store.ReadAsync(Name, 10, into, None));
        Assert.Equal(Bytes(100, 1)[10..50], into);
        Assert.Equal(30, await store.ReadAsync(Name, 70, into, None));
        Assert.Equal(0, await store.ReadAsync(Name, 100, into, None));
        Assert.Equal(0, await store.ReadAsync(Name, long.MaxValue, into, None));
    }

    [Fact]
    public async Task Read_OfAMissingPack_IsMinusOne() => Assert.Equal(-1, await Reopen().ReadAsync(Name, 0, new byte[1], None));

    [Fact]
    public async Task List_AfterReopening_HasWhatWasCreatedOfBothKinds()
    {
        var store = Reopen();
        PackName[] names = [Name, Name with { Number = 2 }, Name with { Writer = 8 }, Name with { Kind = PackKind.Moved }];
        for (var i = 0; i < names.Length; i++) await store.CreateAsync(names[i], Image(10 + i, i), None);
        foreach (var opened in new[] { store, Reopen() })
        {
            var listed = await opened.ListAsync(None).ToDictionaryAsync(l => l.Name, l => l.Length);
            Assert.Equal(names.ToHashSet(), listed.Keys.ToHashSet());
            for (var i = 0; i < names.Length; i++)
            {
                Assert.Equal(10 + i, listed[names[i]]);
                Assert.Equal(Bytes(10 + i, i), await ReadAsync(opened, names[i]));
            }
        }
    }

    [Fact]
    public async Task Delete_IsRememberedAndHarmlessWhenRepeated()
    {
        var store = Reopen();
        await store.CreateAsync(Name, Image(10, 1), None);
        await store.CreateAsync(Name with { Number = 2 }, Image(20, 2), None);
        await store.DeleteAsync(Name, None);
        await store.DeleteAsync(Name, None);
        Assert.Equal(-1, await store.ReadAsync(Name, 0, new byte[1], None));
        foreach (var opened in new[] { store, ReopenAfterDeletion() })
        {
            Assert.Equal(2u, Assert.Single(await opened.ListAsync(None).ToListAsync()).Name.Number);
            Assert.Equal(Bytes(20, 2), await ReadAsync(opened, Name with { Number = 2 }));
        }
    }

    protected static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    protected static PackImage Image(int length, int seed) => new(Bytes(length, seed), null);

    protected static async Task<byte[]> ReadAsync(IPackStore store, PackName name)
    {
        var bytes = new byte[1 << 16];
        var got = await store.ReadAsync(name, 0, bytes, None);
        return got < 0 ? [] : bytes[..got];
    }
}
