using System.Text;
using Angarium.Contracts.Admin;
using Angarium.Grains.Control;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.TestKit.Peers;
using Angarium.Unit.Grains.Control;
using Angarium.Unit.Grains.View;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Versions;

/// <summary>What silos store for themselves and their successors is what it was when it was published, and is read as what was written: of the next build too, in a rolling upgrade.</summary>
public sealed class SiloFormTests : IStanding
{
    private static readonly LedgerStream Stream = new(9, 1);
    private static readonly PackId Pack = new(7, 1);
    private static readonly StoreTime Created = new(1_800_000_000_000);

    private static readonly LedgerRecord Decision = new()
    {
        Key = new RecipientKey(7, 1, 5), Kind = LedgerKind.Failed, Time = new StoreTime(1_800_000_300_000), Attempt = 2, Own = true, Remote = "mx.example",
        Reply = new Reply(550, new EnhancedStatus(5, 1, 1), "no such user"),
    };

    private const string Checkpoint =
        "414e475630303031010000000900000000000000010000007800000000000000010100000007000000000000000100000000505c18a301000002000000020401000000000000"
        + "000000000700000001000503e0e36018a301000002000000010a6d782e6578616d706c65012602000005010001000c6e6f207375636820757365726f3d5b5f44cadf28";

    public bool IsConfirmed => true;

    public bool IsSoleProcess => false;

    [Fact]
    public async Task Checkpoint_IsStoredAsPublished()
    {
        var all = new ViewsUnderTest();
        var silo = await StartAsync(all);
        await silo.Open();
        silo.View.Listed(all.Now, [new PackListing(PackName.Birth(Pack), 100, Created)]);
        await all.Until(silo.View.CheckpointAsync(TimeSpan.FromDays(30), default));
        Assert.Equal(Checkpoint, Convert.ToHexStringLower((await all.Documents.ReadAsync("view/00000000000000000001", default))!.Content.Span));
    }

    [Fact]
    public async Task Checkpoint_AsPublished_IsReadAsWhatWasWritten()
    {
        var all = new ViewsUnderTest();
        var silo = await StartAsync(all);
        await all.Documents.WriteAsync("view/00000000000000000001", Convert.FromHexString(Checkpoint), null, default);
        await silo.Open();
        Assert.Equal([RecipientBits.Finished, RecipientBits.None, RecipientBits.Decided], new ushort[] { 0, 1, 5 }.Select(o => silo.View.Bits(new RecipientKey(7, 1, o))));
        Assert.Equal(Decision, silo.View.Decision(Decision.Key));
        Assert.Equal(Created, silo.View.Born(Decision.Key));
        Assert.DoesNotContain(Stream, all.Ledger.Reads);
        Assert.Empty(silo.Log.All);
    }

    [Fact]
    public async Task ControlDocuments_AreStoredAsPublished()
    {
        var documents = new MemoryDocuments();
        HashSet<RecipientKey> messages = [new(1, 2, 3), new(1, 2, 0)];
        await new ControlDocuments(documents, this).ChangeAsync("a.example", c => c with { Held = true, HeldMessages = messages }, default);
        Assert.Equal("{\"domain\":\"a.example\",\"held\":true,\"messages\":[\"aaaaaaaaaaaacaaaaabaaaa\",\"aaaaaaaaaaaacaaaaabaaay\"]}", await TextAsync(documents, "control/b8e7453371a024daae06f3164492c0af"));
        Assert.Equal("{\"version\":1,\"count\":1,\"domains\":[\"a.example\"]}", await TextAsync(documents, "control/changes"));
        var read = await new ControlDocuments(documents, this).LoadAsync("a.example", default);
        Assert.True(read.Held);
        Assert.Equal(messages, read.HeldMessages);
    }

