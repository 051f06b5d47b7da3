using Angarium.Mail;
using Angarium.Spool;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Spool;

public sealed class EmbeddedStoresTests : IDisposable
{
    private static readonly SpoolOptions Options = new() { MinFree = "1" };
    private readonly string _data = Path.Combine(Path.GetTempPath(), "angarium-test-" + Guid.NewGuid().ToString("n"));

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task Open_AfterARestart_ReadsWhatWasCommitted()
    {
        var message = Mails.To("Subject: a\r\n\r\nbody\r\n", "b@two.example", "a@one.example", "c@two.example");
        MessageId id;
        CommittedPack? told = null;
        await using (var stores = await OpenAsync())
        {
            stores.Writer.Listener = new Listener(pack => told = pack);
            var receipt = await stores.Writer.CommitAsync(message, CancellationToken.None);
            Assert.Equal(CommitStatus.Committed, receipt.Status);
            id = receipt.Id;
        }

        await using var again = await OpenAsync();
        var listing = await again.Packs.ListAsync(CancellationToken.None).ToListAsync();
        var toc = await again.Reader.ReadTocAsync(Assert.Single(listing).Name, CancellationToken.None);
        Assert.Equal(SpoolReadStatus.Found, toc.Status);
        Assert.Equal(["one.example", "two.example"], toc.Value!.Entries.Select(e => e.Domain));
        Assert.Equal(told!.Entries.Select(e => e.Offset), toc.Value.Entries.Select(e => e.Offset));
        foreach (var row in toc.Value.Entries)
        {
            var read = await again.Reader.ReadEntryAsync(new EntryPlace(toc.Value.Name, row.Offset, row.Length), CancellationToken.None);
            Assert.Equal(SpoolReadStatus.Found, read.Status);
            using var entry = read.Value!;
            Assert.Equal(id, entry.Message);
            Assert.Equal(row.Keys, entry.Keys);
            Assert.Equal(row.Domain == "two.example" ? ["b@two.example", "c@two.example"] : ["a@one.example"], entry.Envelope.Recipients.Select(r => r.Address));
            Assert.Equal(Mails.Sent(message, id), await Mails.ContentAsync(entry));
        }
    }

    [Fact]
    public async Task Open_ASecondTime_IsRefusedWithOneLine()
    {
        await using var first = await OpenAsync();
        var refused = await Assert.ThrowsAsync<StoreUnavailableException>(OpenAsync);
        Assert.Contains("in use by another process", refused.Message);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public async Task Ledger_AfterARestart_IsSealedAndHoldsItsRecords()
    {
        var record = new LedgerRecord { Key = new RecipientKey(1, 2, 3), Kind = LedgerKind.Delivered, Time = new StoreTime(5) };
        await using (var stores = await OpenAsync())
        {
            await using var ledger = stores.CreateLedger(null);
            await ledger.AppendAsync([record]);
        }

        await using var again = await OpenAsync();
        Assert.True(Assert.Single(await again.LedgerStore.ListAsync(CancellationToken.None).ToListAsync()).Sealed);
        Assert.Equal([(record.Key, record)], await new LedgerTrace(again.LedgerStore).FindAsync(new HashSet<RecipientKey> { record.Key }, CancellationToken.None).ToListAsync());
    }

    [Fact]
    public async Task Scratch_ALargeMessage_TravelsAloneAndComesBackEqual()
    {
        var content = new byte[3_000_001];
        new Random(1).NextBytes(content);
        await using var stores = await OpenAsync();
        CommittedPack? told = null;
        stores.Writer.Listener = new Listener(pack => told = pack);
        using var writer = stores.Scratch.TryCreate()!;
        Assert.True(await writer.AppendAsync(content.AsMemory(0, 1_000_000), CancellationToken.None));
        Assert.True(await writer.AppendAsync(content.AsMemory(1_000_000), CancellationToken.None));
        using var scratch = writer.Complete();
        var message = Mails.To("", "a@one.example", "b@two.example") with { Scratch = scratch };
        var receipt = await stores.Writer.CommitAsync(message, CancellationToken.None);
        Assert.Equal(CommitStatus.Committed, receipt.Status);
        Assert.Equal(2, told!.Entries.Count);
        foreach (var row in told.Entries)
        {
            var read = await stores.Reader.ReadEntryAsync(new EntryPlace(PackName.Birth(told.Id), row.Offset, row.Length), CancellationToken.None);
            using var entry = read.Value!;
            Assert.True(entry.ContentIsEightBit);
            Assert.Equal(entry.ContentLength, row.ContentLength);
            Assert.Equal(Mails.Sent(message with { Content = content }, receipt.Id), await Mails.ContentAsync(entry));
        }
    }

    private Task<EmbeddedStores> OpenAsync() => EmbeddedStores.OpenAsync(_data, Options, NullLoggerFactory.Instance, TimeProvider.System, CancellationToken.None);

    private sealed class Listener(Action<CommittedPack> told) : ICommitListener
    {
        public void OnCommitted(CommittedPack pack) => told(pack);
    }
}
