using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Routing;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Notices;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using static Angarium.Unit.Grains.DomainQueues.QueueUnderTest;

namespace Angarium.Unit.Grains.DomainQueues;

public class DomainQueueTests
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Offer_OfNewMail_IsGrantedOnceAndDelivered()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(2);
        var answer = await q.Exchange(10);
        Assert.Equal(keys, answer.Grants.SelectMany(g => g.Keys));
        Assert.All(answer.Grants, g => Assert.Equal((1, q.Clock.Now + DomainQueue.LeaseTime), (g.Attempt, g.Deadline)));
        var dry = await q.Exchange(10, outcomes: [.. answer.Grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
        Assert.Equal((true, ExchangeNext.Dry), (dry.Acknowledged, dry.Next));
        Assert.Equal([LedgerKind.Delivered, LedgerKind.Delivered], q.Records.Select(r => r.Kind));
        await q.After(TimeSpan.FromSeconds(40));
        Assert.True(q.Queue.IsIdle);
        Assert.Equal(0, q.Index.Count);
    }

    [Fact]
    public async Task Exchange_Repeated_GetsTheSameAnswer()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var request = new ExchangeRequest { Session = 5, Number = 1, SentAt = q.Clock.Now, Worker = "w", Site = "site", Want = 1, MaxRecipients = 100 };
        var first = await q.Queue.ExchangeAsync(request);
        Assert.Same(first, await q.Queue.ExchangeAsync(request));
        Assert.Single(first.Grants);
    }

    /// <summary>Design rule 18: what is dated more than 5 s from here is refused, the repeat of an exchange as well as the first.</summary>
    [Theory]
    [InlineData(-6)]
    [InlineData(6)]
    public async Task Call_DatedOtherwise_IsRefused(int seconds)
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var wrong = q.Clock.Now + TimeSpan.FromSeconds(seconds);
        var request = new ExchangeRequest { Session = 5, Number = 1, SentAt = wrong, Worker = "w", Site = "site", Want = 1, MaxRecipients = 100 };
        Assert.False((await q.Queue.ExchangeAsync(request)).Acknowledged);
        var answer = await q.Queue.ExchangeAsync(request with { SentAt = q.Clock.Now });
        var grant = Assert.Single(answer.Grants);
        Assert.False((await q.Queue.ExchangeAsync(request)).Acknowledged);
        Assert.Same(answer, await q.Queue.ExchangeAsync(request with { SentAt = q.Clock.Now }));
        var renewal = new RenewRequest { Worker = "w", SentAt = wrong, Leases = [new HeldLease { Lease = grant.Lease, Place = grant.Place, Keys = grant.Keys }] };
        Assert.Empty((await q.Queue.RenewAsync(renewal)).Renewed);
        Assert.Single((await q.Queue.RenewAsync(renewal with { SentAt = q.Clock.Now })).Renewed);
    }

    [Fact]
    public async Task Deferral_WaitsForTheSchedule_AndCountsAttempts()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var grant = Assert.Single((await q.Exchange(1)).Grants);
            Assert.Equal(attempt, grant.Attempt);
            Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred))).Acknowledged);
            var delay = new GrainsOptions().RetrySchedule[attempt - 1];
            await q.After(delay - TimeSpan.FromSeconds(2));
            Assert.Empty((await q.Exchange(1)).Grants);
            await q.After(TimeSpan.FromSeconds(3));
        }
    }

    [Fact]
    public async Task Failure_IsDecidedThenToldThenFinished()
    {
        var q = new QueueUnderTest();
        var key = Assert.Single(q.Offer(1));
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Failed));
        Assert.Equal([LedgerKind.Failed, LedgerKind.Finished], q.Records.Select(r => r.Kind).Where(k => k is LedgerKind.Failed or LedgerKind.Finished));
        Assert.Equal((NoticeKind.Failed, key), (q.Notices[0].Kind, Assert.Single(q.Notices[0].Keys)));
    }

    [Fact]
    public async Task Expiry_EndsAMessageThatIsStillDeferred()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, RetryExpire = TimeSpan.FromMinutes(12) });
        q.Offer(1);
        for (var i = 0; i < 3; i++)
        {
            await q.Exchange(0, outcomes: Outcome(Assert.Single((await q.Exchange(1)).Grants), OutcomeKind.Deferred));
            await q.After(TimeSpan.FromMinutes(i == 0 ? 5.1 : 10.1));
        }

        Assert.Equal(LedgerKind.Expired, q.Records.First(r => r.Decides).Kind);
        Assert.Equal(NoticeKind.Expired, Assert.Single(q.Notices).Kind);
        Assert.Empty((await q.Exchange(1)).Grants);
    }

    /// <summary>A worker may have had it when it was held: its report of a failed attempt is no decision until it is released and tried again (design rule 20).</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Expiry_DeferredWhileHeld_WaitsForItsRelease(bool domain)
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, RetryExpire = TimeSpan.FromMinutes(1) });
        var key = q.Offer(1)[0];
        RecipientKey? held = domain ? null : key;
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromMinutes(1), grant);
        await q.Queue.HoldAsync(held);
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred))).Acknowledged);
        Assert.Equal(LedgerKind.Deferred, Assert.Single(q.Records, r => r.Kind != LedgerKind.Held).Kind);
        await q.Queue.ReleaseAsync(held);
        await q.After(FirstDelay + TimeSpan.FromSeconds(1));
        await q.Exchange(0, outcomes: Outcome(Assert.Single((await q.Exchange(1)).Grants), OutcomeKind.Deferred));
        Assert.Equal(NoticeKind.Expired, Assert.Single(q.Notices).Kind);
    }

    /// <summary>Design rule 6: expiry without an attempt needs age, and a connection of the site that failed since this was taken up.</summary>
    [Fact]
    public async Task Expiry_SiteHasFailedSince_EndsWhatIsOldEnough()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, RetryExpire = TimeSpan.FromSeconds(15) });
        var before = q.Clock.Now - TimeSpan.FromSeconds(1);
        var old = q.Offer(1)[0];
        await q.After(TimeSpan.FromSeconds(16));
        q.SiteFails(before);
        Assert.Empty(q.Records);
        var young = q.Offer(1)[0];
        await q.After(TimeSpan.FromSeconds(1));
        q.SiteFails();
        Assert.Equal([(old, LedgerKind.Expired), (old, LedgerKind.Finished)], q.Records.Select(r => (r.Key, r.Kind)));
        Assert.Equal(NoticeKind.Expired, Assert.Single(q.Notices).Kind);
        Assert.Equal([young], Assert.Single((await q.Exchange(5)).Grants).Keys);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Expiry_SiteHasFailedSince_LeavesWhatIsHeld(bool domain)
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, RetryExpire = TimeSpan.FromSeconds(15) });
        var keys = q.Offer(2);
        await q.Queue.HoldAsync(domain ? null : keys[0]);
        await q.After(TimeSpan.FromSeconds(16));
        q.SiteFails();
        Assert.Equal(domain ? [] : [keys[1]], q.Records.Where(r => r.Kind == LedgerKind.Expired).Select(r => r.Key));
        await q.Queue.ReleaseAsync(domain ? null : keys[0]);
        await q.After(TimeSpan.FromSeconds(1));
        q.SiteFails();
        Assert.Equal(keys.Order(), q.Records.Where(r => r.Kind == LedgerKind.Expired).Select(r => r.Key).Order());
    }

    [Fact]
    public async Task Lease_WithoutReport_EndsAfter20Seconds_IsRecordedAndTriedAgain()
    {
        var q = new QueueUnderTest();
        var key = Assert.Single(q.Offer(1));
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromSeconds(19));
        Assert.Empty(q.Records);
        await q.After(TimeSpan.FromSeconds(2));
        var lost = Assert.Single(q.Records);
        Assert.Equal((LedgerKind.LeaseLost, true, key), (lost.Kind, lost.PossibleDuplicate, lost.Key));
        var again = Assert.Single((await q.Exchange(1, session: 2, worker: "v")).Grants);
        Assert.NotEqual(grant.Lease, again.Lease);

        // The first worker's delivery is a fact whoever holds the lease now; its deferral would change nothing.
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        Assert.Contains(q.Records, r => r.Kind == LedgerKind.Delivered && r.Key == key);
    }

    [Fact]
    public async Task Lease_Renewed_Stays()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromMinutes(3), grant);
        Assert.Empty(q.Records);
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        Assert.Equal(LedgerKind.Delivered, Assert.Single(q.Records).Kind);
    }

    [Fact]
    public async Task Lease_RenewedByAnotherWorker_IsNotRenewed()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        var answer = await q.Queue.RenewAsync(new RenewRequest { Worker = "thief", SentAt = q.Clock.Now, Leases = [new HeldLease { Lease = grant.Lease, Place = grant.Place, Keys = grant.Keys }] });
        Assert.Empty(answer.Renewed);
    }

    [Fact]
    public async Task Lease_LostFiveTimes_HoldsTheMessage()
    {
        var q = new QueueUnderTest();
        var key = Assert.Single(q.Offer(1));
        for (var i = 0; i < 5; i++)
        {
            Assert.Single((await q.Exchange(1, session: (ulong)i + 1)).Grants);
            await q.After(TimeSpan.FromSeconds(25));
        }

        Assert.Equal([key], q.Document.HeldMessages);
        Assert.Empty((await q.Exchange(1, session: 9)).Grants);
        await q.Queue.ReleaseAsync(key);
        // Whoever follows the ledger is told, and whose it is.
        Assert.Equal([(key, LedgerKind.Held), (key, LedgerKind.Released)], q.Records.Where(r => r.Kind is LedgerKind.Held or LedgerKind.Released).Select(r => (r.Key, r.Kind)));
        Assert.All(q.Records.Where(r => r.Kind is LedgerKind.Held or LedgerKind.Released), r => Assert.False(string.IsNullOrEmpty(r.Summary!.Tenant) || r.MayBeFirst));
        await q.After(TimeSpan.FromSeconds(2));
        Assert.Single((await q.Exchange(1, session: 9)).Grants);
    }

    [Fact]
    public async Task Report_RepeatedAfterItsLease_IsAcknowledgedAndRecordedOnce()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        var outcome = Outcome(grant, OutcomeKind.Deferred);
        Assert.True((await q.Exchange(0, outcomes: outcome)).Acknowledged);
        Assert.True((await q.Exchange(0, outcomes: outcome)).Acknowledged);
        Assert.Single(q.Records);
    }

    [Fact]
    public async Task Report_WhenTheLedgerFails_IsNotAcknowledgedAndTakenLater()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        q.LedgerTrouble = new IOException("no");
        Assert.False((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        q.LedgerTrouble = null;
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        Assert.Equal(LedgerKind.Delivered, Assert.Single(q.Records).Kind);
    }

    /// <summary>The record of it is older than whatever is granted after it.</summary>
    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public async Task Report_OfADeliveryAfterItsLease_IsRecordedBeforeItsRecipientIsGranted(bool failsLedger, int grantsLater)
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromMinutes(2));
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        q.LedgerTrouble = failsLedger ? new IOException("no") : null;
        var late = q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered));
        Assert.Equal((ExchangeNext.Wait, 0), await Asked());
        pause.SetResult();
        Assert.Equal(!failsLedger, (await late).Acknowledged);
        q.LedgerTrouble = null;
        Assert.Equal(grantsLater, (await Asked()).Count);

        async Task<(ExchangeNext, int Count)> Asked()
        {
            var answer = await q.Exchange(1, session: 2);
            return (answer.Next, answer.Grants.Length);
        }
    }

    /// <summary>Too old, at a site that has failed: what is being recorded as delivered is not given up, and a repeat of the report is neither recorded again nor acknowledged before the first is.</summary>
    [Fact]
    public async Task Report_OfADeliveryAfterItsLease_KeepsItFromExpiringAndIsRecordedOnce()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, RetryExpire = TimeSpan.FromSeconds(15) });
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromMinutes(2));
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var late = q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered));
        q.SiteFails();
        await q.After(TimeSpan.FromSeconds(2));
        Assert.False((await q.Exchange(0, session: 2, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        pause.SetResult();
        Assert.True((await late).Acknowledged);
        Assert.True((await q.Exchange(0, session: 2, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        Assert.Equal([LedgerKind.LeaseLost, LedgerKind.Delivered], q.Records.Select(r => r.Kind));
        Assert.Empty(q.Notices);
    }

    /// <summary>Tried again by another, and refused, while the delivery is being recorded: it was delivered.</summary>
    [Fact]
    public async Task Report_OfAFailureWhileADeliveryIsRecorded_DecidesNothing()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var first = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromMinutes(2));
        var second = Assert.Single((await q.Exchange(1, session: 2, worker: "w2")).Grants);
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var late = q.Exchange(0, outcomes: Outcome(first, OutcomeKind.Delivered));
        Assert.False((await q.Exchange(0, session: 2, worker: "w2", outcomes: Outcome(second, OutcomeKind.Failed))).Acknowledged);
        pause.SetResult();
        Assert.True((await late).Acknowledged);
        Assert.True((await q.Exchange(0, session: 2, worker: "w2", outcomes: Outcome(second, OutcomeKind.Failed))).Acknowledged);
        Assert.Equal([LedgerKind.LeaseLost, LedgerKind.Delivered], q.Records.Select(r => r.Kind));
        Assert.Empty(q.Notices);
    }

    /// <summary>A report half taken would keep its lease for ever, neither ended nor acknowledged: whatever nobody foresaw ends the activation, and the worker repeats it to the next.</summary>
    [Fact]
    public async Task Report_BreaksUnforeseen_EndsTheActivation()
    {
        var q = new QueueUnderTest { LedgerTrouble = new InvalidOperationException("a defect") };
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await Assert.ThrowsAsync<InvalidOperationException>(() => q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered)));
        Assert.True(q.Queue.IsDeposed);
    }

    [Fact]
    public async Task Returned_IsDueAgainAtOnce_WithoutAnAttempt()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Returned));
        await q.After(TimeSpan.FromSeconds(2));
        Assert.Equal(1, Assert.Single((await q.Exchange(1)).Grants).Attempt);
        Assert.Empty(q.Records);
    }

    [Fact]
    public async Task Outcomes_PerRecipient_SplitTheEntry()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(1, recipients: 3);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.Exchange(0, outcomes: [Outcome(grant, OutcomeKind.Delivered, keys[0]), Outcome(grant, OutcomeKind.Failed, keys[1]), Outcome(grant, OutcomeKind.Deferred, keys[2])]);
        await q.After(FirstDelay + TimeSpan.FromSeconds(1));
        Assert.Equal([keys[2]], Assert.Single((await q.Exchange(5)).Grants).Keys);
    }

    [Fact]
    public async Task Grant_OfMoreRecipientsThanFit_IsCutInPieces()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(1, recipients: 250);
        var grants = (await q.Exchange(10, most: 100)).Grants;
        Assert.Equal([100, 100, 50], grants.Select(g => g.Keys.Length));
        Assert.Equal(keys, grants.SelectMany(g => g.Keys));
    }

    [Fact]
    public async Task Lanes_OfTenants_ShareByTurns()
    {
        var q = new QueueUnderTest();
        q.Offer(1_000, "loud");
        var quiet = q.Offer(20, "quiet").ToHashSet();
        var first = (await q.Exchange(60)).Grants;
        // Deficit round robin: of sixty grants the quiet tenant has its twenty, although the loud one came first with a thousand.
        Assert.Equal(20, first.Count(g => quiet.Contains(g.Keys[0])));
    }

    [Fact]
    public async Task Window_FullOfOneTenant_HasRoomForTheFreshMailOfAnother()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 16 });
        q.Offer(500, "big");
        var single = q.Offer(1, "small")[0];
        // One of each lane is served within two rounds of ten.
        var granted = new List<RecipientKey>();
        for (var i = 0; i < 3; i++) granted.AddRange((await q.Exchange(10, session: (ulong)i)).Grants.SelectMany(g => g.Keys));
        Assert.InRange(granted.IndexOf(single), 0, 20);
    }

    [Fact]
    public async Task Window_FullOfOneTenant_HasRoomForWhatAnotherHasDueInTheIndex()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 16, RetrySchedule = [FirstDelay] });
        var single = q.Offer(1, "small")[0];
        var grant = (await q.Exchange(1)).Grants.Single();
        await q.Exchange(0, outcomes: QueueUnderTest.Outcome(grant, OutcomeKind.Deferred));
        // Comes as the other's retry is about to be due, and fills the window.
        await q.After(FirstDelay - TimeSpan.FromSeconds(1));
        q.Offer(5_000, "big");
        await q.After(TimeSpan.FromSeconds(4));
        var granted = new List<RecipientKey>();
        for (var i = 0; i < 3; i++) granted.AddRange((await q.Exchange(10, session: (ulong)i)).Grants.SelectMany(g => g.Keys));
        Assert.InRange(granted.IndexOf(single), 0, 20);
    }

    [Fact]
    public async Task Window_ManyTenants_IsSharedInTurnWhenItIsReadBack()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 100, RetrySchedule = [FirstDelay] });
        for (var tenant = 0; tenant < 10; tenant++) q.Offer(tenant == 0 ? 2_000 : 3, "t" + tenant);
        await q.After(TimeSpan.FromSeconds(45));
        var granted = new List<RecipientKey>();
        for (var i = 0; i < 15; i++) granted.AddRange((await q.Exchange(10, session: (ulong)i)).Grants.SelectMany(g => g.Keys));
        Assert.Equal(27, granted.Count(k => k.Pack > 1));
    }

    /// <summary>Rule 8: what the index has no room for waits in memory, and does not keep from delivery what makes room.</summary>
    [Fact]
    public async Task Index_Full_IsReadAndEmptiedAllTheSame()
    {
        var q = new QueueUnderTest { MaxRecipients = 1_000 };
        q.Offer(1_500);
        // Nobody takes any of it, and none of it is fresh any more.
        await q.After(TimeSpan.FromSeconds(40));
        Assert.Equal(1_000, q.Index.Count);
        var delivered = 0;
        for (var i = 0; i < 300 && delivered < 1_500; i++)
        {
            var grants = (await q.Exchange(100)).Grants;
            delivered += grants.Length;
            if (grants.Length == 0) await q.After(TimeSpan.FromSeconds(1));
            else await q.Exchange(0, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
        }

        await q.After(TimeSpan.FromSeconds(10));
        Assert.Equal((1_500, 0L), (delivered, q.Index.Count));
    }

    /// <summary>An entry of many recipients that is tried in parts is in the index and ages as a whole (design rule 11).</summary>
    [Fact]
    public async Task Entry_TriedInParts_IsInTheIndexAsAWhole()
    {
        var q = new QueueUnderTest();
        q.Offer(1, recipients: 500);
        var grant = Assert.Single((await q.Exchange(1, most: 100)).Grants);
        await q.After(TimeSpan.FromSeconds(11), grant);
        Assert.Equal(500, q.Index.Count);
        await q.After(TimeSpan.FromSeconds(25), grant);
        Assert.Equal(0, q.Queue.CountUnindexed());
    }

    [Fact]
    public async Task Background_WorkThatEnds_SaysThatTheNextTickMayBeSooner()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        Assert.Single((await q.Exchange(1)).Grants);
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        await q.After(TimeSpan.FromSeconds(25));
        var changed = 0;
        q.Queue.Changed = () => changed++;
        pause.SetResult();
        Assert.Equal(1, changed);
        Assert.Equal(LedgerKind.LeaseLost, Assert.Single(q.Records).Kind);
    }

    /// <summary>The view of this silo may not know yet where a pack was copied: no outcome of its own, and no reason to tell nobody (design rule 5).</summary>
    [Fact]
    public async Task Notice_MessageNotWhereTheViewSays_IsWrittenFromWhereItIs()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        q.NoticeTrouble = new IOException("there is no message");
        await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Failed));
        Assert.Equal(LedgerKind.Failed, Assert.Single(q.Records).Kind);
        var copy = new EntryPlace(new PackName(PackKind.Moved, 9, 1), 16, 100);
        (q.NoticeTrouble, q.Where) = (null, _ => copy);
        await q.After(TimeSpan.FromSeconds(35));
        Assert.Equal((NoticeKind.Failed, copy), (Assert.Single(q.Notices).Kind, q.NoticePlace));
        Assert.Equal(LedgerKind.Finished, q.Records[^1].Kind);
    }

    /// <summary>In no listing begun since it was decided: nobody can be told, and it does not stay for ever.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Notice_MessageInNoListing_IsGivenUpWhenTheListingIsYoungEnough(bool isListedSince)
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        q.NoticeTrouble = new IOException("there is no message");
        q.Where = _ => null;
        await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Failed));
        if (isListedSince) q.ListedFrom = q.Clock.Now + TimeSpan.FromSeconds(10);
        await q.After(TimeSpan.FromSeconds(35));
        Assert.Empty(q.Notices);
        Assert.Equal(isListedSince ? LedgerKind.Finished : LedgerKind.Failed, q.Records[^1].Kind);
    }

    /// <summary>Whoever dropped mail is told when some of it was not.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Drop_LedgerCannotBeWritten_SaysSoAndDropsNothing(bool inIndex)
    {
        var options = new GrainsOptions { RetryJitter = 0 };
        var q = new QueueUnderTest(options);
        q.Offer(2);
        if (inIndex)
        {
            foreach (var grant in (await q.Exchange(2)).Grants) await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred));
            await q.After(TimeSpan.FromSeconds(60));
        }

        q.LedgerTrouble = new IOException("no");
        await Assert.ThrowsAsync<IOException>(() => q.Queue.DropAsync(null, "unwanted"));
        q.LedgerTrouble = null;
        Assert.Equal(2, await q.Queue.DropAsync(null, "unwanted"));
    }

    /// <summary>What an operator drops is not leased while the record of that is on its way.</summary>
    [Fact]
    public async Task Drop_WhileItIsRecorded_NothingOfItIsGranted()
    {
        var options = new GrainsOptions { RetryJitter = 0 };
        var q = new QueueUnderTest(options);
        q.Offer(3);
        foreach (var grant in (await q.Exchange(3)).Grants) await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred));
        // In the index only, and due a second from now.
        await q.After(options.RetrySchedule[0] - TimeSpan.FromSeconds(1));
        q.Records.Clear();
        q.Offer(3);
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var drop = q.Queue.DropAsync(null, "no");
        await q.After(TimeSpan.FromSeconds(3));
        Assert.Empty((await q.Exchange(6)).Grants);
        pause.SetResult();
        Assert.Equal(6, await drop);
        Assert.All(q.Records, r => Assert.Equal(LedgerKind.Dropped, r.Kind));
        await q.After(TimeSpan.FromSeconds(3));
        Assert.Equal(0, q.Index.Count);
    }

    [Fact]
    public async Task Window_Full_TheRestWaitsInTheIndexAndIsReadBack()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 16 });
        var keys = q.Offer(100);
        Assert.Equal(84, q.Index.Count);
        var seen = new HashSet<RecipientKey>();
        for (var i = 0; i < 200 && seen.Count < 100; i++)
        {
            var grants = (await q.Exchange(8)).Grants;
            foreach (var grant in grants) Assert.True(seen.Add(grant.Keys[0]), "granted twice");
            await q.Exchange(0, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
            await q.After(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(keys.ToHashSet(), seen);
        Assert.Equal(0, q.Index.Count);
    }

    [Fact]
    public async Task Hold_OfTheDomain_GrantsNothingUntilReleased()
    {
        var q = new QueueUnderTest();
        await q.Queue.HoldAsync(null);
        q.Offer(3);
        Assert.Empty((await q.Exchange(5)).Grants);
        await q.Queue.ReleaseAsync(null);
        await q.After(TimeSpan.FromSeconds(1));
        Assert.Equal(3, (await q.Exchange(5)).Grants.Length);
    }

    [Fact]
    public async Task Retry_MakesWhatWaitsDue()
    {
        var q = new QueueUnderTest();
        q.Offer(2);
        foreach (var grant in (await q.Exchange(2)).Grants) await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred));
        Assert.Empty((await q.Exchange(2)).Grants);
        Assert.Equal(2, await q.Queue.RetryAsync(null));
        await q.After(TimeSpan.FromSeconds(1));
        Assert.Equal(2, (await q.Exchange(2)).Grants.Length);
    }

    [Fact]
    public async Task RetryAndDrop_OfOneMessage_FindItAmongThousandsOfTheSameSecond()
    {
        var q = new QueueUnderTest();
        var keys = Enumerable.Range(0, 5_000).Select(i => new RecipientKey(9, 1, (ushort)i)).ToArray();
        var rows = keys.Select(k => new IndexRow(new Lane("t", MessageClass.Bulk), new IndexMember(k, 16, 100, k.Ordinal), q.Clock.Now + TimeSpan.FromHours(1), 1)).ToArray();
        await q.Index.TakeAsync("one.test", 999, default);
        var run = (await q.Index.StampAsync(0, default)).Run;
        await q.Index.WriteAsync("one.test", new IndexOwner(999, run), [.. rows.Select(r => new IndexChange(r, Remove: false))], default);
        Assert.Equal(1, await q.Queue.RetryAsync(keys[4_500]));
        Assert.Equal(1, await q.Queue.DropAsync(keys[3_999], "unwanted"));
        Assert.Equal(keys[3_999], Assert.Single(q.Records).Key);
        Assert.Equal(4_998, await q.Queue.RetryAsync(null));
        Assert.Equal(4_999, await q.Queue.DropAsync(null, "unwanted"));
    }

    [Fact]
    public async Task Drop_FinishesWhatIsNotLeased_WithoutNotice()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(3);
        var leased = Assert.Single((await q.Exchange(1)).Grants);
        Assert.Equal(2, await q.Queue.DropAsync(null, "unwanted"));
        Assert.Equal(keys.Except(leased.Keys), q.Records.Where(r => r.Kind == LedgerKind.Dropped).Select(r => r.Key));
        Assert.Empty(q.Notices);
        Assert.Empty((await q.Exchange(5)).Grants);
    }

    [Fact]
    public async Task Offer_WithANotBefore_WaitsForItInTheIndex()
    {
        var q = new QueueUnderTest();
        q.Offer(1, notBefore: q.Clock.Now + TimeSpan.FromMilliseconds(90_400));
        Assert.Equal(1, q.Index.Count);
        await q.After(TimeSpan.FromSeconds(90));
        Assert.Empty((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromSeconds(1));
        Assert.Equal(1, Assert.Single((await q.Exchange(1)).Grants).Attempt);
    }

    /// <summary>However long the queue is that it has to be looked for in.</summary>
    [Fact]
    public async Task Drop_OfOneMessage_KeepsTheOthersFromNothing()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(3);
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var drop = q.Queue.DropAsync(keys[1], "no");
        var granted = (await q.Exchange(3)).Grants;
        Assert.Equal([keys[0], keys[2]], granted.SelectMany(g => g.Keys));
        pause.SetResult();
        Assert.Equal(1, await drop);
        Assert.Equal((keys[1], LedgerKind.Dropped), (Assert.Single(q.Records).Key, q.Records[0].Kind));
    }

    /// <summary>It becomes due and is read back while the record is on its way, or the ledger fails.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Drop_OfOneMessage_ReadBackMeanwhile_IsNotLeasedAndDroppedOnce(bool fails)
    {
        var options = new GrainsOptions { RetryJitter = 0 };
        var q = new QueueUnderTest(options);
        var keys = q.Offer(2);
        foreach (var grant in (await q.Exchange(2)).Grants) await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred));
        await q.After(options.RetrySchedule[0] - TimeSpan.FromSeconds(1));
        q.Records.Clear();
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var drop = q.Queue.DropAsync(keys[0], "no");
        await q.After(TimeSpan.FromSeconds(3));
        Assert.Equal([keys[1]], (await q.Exchange(5)).Grants.SelectMany(g => g.Keys));
        if (fails) q.LedgerTrouble = new IOException("no");
        pause.SetResult();
        if (fails)
        {
            await Assert.ThrowsAsync<IOException>(() => drop);
            q.LedgerTrouble = null;
            Assert.Equal([keys[0]], (await q.Exchange(5)).Grants.SelectMany(g => g.Keys));
            return;
        }

        Assert.Equal(1, await drop);
        Assert.Single(q.Records);
        await q.After(TimeSpan.FromSeconds(30));
        Assert.DoesNotContain(keys[0], (await q.Exchange(5)).Grants.SelectMany(g => g.Keys));
        Assert.Equal(LedgerKind.Dropped, Assert.Single(q.Records, r => r.Key == keys[0]).Kind);
    }

    /// <summary>Mail that comes in must not take the room of what comes of attempts: what can leave at once does, and what is deferred is remembered.</summary>
    [Fact]
    public async Task Offer_BurstWhileTheIndexIsAway_DoesNotEndDeliveries()
    {
        var q = new QueueUnderTest();
        q.Way.IsAway = true;
        var refused = 0;
        for (uint pack = 1; pack <= 30; pack++)
        {
            refused += q.Queue.Offer(new Offer
            {
                SentAt = q.Clock.Now, CommitBegan = q.Clock.Now, Pack = new PackName(PackKind.Birth, 7, pack),
                Entries = [.. Enumerable.Range(0, 1_000).Select(i => new RecipientKey(7, pack, (ushort)i)).Select(k => new OfferedEntry { Offset = 16, Length = 100, Tenant = "t", Keys = [k], Born = q.Clock.Now, Message = k })],
            }).Refused;
        }

        Assert.InRange(refused, 1, 10_000);
        await q.After(TimeSpan.FromSeconds(15));
        var grants = (await q.Exchange(100)).Grants;
        Assert.Equal(100, grants.Length);
        Assert.True((await q.Exchange(100, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Deferred))])).Acknowledged);
    }

    /// <summary>They are on their way to the index since they were ten seconds old, and must not take as much room there again when they are no longer fresh.</summary>
    [Fact]
    public async Task Index_AwayWhileThousandsGrowOld_DoesNotEndDeliveries()
    {
        var q = new QueueUnderTest();
        q.Way.IsAway = true;
        q.Offer(1_900, recipients: 10);
        await q.After(TimeSpan.FromSeconds(35));
        var keys = q.Offer(5);
        Assert.Equal(keys, (await q.Exchange(5)).Grants.SelectMany(g => g.Keys));
        // What left the memory is read back when the index is there again.
        q.Way.IsAway = false;
        await q.After(TimeSpan.FromSeconds(20));
        Assert.Equal(5, (await q.Exchange(5)).Grants.Length);
    }

    /// <summary>What is due cannot be read: nothing is gained by asking fifty times a second.</summary>
    [Fact]
    public async Task Clock_NotSettled_IsAskedForOnceASecond()
    {
        var options = new GrainsOptions { RetryJitter = 0 };
        var q = new QueueUnderTest(options);
        q.Offer(1);
        await q.Exchange(0, outcomes: Outcome(Assert.Single((await q.Exchange(1)).Grants), OutcomeKind.Deferred));
        await q.After(options.RetrySchedule[0] - TimeSpan.FromSeconds(1));
        q.Clock.IsSettled = false;
        await q.After(TimeSpan.FromSeconds(3));
        Assert.Equal(TimeSpan.FromSeconds(1), q.Queue.NextTick - q.Clock.Now);
    }

    [Fact]
    public async Task Clock_NotSettled_GrantsNothing()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        q.Clock.IsSettled = false;
        Assert.Empty((await q.Exchange(1)).Grants);
        q.Clock.IsSettled = true;
        Assert.Single((await q.Exchange(1)).Grants);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Ledger_Or_Standing_InTrouble_GrantsNothing(bool ledger)
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        (q.IsHealthy, q.IsConfirmed) = (!ledger, ledger);
        Assert.Equal(ExchangeNext.Wait, (await q.Exchange(1)).Next);
        (q.IsHealthy, q.IsConfirmed) = (true, true);
        Assert.Single((await q.Exchange(1)).Grants);
    }

    [Fact]
    public void Offer_TooOld_IsLeftToTheSweep()
    {
        var q = new QueueUnderTest();
        var late = new Offer { SentAt = q.Clock.Now, CommitBegan = q.Clock.Now - TimeSpan.FromSeconds(21), Pack = new PackName(PackKind.Birth, 7, 1), Entries = [] };
        Assert.True(q.Queue.Offer(late).Late);
        Assert.True(q.Queue.Offer(late with { CommitBegan = q.Clock.Now, SentAt = q.Clock.Now - TimeSpan.FromSeconds(6) }).Late);
    }

    /// <summary>The index is away for long, and the silo's domains hold all that memory has room for: what comes is refused and counted, what has grown old is let go, and the sweep brings both.</summary>
    [Fact]
    public async Task Offer_WhileTheSiloIsFull_IsRefusedAndWhatIsOldIsLetGo()
    {
        var q = new QueueUnderTest();
        q.Way.IsAway = true;
        q.Offer(3);
        q.IsFull = true;
        var key = new RecipientKey(7, 1_000, 0);
        var offer = new Offer
        {
            SentAt = q.Clock.Now, CommitBegan = q.Clock.Now, Pack = new PackName(PackKind.Birth, 7, 1_000),
            Entries = [new OfferedEntry { Offset = 16, Length = 100, Tenant = "t", Keys = [key], Born = q.Clock.Now, Message = key }],
        };
        Assert.Equal(new OfferAnswer(1, false), q.Queue.Offer(offer));
        Assert.Equal(3, q.Queue.CountUnindexed());
        await q.After(TimeSpan.FromSeconds(31));
        Assert.Equal(0, q.Queue.CountUnindexed());
        offer = offer with { SentAt = q.Clock.Now, CommitBegan = q.Clock.Now };
        q.IsFull = false;
        Assert.Equal(new OfferAnswer(0, false), q.Queue.Offer(offer));
    }

    [Fact]
    public void ActiveDomains_Total_IsThatOfAllDomains()
    {
        var active = new ActiveDomains();
        active.Set("a", ActiveDomains.Most - 1);
        Assert.False(active.IsFull);
        active.Set("b", 5);
        active.Set("b", 3);
        Assert.Equal(ActiveDomains.Most + 2, active.Total);
        Assert.True(active.IsFull);
        active.Set("a", 0);
        active.Remove("b");
        active.Remove("b");
        Assert.Equal(0, active.Total);
    }

    /// <summary>Who may offer may not speak of mail in packs of others, or of its age as it likes: it could have anybody's given up, or carried to hosts of its own.</summary>
    [Theory]
    [InlineData("a copy")]
    [InlineData("another pack's key")]
    [InlineData("another pack's message")]
    [InlineData("nobody")]
    [InlineData("too old")]
    [InlineData("from the future")]
    [InlineData("for ever fresh")]
    public async Task Offer_ThatDoesNotFitItsPack_IsLeftToTheSweep(string wrong)
    {
        var q = new QueueUnderTest();
        var now = q.Clock.Now;
        var (pack, other) = (new PackName(PackKind.Birth, 7, 1), new RecipientKey(8, 1, 0));
        var key = new RecipientKey(7, 1, 0);
        var right = new OfferedEntry { Offset = 16, Length = 100, Tenant = "t", Keys = [key], Born = now, Message = key };
        var entry = wrong switch
        {
            "another pack's key" => right with { Keys = [key, other] },
            "another pack's message" => right with { Message = other },
            "nobody" => right with { Keys = [] },
            "too old" => right with { Born = now - TimeSpan.FromMinutes(2) },
            "from the future" => right with { Born = now + TimeSpan.FromMinutes(1) },
            _ => right,
        };
        var offer = new Offer
        {
            SentAt = now, CommitBegan = wrong == "for ever fresh" ? now + TimeSpan.FromMinutes(1) : now, Pack = wrong == "a copy" ? pack with { Kind = PackKind.Moved } : pack, Entries = [right with { Keys = [key with { Ordinal = 1 }] }, entry],
        };
        Assert.True(q.Queue.Offer(offer).Late);
        Assert.Empty((await q.Exchange(10)).Grants);
        Assert.Equal(new OfferAnswer(0, false), q.Queue.Offer(offer with { CommitBegan = now, Pack = pack, Entries = [right with { Born = now - TimeSpan.FromSeconds(50) }] }));
        Assert.Single((await q.Exchange(10)).Grants);
    }

    [Fact]
    public async Task Demand_ThatComesJustAfterADryAnswer_IsToldAtOnce()
    {
        var q = new QueueUnderTest();
        q.Offer(8);
        var grants = (await q.Exchange(8)).Grants;
        await q.Exchange(8, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
        var told = q.Demands.Count;
        // Fewer than were told before, and no time has passed: the sessions idle all the same.
        q.Offer(1);
        Assert.Equal(1, q.Demands[^1]);
        Assert.True(q.Demands.Count > told);
    }

    [Fact]
    public async Task Site_HasMoved_IsAskedForConnectionsAtOnceAndTheOldOneForNone()
    {
        var q = new QueueUnderTest();
        q.Offer(3);
        Assert.Equal(["site"], q.DemandedOf);
        q.Queue.SiteMoved("site", new SiteRoute("there", false, null, TimeSpan.Zero));
        Assert.Equal(["site", "site", "there"], q.DemandedOf);
        Assert.Equal([3, 0, 3], q.Demands);
        // A word about a site that is not ours any more, or one that nobody could have meant.
        q.Queue.SiteMoved("site", new SiteRoute("elsewhere", false, null, TimeSpan.FromHours(1)));
        q.Queue.SiteMoved("there", new SiteRoute("there", false, null, TimeSpan.FromHours(1)));
        q.Queue.SiteMoved("there", new SiteRoute(new string('x', SiteRoute.MaxName + 1), false, null, TimeSpan.FromHours(1)));
        q.Queue.SiteMoved("there", new SiteRoute("nothing", true, 0, TimeSpan.FromHours(1)));
        Assert.Equal(3, q.DemandedOf.Count);
        // It was believed for 5 s at least; then DNS is asked again.
        await q.After(TimeSpan.FromSeconds(31));
        Assert.Equal(["there", "site"], q.DemandedOf[3..]);
    }

    [Fact]
    public async Task Site_ATenantBeginsOrCeasesToNameIt_IsLookedUpAgainThoughItWasValid()
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        (q.IsNamed, q.Resolved) = (true, "named");
        await q.After(TimeSpan.FromSeconds(31));
        Assert.Equal(["site", "site", "named"], q.DemandedOf);
        Assert.Equal([1, 0, 1], q.Demands);
        // What a session of the old site is told: nothing is due here.
        Assert.Equal(ExchangeNext.Dry, (await q.Exchange(1)).Next);
        (q.IsNamed, q.Resolved) = (false, "site");
        await q.After(TimeSpan.FromSeconds(31));
        Assert.Equal(["named", "site"], q.DemandedOf[3..]);
    }

    [Fact]
    public async Task Hold_OfAWalkingMessage_ThatCannotBeWritten_IsAskedForAgain()
    {
        var q = new QueueUnderTest();
        var key = Assert.Single(q.Offer(1));
        q.ControlTrouble = new IOException("no");
        for (var i = 0; i < 6; i++)
        {
            if (i == 5) q.ControlTrouble = null;
            Assert.Single((await q.Exchange(1, session: (ulong)i + 1)).Grants);
            await q.After(TimeSpan.FromSeconds(25));
        }

        Assert.Equal([key], q.Document.HeldMessages);
        Assert.False(q.Queue.IsDeposed);
    }

    [Fact]
    public async Task Retry_OfASuspendedSite_TriesItAtOnce()
    {
        var q = new QueueUnderTest();
        q.State = new() { SuspendedUntil = q.Clock.Now + TimeSpan.FromMinutes(5) };
        q.Offer(1);
        Assert.NotEqual(default, (await q.Queue.ShowAsync(1)).SuspendedUntil);
        Assert.Equal(0, await q.Queue.RetryAsync(null));
        Assert.Equal(1, q.SiteRetries);
        Assert.Equal(default, (await q.Queue.ShowAsync(1)).SuspendedUntil);
        await q.Queue.RetryAsync(null);
        Assert.Equal(1, q.SiteRetries);
    }

    [Fact]
    public async Task Stop_WithMailInMemory_WritesIt_AndLeavesNoToken()
    {
        var q = new QueueUnderTest();
        q.Offer(3);
        await q.Queue.StopAsync();
        Assert.Equal(3, await q.Index.CountAsync("one.test", default));
        var run = (await q.Index.StampAsync(0, default)).Run;
        // Drawn numbers count from 1: no token of them all is there any more.
        for (var token = 0UL; token < 400; token++)
            Assert.Equal(IndexWriteStatus.Deposed, await q.Index.WriteAsync("one.test", new IndexOwner(token, run), [], default));
    }
}
