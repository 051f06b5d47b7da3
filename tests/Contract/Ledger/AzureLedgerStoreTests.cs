using Angarium.Contract.Blobs;
using Angarium.Spool.Azure;
using Angarium.Spool.Ledger;
using Angarium.TestKit.Servers;
using Azure;
using Azure.Core;
using Azure.Storage.Blobs.Specialized;

namespace Angarium.Contract.Ledger;

/// <summary>Ledger streams as append blobs.</summary>
public sealed class AzureLedgerStoreTests : LedgerStoreContract, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private AzureStoresUnderTest _azure = null!;

    public async ValueTask InitializeAsync() => _azure = await AzureStoresUnderTest.CreateAsync();

    public ValueTask DisposeAsync() => _azure.DisposeAsync();

    protected override ILedgerStore Reopen() => _azure.Ledger();

    [Fact]
    public async Task EachCall_CostsThisManyRequests()
    {
        var spy = new RequestSpy();
        var store = _azure.Ledger(spy: spy);
        var end = await AppendAsync(store, 0, 1);
        Assert.Equal(["PUT 201", "PUT 201"], spy.Take());
        end = await AppendAsync(store, end, 2);
        Assert.Equal(["PUT 201"], spy.Take());

        // Who starts from a checkpoint, at the end: it learns the tag once.
        await store.ReadAsync(Stream, end, 1 << 20, None);
        Assert.InRange(spy.Take().Count, 1, 2);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(new LedgerRead(default, end, false, end), await store.ReadAsync(Stream, end, 1 << 20, None));
            Assert.Equal(["GET 304"], spy.Take());
        }

        // Another process appends.
        var further = await AppendAsync(_azure.Ledger(), end, 3);
        Assert.Equal(further, (await store.ReadAsync(Stream, end, 1 << 20, None)).Next);
        Assert.Equal(["GET 206"], spy.Take());
        await store.ReadAsync(Stream, further, 1 << 20, None);
        Assert.Equal(["HEAD 200"], spy.Take());
        await store.ReadAsync(Stream, further, 1 << 20, None);
        Assert.Equal(["GET 304"], spy.Take());
        Assert.False(Assert.Single(await store.ListAsync(None).ToListAsync()).Sealed);
        Assert.Equal(["GET 200"], spy.Take());
        await store.SealAsync(Stream, None);
        Assert.InRange(spy.Take().Count, 3, 4);
        Assert.True(Assert.Single(await store.ListAsync(None).ToListAsync()).Sealed);
        Assert.Equal(["GET 200"], spy.Take());
        Assert.Equal((further, true), await store.ReadAsync(Stream, further, 1 << 20, None) is var read ? (read.Next, read.Sealed) : default);
        Assert.Equal(["GET 206"], spy.Take());
    }

    /// <summary>What is older than the retention is deleted: one that was deleted at once could be begun again by an append that is still on its way.</summary>
    [Fact]
    public async Task Seal_OfAStreamThatNeverBegan_IsAsYoungAsItsSeal()
    {
        var store = Reopen();
        Assert.Equal(0, await store.SealAsync(Stream, None));
        var listing = Assert.Single(await store.ListAsync(None).ToListAsync());
        Assert.True(listing.Sealed);
        Assert.InRange(listing.Modified.ToDateTimeOffset(), DateTimeOffset.UtcNow.AddMinutes(-10), DateTimeOffset.UtcNow.AddMinutes(10));
    }

    /// <summary>The seal comes while older content is on its way to a reader, and the answer bears the tag that the stream has then, as the emulator's do.</summary>
    [Fact]
    public async Task Seal_WhileContentIsOnItsWay_IsSeenAllTheSame()
    {
        var spy = new RequestSpy();
        var store = _azure.Ledger(spy: spy);
        var end = await AppendAsync(store, 0, 1);
        spy.After = async message =>
        {
            if (message.Request.Method != RequestMethod.Get || message.Response.Status is not (200 or 206)) return;
            spy.After = _ => Task.CompletedTask;
            await _azure.Ledger().SealAsync(Stream, None);
            var tag = (await _azure.Open(_azure.Options)["ledger"]!.Reads.GetAppendBlobClient(BlobNames.Of(Stream.Writer, Stream.Number)).GetPropertiesAsync()).Value.ETag;
            message.Response = new TaggedResponse(message.Response, tag);
        };
        Assert.Equal((end, false), await store.ReadAsync(Stream, 0, 1 << 20, None) is var first ? (first.Next, first.Sealed) : default);
        Assert.Equal((end, true), await store.ReadAsync(Stream, end, 1 << 20, None) is var second ? (second.Next, second.Sealed) : default);
        Assert.True(Assert.Single(await store.ListAsync(None).ToListAsync()).Sealed);
    }

    [Fact]
    public async Task Append_WhoseAnswerWasLost_IsAFailureAndIsThereOnce()
    {
        var spy = new RequestSpy();
        var store = _azure.Ledger(spy: spy);
        var end = await AppendAsync(store, 0, 1);
        spy.LosesAnswer = r => r.Method == RequestMethod.Put;
        spy.Take();
        await Assert.ThrowsAsync<IOException>(() => AppendAsync(store, end, 2));
        Assert.Equal(["PUT 201"], spy.Take());
        spy.LosesAnswer = _ => false;
        await Assert.ThrowsAsync<LedgerConflictException>(() => AppendAsync(store, end, 2));
        Assert.Equal([1, 2], await OrdinalsAsync(Reopen()));
    }

    [Fact]
    public async Task Append_WhoseCreationWasLost_GoesOnAtTheBegin()
    {
        var spy = new RequestSpy { LosesAnswer = _ => true };
        var store = _azure.Ledger(spy: spy);
        await Assert.ThrowsAsync<IOException>(() => AppendAsync(store, 0, 1));
        spy.LosesAnswer = _ => false;
        await AppendAsync(store, 0, 1);
        Assert.Equal([1], await OrdinalsAsync(Reopen()));
    }

    [Fact]
    public async Task Seal_WhileItsWriterAppends_LosesNothingThatWasAcknowledged()
    {
        for (uint number = 1; number <= 20; number++)
        {
            var (writer, sealer, stream) = (_azure.Ledger(), _azure.Ledger(), Stream with { Number = number });
            var acknowledged = 0;
            var appending = Task.Run(async () =>
            {
                try
                {
                    for (long end = 0; ; acknowledged++) end = await AppendAsync(writer, end, (ushort)acknowledged, stream);
                }
                catch (LedgerConflictException)
                {
                }
            });
            var ends = await Task.WhenAll(sealer.SealAsync(stream, None), _azure.Ledger().SealAsync(stream, None), _azure.Ledger().SealAsync(stream, None));
            await appending;
            var sealedAt = Assert.Single(ends.Distinct());
            var listing = await Reopen().ListAsync(None).SingleAsync(l => l.Stream == stream);
            Assert.Equal((sealedAt, true), (listing.Length, listing.Sealed));
            var read = await sealer.ReadAsync(stream, 0, 1 << 20, None);
            Assert.Equal((sealedAt, true), (read.Next, read.Sealed));
            Assert.Equal(Enumerable.Range(0, acknowledged), LedgerReader.Decode(read).Select(r => (int)r.Key.Ordinal));
        }
    }

    [Fact]
    public async Task Seal_WithoutItsMark_IsFoundByListingsAndReads()
    {
        var spy = new RequestSpy { Before = r => r.Uri.Query.Contains("comp=metadata", StringComparison.Ordinal) ? throw new IOException("lost") : Task.CompletedTask };
        var end = await AppendAsync(Reopen(), 0, 1);
        Assert.Equal(end, await _azure.Ledger(spy: spy).SealAsync(Stream, None));
        var listing = Assert.Single(await Reopen().ListAsync(None).ToListAsync());
        Assert.Equal((end, true), (listing.Length, listing.Sealed));

        // Many sealers that raced leave many seals.
        var blob = _azure.Open(_azure.Options)["ledger"]!.Writes.GetAppendBlobClient("0000000000000009/1");
        for (var i = 0; i < 20; i++) await blob.AppendBlockAsync(new MemoryStream(LedgerSeal.Make(Stream)));
        listing = Assert.Single(await Reopen().ListAsync(None).ToListAsync());
        Assert.Equal((end, true), (listing.Length, listing.Sealed));
        Assert.True((await Reopen().ReadAsync(Stream, end, 100, None)).Sealed);
        Assert.Equal(end, await Reopen().SealAsync(Stream, None));
    }

    [Fact]
    public async Task Read_OfABlockThatIsNone_PassesItOverAndGoesOn()
    {
        var store = Reopen();
        var first = await AppendAsync(store, 0, 1);
        var blob = _azure.Open(_azure.Options)["ledger"]!.Writes.GetAppendBlobClient("0000000000000009/1");
        await blob.AppendBlockAsync(new MemoryStream(new byte[4096]));
        var last = await AppendAsync(store, first + 4096, 2);
        Assert.Equal([1, 2], await OrdinalsAsync(Reopen()));
        Assert.Equal(last, await store.SealAsync(Stream, None));
        Assert.True((await store.ReadAsync(Stream, first, 1 << 20, None)).Sealed);
    }

    [Fact]
    public async Task Read_OfABlockOfANewerVersion_IsRefusedWithAClearLine()
    {
        var store = Reopen();
        var first = await AppendAsync(store, 0, 1);
        var blob = _azure.Open(_azure.Options)["ledger"]!.Writes.GetAppendBlobClient("0000000000000009/1");
        byte[] newer = [.. "LBK"u8, 2, .. new byte[60]];
        await blob.AppendBlockAsync(new MemoryStream(newer));
        Assert.Equal(first, (await store.ReadAsync(Stream, 0, 1 << 20, None)).Next);
        Assert.Contains("version 2", (await Assert.ThrowsAsync<IOException>(() => store.ReadAsync(Stream, first, 1 << 20, None))).Message);
    }

    [Fact]
    public async Task Append_OfTheLargestBlock_IsTaken()
    {
        var buffer = new byte[LedgerBlock.MaxSize];
        LedgerBlock.Seal(buffer, LedgerBlock.MaxSize - LedgerBlock.HeaderSize, 0, Stream, 0);
        var store = Reopen();
        var end = await store.AppendAsync(Stream, 0, buffer, None);
        await AppendAsync(store, end, 1);
        var read = await store.ReadAsync(Stream, 0, 1, None);
        Assert.Equal(end, read.Next);
        Assert.Equal([1], await OrdinalsAsync(store));
    }

    [Fact]
    public async Task WithoutItsContainer_EverythingFailsAndNothingIsTakenForEmpty()
    {
        var store = _azure.Ledger(_azure.Options with { Prefix = _azure.Options.Prefix + "-none" });
        await Assert.ThrowsAsync<IOException>(() => AppendAsync(store, 0, 1));
        await Assert.ThrowsAsync<IOException>(() => store.ReadAsync(Stream, 0, 100, None));
        await Assert.ThrowsAsync<IOException>(() => store.SealAsync(Stream, None));
        await Assert.ThrowsAsync<IOException>(async () => await store.ListAsync(None).CountAsync());
    }

    [Fact]
    public async Task Api_ReadsAndLists_AndNeitherAppendsSealsNorDeletes()
    {
        var end = await AppendAsync(Reopen(), 0, 1);
        var store = _azure.Ledger(_azure.KeysOf("api"));
        Assert.Equal([1], await OrdinalsAsync(store));
        await Assert.ThrowsAsync<IOException>(() => AppendAsync(store, end, 2));
        await Assert.ThrowsAsync<IOException>(() => store.SealAsync(Stream, None));
        await Assert.ThrowsAsync<IOException>(() => store.DeleteAsync(Stream, None));
        Assert.Equal([1], await OrdinalsAsync(Reopen()));
    }

    /// <summary>An answer with the tag of another.</summary>
    private sealed class TaggedResponse(Response inner, ETag tag) : Response
    {
        public override int Status => inner.Status;

        public override string ReasonPhrase => inner.ReasonPhrase;

        public override Stream? ContentStream { get => inner.ContentStream; set => inner.ContentStream = value; }

        public override string ClientRequestId { get => inner.ClientRequestId; set => inner.ClientRequestId = value; }

        public override void Dispose() => inner.Dispose();

        protected override bool ContainsHeader(string name) => inner.Headers.Contains(name);

        protected override IEnumerable<HttpHeader> EnumerateHeaders() => inner.Headers.Select(h => h.Name.Equals("ETag", StringComparison.OrdinalIgnoreCase) ? new HttpHeader(h.Name, tag.ToString("H")) : h);

        protected override bool TryGetHeader(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out string? value)
        {
            if (!inner.Headers.TryGetValue(name, out value)) return false;
            if (name.Equals("ETag", StringComparison.OrdinalIgnoreCase)) value = tag.ToString("H");
            return true;
        }

        protected override bool TryGetHeaderValues(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IEnumerable<string>? values) => inner.Headers.TryGetValues(name, out values);
    }
}