    [Fact]
    public async Task Suspensions_AreStoredAsPublished()
    {
        var documents = new MemoryDocuments();
        var clock = new PlainClock(new FakeTimeProvider(DateTimeOffset.UnixEpoch + TimeSpan.FromMilliseconds(1_800_000_000_000)));
        var written = new Suspensions(documents, clock, this);
        Suspension[] all = [new() { Kind = SuspensionKind.Site, Name = "mx:mx.example", Until = new StoreTime(1_800_000_300_000), Since = Created, Actor = "operator", Reason = "asked" }, new() { Kind = SuspensionKind.Source, Name = "192.0.2.1", Actor = "administrator" }];
        await written.ChangeAsync(_ => all, default);
        Assert.Equal("{\"version\":1,\"suspensions\":[{\"kind\":\"Site\",\"name\":\"mx:mx.example\",\"until\":1800000300000,\"since\":1800000000000,\"actor\":\"operator\",\"reason\":\"asked\"},"
            + "{\"kind\":\"Source\",\"name\":\"192.0.2.1\",\"until\":0,\"since\":0,\"actor\":\"administrator\",\"reason\":\"\"}]}", await TextAsync(documents, "control/suspensions"));
        var read = new Suspensions(documents, clock, this);
        await read.RefreshAsync(default);
        Assert.Equal(all, read.Current!.All);
    }

    [Fact]
    public async Task OperatorsAudit_IsStoredAsPublished()
    {
        var documents = new MemoryDocuments();
        var audit = new OperatorAudit(documents, new FakeTimeProvider(DateTimeOffset.UnixEpoch + TimeSpan.FromMilliseconds(1_800_000_000_000)));
        await audit.NoteAsync("administrator", "hold", "domain a.example", null, default);
        await audit.NoteAsync("operator", "drop", "tenant t1", "asked", default);
        Assert.Equal("{\"version\":1,\"count\":2,\"latest\":[{\"change\":1,\"time\":\"2027-01-15T08:00:00+00:00\",\"actor\":\"administrator\",\"action\":\"hold\",\"target\":\"domain a.example\"},"
            + "{\"change\":2,\"time\":\"2027-01-15T08:00:00+00:00\",\"actor\":\"operator\",\"action\":\"drop\",\"target\":\"tenant t1\",\"detail\":\"asked\"}]}", await TextAsync(documents, "operators/audit"));
    }

    [Fact]
    public async Task WorkersOfAPool_AreStoredAsPublished()
    {
        var documents = new MemoryDocuments();
        var register = new WorkerRegister(documents, this);
        await register.ClaimAsync("default", ulong.MaxValue, new StoreTime(5), default);
        Assert.True(await register.SaveAsync("default", ulong.MaxValue, ["w1", "w2"], default));
        Assert.Equal("{\"version\":1,\"owner\":18446744073709551615,\"workers\":[\"w1\",\"w2\"],\"claim\":5}", await TextAsync(documents, "pools/64656661756c74"));
    }

    [Fact]
    public void IndexMember_IsStoredAsPublished()
    {
        var member = new IndexMember(new RecipientKey(0x0102030405060708, 0x090a0b0c, 0x0d0e), 0x0f101112, 0x13141516, 0x1718);
        var octets = new byte[IndexMember.Size];
        member.Write(octets);
        Assert.Equal("0102030405060708090a0b0c0d0e0f101112131415161718", Convert.ToHexStringLower(octets));
        Assert.Equal(member, IndexMember.Read(octets));
    }

    /// <summary>A silo beside a stream that has ended.</summary>
    private static async Task<ViewsUnderTest.Silo> StartAsync(ViewsUnderTest all)
    {
        var buffer = new byte[2048];
        LedgerRecord[] records = [new() { Key = new RecipientKey(7, 1, 0), Kind = LedgerKind.Delivered, Time = Created }, Decision];
        await all.Ledger.AppendAsync(Stream, 0, buffer.AsMemory(0, LedgerWriter.Encode(buffer, records, Stream, 0)), default);
        await all.Ledger.SealAsync(Stream, default);
        return all.Start("a");
    }

    private static async Task<string> TextAsync(IDocumentStore documents, string name) => Encoding.UTF8.GetString((await documents.ReadAsync(name, default))!.Content.Span);
}
