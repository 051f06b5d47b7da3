using Angarium.Contracts.DomainQueues;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using static Angarium.Unit.Grains.DomainQueues.QueueUnderTest;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>One activation among others that may exist: what it may do without being sure of row and token, and what the outside may do to it (design rules 6, 8, 11, 14 to 16, 20).</summary>
public class DomainQueueInClusterTests
{
    [Fact]
    public async Task Exchange_WhileTheIndexIsAway_FreshMailFlowsAndWhatWasReadBackLeavesMemory()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(3);
        await q.After(TimeSpan.FromSeconds(80));
        Assert.Equal(0, q.Queue.CountUnindexed());
        q.Way.IsAway = true;
        await q.After(TimeSpan.FromSeconds(11));
        var fresh = q.Offer(1);
        var answer = await q.Exchange(10);
        Assert.Equal(fresh, answer.Grants.SelectMany(g => g.Keys));
        var calls = q.Way.Calls;
        await q.Exchange(10, outcomes: Outcome(answer.Grants[0], OutcomeKind.Delivered));
        Assert.Equal(calls, q.Way.Calls);
        q.Way.IsAway = false;
        await q.After(TimeSpan.FromSeconds(15));
        Assert.Equal(3, (await q.Exchange(10)).Grants.Length);
    }

    [Fact]
    public async Task Lease_OfFreshMailWithoutAToken_EndsBeforeAnotherCouldGrantIt()
    {
        var q = new QueueUnderTest(isSole: false);
        var began = q.Clock.Now;
        q.Offer(1);
        await q.After(TimeSpan.FromSeconds(9));
        q.Way.IsAway = true;
        await q.After(TimeSpan.FromSeconds(19));
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        Assert.Equal(began + TimeSpan.FromSeconds(40), grant.Deadline);
        var renewed = await q.Queue.RenewAsync(new RenewRequest { Worker = "w", SentAt = q.Clock.Now, Leases = [new HeldLease { Lease = grant.Lease, Place = grant.Place, Keys = grant.Keys }] });
        Assert.Empty(renewed.Renewed);
        q.Way.IsAway = false;
        await q.After(TimeSpan.FromSeconds(5), grant);
        renewed = await q.Queue.RenewAsync(new RenewRequest { Worker = "w", SentAt = q.Clock.Now, Leases = [new HeldLease { Lease = grant.Lease, Place = grant.Place, Keys = grant.Keys }] });
        Assert.Equal([grant.Lease], renewed.Renewed);
    }

    [Fact]
    public async Task ReadBack_IsGrantedOnlyAfter35Seconds()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        await q.After(TimeSpan.FromSeconds(31));
        Assert.Empty((await q.Exchange(1)).Grants);
        // The token was written when the entry was, after ten seconds.
        await q.After(TimeSpan.FromSeconds(13));
        Assert.Empty((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromSeconds(3));
        Assert.Single((await q.Exchange(1)).Grants);
    }

    /// <summary>Design rule 13: only a listing begun after the reading shows that no pack holds it; one that began with it may have missed a copy that appeared since.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public async Task ReadBack_InNoListing_IsStruckWhenThatBeganAfterTheReading(int milliseconds, int left)
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        // No longer fresh: it goes to the index and is read back in the same moment.
        await q.After(TimeSpan.FromSeconds(30));
        q.Where = _ => null;
        q.ListedFrom = q.Clock.Now + TimeSpan.FromMilliseconds(milliseconds);
        Assert.Equal(left, (await q.Exchange(1)).Grants.Length);
        Assert.Equal(left, q.Index.Count);
        Assert.Empty(q.Records);
    }

    [Fact]
    public async Task ReadBack_InAMovedPack_IsGrantedFromThere()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        await q.After(TimeSpan.FromSeconds(30));
        var moved = new EntryPlace(new PackName(PackKind.Moved, 3, 4), 16, 100);
        q.Where = _ => moved;
        q.ListedFrom = q.Clock.Now + TimeSpan.FromSeconds(1);
        Assert.Equal(moved, Assert.Single((await q.Exchange(1)).Grants).Place);
    }

    [Fact]
    public async Task Failure_UnderALeaseOfADeposedOwner_IsNotDecided()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        await q.After(TimeSpan.FromSeconds(60));
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromSeconds(11), grant);
        await q.TakeOver();
        await q.After(TimeSpan.FromSeconds(6));
        Assert.False((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Failed))).Acknowledged);
        Assert.DoesNotContain(q.Records, r => r.Decides);
        Assert.True(q.Queue.IsDeposed);
    }

    [Fact]
    public async Task Report_WhileTheRowIsNotConfirmed_IsRecordedAndNotAcknowledged()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        q.IsConfirmed = false;
        Assert.False((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        Assert.Equal(LedgerKind.Delivered, Assert.Single(q.Records).Kind);
        q.IsConfirmed = true;
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        Assert.Single(q.Records);
    }

    [Fact]
    public async Task Token_IsNotTakenWhileTheRowIsNotConfirmed()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        q.IsConfirmed = false;
        await q.After(TimeSpan.FromSeconds(40));
        await q.Queue.StopAsync();
        Assert.Equal(0, q.Way.Calls);
    }

    [Fact]
    public async Task Stop_WritesWhatIsInMemoryAndLeavesTheTokenToNobody()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(2_500);
        await q.Exchange(1);
        await q.Queue.StopAsync();
        Assert.Equal(2_500, q.Index.Count);
        var second = await q.Index.WriteAsync("one.test", new Angarium.Grains.Index.IndexOwner(3, 1), [], CancellationToken.None);
        Assert.Equal(Angarium.Grains.Index.IndexWriteStatus.Deposed, second);
    }

    /// <summary>The row of a silo that stops is not active any more; it is still nobody else's turn.</summary>
    [Fact]
    public async Task Stop_OfASiloWhoseRowSaysSo_WritesWhatIsInMemory()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(5);
        (q.IsConfirmed, q.IsStopping) = (false, true);
        await q.Queue.StopAsync();
        Assert.Equal(5, q.Index.Count);
    }

    /// <summary>Work that ends after the activation has left takes nothing from its successor.</summary>
    [Fact]
    public async Task Stop_WorkThatEndsLater_LeavesTheSuccessorItsToken()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromSeconds(12), grant);
        Assert.Equal(1, q.Index.Count);
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var report = q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered));
        await q.Queue.StopAsync();
        var owner = new Angarium.Grains.Index.IndexOwner(999, (await q.Index.TakeAsync("one.test", 999, CancellationToken.None)).Run);
        pause.SetResult();
        await report;
        await q.After(TimeSpan.FromSeconds(5));
        Assert.Equal(Angarium.Grains.Index.IndexWriteStatus.Done, await q.Index.WriteAsync("one.test", owner, [], CancellationToken.None));
    }

    /// <summary>The lease of another activation ends while a report of it waits for the token: it is acknowledged when it is recorded, not before.</summary>
    [Fact]
    public async Task Report_WhileItsLeaseEnds_IsAcknowledgedOnlyWhenRecorded()
    {
        var q = new QueueUnderTest(isSole: false);
        var grant = new Grant { Lease = 5, Place = new EntryPlace(new PackName(PackKind.Birth, 9, 1), 16, 100), Keys = [new RecipientKey(9, 1, 0)] };
        var held = new HeldLease { Lease = grant.Lease, Place = grant.Place, Keys = grant.Keys };
        Assert.Single((await q.Queue.RenewAsync(new RenewRequest { Worker = "w", SentAt = q.Clock.Now, Leases = [held] })).Renewed);
        q.Time.Advance(TimeSpan.FromSeconds(24));
        var (confirming, recording) = (new TaskCompletionSource(), new TaskCompletionSource());
        (q.Way.Pause, q.LedgerPause) = (confirming.Task, recording.Task);
        var delivered = Outcome(grant, OutcomeKind.Delivered);
        var report = q.Exchange(0, outcomes: delivered);
        q.Time.Advance(TimeSpan.FromSeconds(2));
        q.Queue.Tick();
        confirming.SetResult();
        Assert.False((await report).Acknowledged);
        recording.SetResult();
        Assert.True((await q.Exchange(0, outcomes: delivered)).Acknowledged);
        Assert.Equal([LedgerKind.LeaseLost, LedgerKind.Delivered], q.Records.Select(r => r.Kind));
    }

    /// <summary>One report of two leases, of which one needs the token confirmed: the other may end meanwhile.</summary>
    [Fact]
    public async Task Report_OfTwoLeases_OneEndsMeanwhile_BothAreRecorded()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromSeconds(12), grant);
        q.Time.Advance(TimeSpan.FromSeconds(19));
        var confirming = new TaskCompletionSource();
        q.Way.Pause = confirming.Task;
        var other = new Grant { Lease = 5, Place = grant.Place, Keys = [new RecipientKey(9, 1, 0)] };
        var report = q.Exchange(0, outcomes: [Outcome(grant, OutcomeKind.Delivered), Outcome(other, OutcomeKind.Delivered)]);
        q.Time.Advance(TimeSpan.FromSeconds(7));
        q.Queue.Tick();
        confirming.SetResult();
        await report;
        Assert.False(q.Queue.IsDeposed);
        Assert.Equal(2, q.Records.Count(r => r.Kind == LedgerKind.Delivered));
    }

    [Fact]
    public async Task Holds_ThatCannotBeReadOrAreNonsense_StopGrantsAndNothingElse()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        foreach (var trouble in new Exception[] { new IOException("x"), new InvalidDataException("x"), new TimeoutException("x") })
        {
            q.LoadTrouble = trouble;
            q.ControlVersion++;
            Assert.Empty((await q.Exchange(1)).Grants);
            Assert.False(q.Queue.IsDeposed);
        }

        q.LoadTrouble = null;
        await q.After(TimeSpan.FromSeconds(8));
        Assert.Single((await q.Exchange(1)).Grants);
    }

    [Fact]
    public async Task Hold_OrderedElsewhere_CountsAtTheNextGrant()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(2);
        Assert.Single((await q.Exchange(1)).Grants);
        q.Document = new DomainControl { Held = true };
        q.ControlVersion++;
        Assert.Empty((await q.Exchange(1)).Grants);
        q.Queue.Tick();
        q.Document = DomainControl.None;
        q.ControlVersion++;
        q.Queue.Tick();
        Assert.Single((await q.Exchange(1)).Grants);
    }

    [Fact]
    public async Task Commands_WhileTheIndexIsAway_SaySo()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Offer(1);
        await q.After(TimeSpan.FromSeconds(15));
        q.Way.IsAway = true;
        await q.After(TimeSpan.FromSeconds(6));
        var shown = await q.Queue.ShowAsync(10);
        Assert.True(shown.IndexAway);
        await Assert.ThrowsAsync<IOException>(() => q.Queue.RetryAsync(null));
        await Assert.ThrowsAsync<IOException>(() => q.Queue.DropAsync(null, "x"));
        await q.Queue.ReleaseAsync(null);
        Assert.False(q.Queue.IsDeposed);
    }

    [Fact]
    public async Task Drop_RightAfterATakeOver_IsRefusedUntilNobodyElseCanBeAtIt()
    {
        var q = new QueueUnderTest(isSole: false);
        Assert.Contains("35 s", (await Assert.ThrowsAsync<IOException>(() => q.Queue.DropAsync(null, "x"))).Message, StringComparison.Ordinal);
        await q.After(TimeSpan.FromSeconds(36));
        Assert.Equal(0, await q.Queue.DropAsync(null, "x"));
    }

    [Fact]
    public async Task Offer_WhileTheIndexIsAwayForLong_IsRefusedForWantOfRoomAndMemoryStaysBounded()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 100 }, isSole: false) { IsConfirmed = true };
        q.Way.IsAway = true;
        var refused = 0;
        for (uint pack = 1; pack <= 500; pack++)
        {
            var keys = Enumerable.Range(0, 100).Select(i => new RecipientKey(8, pack, (ushort)i)).ToArray();
            refused += q.Queue.Offer(new Offer
            {
                SentAt = q.Clock.Now, CommitBegan = q.Clock.Now, Pack = new PackName(PackKind.Birth, 8, pack),
                Entries = [.. keys.Select((k, i) => new OfferedEntry { Offset = (uint)(i * 100 + 16), Length = 100, Tenant = "t", Keys = [k], Born = q.Clock.Now, Message = k })],
            }).Refused;
            await q.After(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(q.Queue.CountUnindexed(), 1, 20_200);
        Assert.InRange(refused, 25_000, 50_000);
    }
}
