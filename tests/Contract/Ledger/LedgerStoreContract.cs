using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Contract.Ledger;

/// <summary>What every provider of ledger streams promises (design rules 6 to 10).</summary>
public abstract class LedgerStoreContract
{
    private static readonly CancellationToken None = CancellationToken.None;
    protected static readonly LedgerStream Stream = new(9, 1);

    /// <summary>The provider over what it stored before: a new process.</summary>
    protected abstract ILedgerStore Reopen();

    [Fact]
    public async Task Append_InOrder_IsReadInOrderBeforeAndAfterReopening()
    {
        var store = Reopen();
        var end = await AppendAsync(store, 0, 1);
        end = await AppendAsync(store, end, 2);
        foreach (var opened in new[] { store, Reopen() })
        {
            Assert.Equal([1, 2], await OrdinalsAsync(opened));
            Assert.Equal(end, (await opened.ReadAsync(Stream, end, 1 << 20, None)).Next);
        }
    }

    [Fact]
    public async Task Append_AtAnotherOffset_Conflicts()
    {
        var store = Reopen();
        var end = await AppendAsync(store, 0, 1);
        await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(store, 0, 2));
        await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(store, end + 8, 2));
        Assert.Equal([1], await OrdinalsAsync(store));
    }

    [Fact]
    public async Task Append_ToTheBeginOfAStreamOfAnEarlierProcess_Conflicts()
    {
        await AppendAsync(Reopen(), 0, 1);
        await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(Reopen(), 0, 2));
    }

    [Fact]
    public async Task Seal_OfAStreamThatNeverBegan_KeepsItsWriterFromBeginningIt()
    {
        Assert.Equal(0, await Reopen().SealAsync(Stream, None));
        var store = Reopen();
        await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(store, 0, 1));
        Assert.Equal(new LedgerRead(default, 0, true, 0), await store.ReadAsync(Stream, 0, 100, None));
        Assert.Equal(0, await store.SealAsync(Stream, None));
    }

    [Fact]
    public async Task Read_InPieces_EndsInTheSeal()
    {
        var store = Reopen();
        var end = await AppendAsync(store, 0, 1);
        end = await AppendAsync(store, end, 2);
        await store.SealAsync(Stream, None);
        var (at, isSealed) = (0L, false);
        while (!isSealed)
        {
            var read = await store.ReadAsync(Stream, at, 1, None);
            Assert.True(read.Next > at || read.Sealed);
            (at, isSealed) = (read.Next, read.Sealed);
        }

        Assert.Equal(end, at);
    }

    [Fact]
    public async Task Seal_EndsTheStreamForEver()
    {
        var store = Reopen();
        var end = await AppendAsync(store, 0, 1);
        Assert.Equal(end, await store.SealAsync(Stream, None));
        Assert.Equal(end, await store.SealAsync(Stream, None));
        foreach (var opened in new[] { store, Reopen() })
        {
            await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(opened, end, 2));
            var read = await opened.ReadAsync(Stream, 0, 1 << 20, None);
            Assert.Equal((end, true), (read.Next, read.Sealed));
            var listing = Assert.Single(await opened.ListAsync(None).ToListAsync());
            Assert.Equal((Stream, end, true), (listing.Stream, listing.Length, listing.Sealed));
        }
    }

    [Fact]
    public async Task Read_TellsWhereTheStreamEnded()
    {
        var store = Reopen();
        var first = await AppendAsync(store, 0, 1);
        var end = await AppendAsync(store, first, 2);
        foreach (var opened in new[] { store, Reopen() })
        {
            var read = await opened.ReadAsync(Stream, 0, 1, None);
            Assert.Equal((first, end), (read.Next, read.End));
            read = await opened.ReadAsync(Stream, first, 1 << 20, None);
            Assert.Equal((end, end), (read.Next, read.End));
            Assert.Equal(end, (await opened.ReadAsync(Stream, end, 1 << 20, None)).End);
        }
    }

    [Fact]
    public async Task Read_LessThanABlock_ReturnsOneBlock()
    {
        var store = Reopen();
        var end = await AppendAsync(store, 0, 1);
        await AppendAsync(store, end, 2);
        Assert.Equal(end, (await store.ReadAsync(Stream, 0, 1, None)).Next);
    }

    [Fact]
    public async Task TryRead_TellsWhetherABlockBeginsThere()
    {
        var store = Reopen();
        var first = await AppendAsync(store, 0, 1);
        var end = await AppendAsync(store, first, 2);
        foreach (var opened in new[] { store, Reopen() })
        {
            for (var at = 8; at < first; at += 8) Assert.Null(await opened.TryReadAsync(Stream, at, 1 << 20, None));
            foreach (var at in (long[])[0, first, end, end + 8]) Assert.Equal(await opened.ReadAsync(Stream, at, 1 << 20, None), (await opened.TryReadAsync(Stream, at, 1 << 20, None))!.Value, Same);
        }

        static bool Same(LedgerRead one, LedgerRead other) => one.Data.Span.SequenceEqual(other.Data.Span) && (one.Next, one.Sealed, one.End) == (other.Next, other.Sealed, other.End);
    }

    [Fact]
    public async Task Read_OfAMissingStream_IsEmptyAndNotSealed() => Assert.Equal(new LedgerRead(default, 0, false, 0), await Reopen().ReadAsync(Stream, 0, 100, None));

    [Fact]
    public async Task Delete_TakesTheStream()
    {
        var store = Reopen();
        await AppendAsync(store, 0, 1);
        await store.SealAsync(Stream, None);
        await store.DeleteAsync(Stream, None);
        await store.DeleteAsync(Stream, None);
        Assert.Empty(await store.ListAsync(None).ToListAsync());
    }

    protected static Task<long> AppendAsync(ILedgerStore store, long offset, ushort ordinal, LedgerStream? to = null)
    {
        var stream = to ?? Stream;
        var buffer = new byte[1024];
        var record = new LedgerRecord { Key = new RecipientKey(1, 2, ordinal), Kind = LedgerKind.Delivered, Time = new StoreTime(5) };
        return store.AppendAsync(stream, offset, buffer.AsMemory(0, LedgerWriter.Encode(buffer, [record], stream, offset)), None);
    }

    protected static async Task<List<int>> OrdinalsAsync(ILedgerStore store) =>
        await new LedgerTrace(store).AllAsync(None).Select(r => (int)r.Key.Ordinal).ToListAsync();
}
