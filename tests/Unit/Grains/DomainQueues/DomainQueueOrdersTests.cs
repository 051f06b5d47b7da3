using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Notices;
using Angarium.Grains.Sites;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using static Angarium.Unit.Grains.DomainQueues.QueueUnderTest;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>Operators' orders at one domain's queue: a site or a tenant that is suspended, and what is dropped of one tenant, with and without a word to the senders.</summary>
public class DomainQueueOrdersTests
{
    private static readonly SuspensionMap s_site = new([new Suspension { Kind = SuspensionKind.Site, Name = "site", Actor = "operator" }]);

    /// <summary>What is on the wire goes on, nothing new is granted or asked for; resumed, it goes on within half a minute.</summary>
    [Fact]
    public async Task Suspended_Site_NothingIsGrantedOrAskedForUntilItIsResumed()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(3);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        q.Suspensions = s_site;
        var answer = await q.Exchange(5);
        Assert.Equal((ExchangeNext.Dry, 0), (answer.Next, answer.Grants.Length));
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Delivered))).Acknowledged);
        await q.After(TimeSpan.FromMinutes(2));
        Assert.Equal(0, q.Demands[^1]);
        var told = q.Demands.Count;
        await q.After(TimeSpan.FromMinutes(2));
        Assert.Equal(told, q.Demands.Count);
        Assert.Empty((await q.Exchange(5)).Grants);
        var shown = await q.Queue.ShowAsync(10);
        Assert.Equal((2, "suspended"), (shown.Recipients.Length, shown.Recipients.Select(r => r.State).Distinct().Single()));
        Assert.Equal("site", Assert.Single(shown.Suspensions).Name);

        q.Suspensions = SuspensionMap.Empty;
        await q.After(TimeSpan.FromSeconds(31));
        Assert.Equal(2, q.Demands[^1]);
        Assert.Equal(keys[1..].ToHashSet(), (await q.Exchange(5)).Grants.SelectMany(g => g.Keys).ToHashSet());
    }

    [Fact]
    public async Task Suspended_Site_NotResolvedYet_IsNotAskedForConnections()
    {
        var q = new QueueUnderTest { Suspensions = s_site };
        q.Offer(2);
        await q.After(TimeSpan.FromMinutes(1));
        Assert.All(q.Demands, demand => Assert.Equal(0, demand));
        Assert.Empty((await q.Exchange(5)).Grants);
    }

    [Fact]
    public async Task Suspended_Tenant_WaitsAloneAndExpiresNot_AndTheOthersFlow()
    {
        var options = new GrainsOptions { RetryJitter = 0, Window = 100 };
        var q = new QueueUnderTest(options);
        var bad = q.Offer(300, "bad");
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        Assert.True((await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred))).Acknowledged);
        q.Pools = PoolMap.Empty.Parking(["bad"]);
        await q.After(TimeSpan.FromMinutes(1));
        Assert.Empty((await q.Exchange(50)).Grants);
        q.Site = "*!site";
        Assert.Empty((await q.Exchange(50, session: 2)).Grants);
        q.Site = "site";
        var good = q.Offer(40, "good");
        var sent = (await q.Exchange(50, session: 3)).Grants;
        Assert.Equal(good, sent.SelectMany(g => g.Keys));
        await q.Exchange(0, session: 3, outcomes: [.. sent.Select(g => Outcome(g, OutcomeKind.Delivered))]);
        Assert.DoesNotContain(q.DemandedOf, site => site.StartsWith('*'));

        q.Time.Advance(options.RetryExpire);
        await q.After(TimeSpan.FromSeconds(5));
        q.SiteFails();
        await q.After(TimeSpan.FromSeconds(30));
        Assert.DoesNotContain(q.Records, r => r.Kind == LedgerKind.Expired);
        Assert.All((await q.Queue.ShowAsync(1_000)).Recipients, r => Assert.Equal("suspended", r.State));

        q.Pools = PoolMap.Empty;
        q.State = new();
        var seen = new HashSet<RecipientKey>();
        for (var session = 10UL; session < 60 && seen.Count < bad.Length; session++)
        {
            await q.After(TimeSpan.FromSeconds(10));
            var grants = (await q.Exchange(100, session: session)).Grants;
            seen.UnionWith(grants.SelectMany(g => g.Keys));
            await q.Exchange(0, session: session, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
        }

        Assert.Equal(bad.ToHashSet(), seen);
    }

    [Fact]
    public async Task RetryAndDrop_OfOneTenant_LeaveTheOthers()
    {
        var q = new QueueUnderTest();
        var (bad, good) = (q.Offer(3, "bad"), q.Offer(2, "good"));
        foreach (var grant in (await q.Exchange(5)).Grants) await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred));
        Assert.Equal(2, await q.Queue.RetryAsync(new QueueSelection(null, "good")));
        q.Offer(1, "good");
        var fresh = q.Offer(1, "bad");
        q.Records.Clear();
        Assert.Equal(4, await q.Queue.DropAsync(new QueueSelection(null, "bad"), "abuse"));
        Assert.Equal(bad.Concat(fresh).ToHashSet(), q.Records.Select(r => r.Key).ToHashSet());
        Assert.All(q.Records, r => Assert.Equal((LedgerKind.Dropped, "abuse"), (r.Kind, r.Reply!.Text)));
        Assert.Empty(q.Notices);
        await q.After(TimeSpan.FromSeconds(1));
        var left = (await q.Exchange(9)).Grants.SelectMany(g => g.Keys).ToList();
        Assert.Equal(3, left.Count);
        Assert.Subset(left.ToHashSet(), good.ToHashSet());
    }

    /// <summary>While one tenant's mail is being dropped the others' is granted (promise 7).</summary>
    [Fact]
    public async Task Drop_OfOneTenant_WhileItIsRecorded_KeepsTheOthersFromNothing()
    {
        var q = new QueueUnderTest();
        q.Offer(3, "bad");
        var good = q.Offer(2, "good");
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var drop = q.Queue.DropAsync(new QueueSelection(null, "bad"), "abuse");
        Assert.Equal(good, (await q.Exchange(9)).Grants.SelectMany(g => g.Keys));
        pause.SetResult();
        Assert.Equal(3, await drop);
    }

    /// <summary>They fail for good by our word, wherever they are, and each is finished once its notice is written, however many are due in one second.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(1_500)]
    public async Task Drop_Told_FailsThemAndFinishesThemWithTheirNotices(int deferred)
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 5_000 });
        q.Offer(deferred);
        while ((await q.Exchange(100)).Grants is { Length: > 0 } grants) await q.Exchange(0, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Deferred))]);
        await q.After(TimeSpan.FromSeconds(40));
        Assert.Equal(deferred, q.Index.Count);
        var fresh = q.Offer(2);
        q.Records.Clear();
        Assert.Equal(deferred + 2, await q.Queue.DropAsync(null, "we give up", isTold: true));
        Assert.Equal(deferred + 2, q.Records.Count(r => r is { Kind: LedgerKind.Failed, Own: true, Reply.Text: "we give up", Reply.Code: 554 }));
        Assert.DoesNotContain(q.Records, r => r.Kind == LedgerKind.Dropped);
        await q.After(TimeSpan.FromMinutes(5));
        Assert.Equal(deferred + 2, q.Records.Where(r => r.Kind == LedgerKind.Finished).Select(r => r.Key).Distinct().Count());
        Assert.Equal(deferred + 2, q.Notices.Where(n => n.Kind == NoticeKind.Failed).SelectMany(n => n.Keys).Distinct().Count());
        Assert.Equal(0, q.Index.Count);
        Assert.Empty((await q.Exchange(5)).Grants);
        Assert.Subset(q.Records.Select(r => r.Key).ToHashSet(), fresh.ToHashSet());
        Assert.Equal(0, await q.Queue.DropAsync(null, "again", isTold: true));
    }

    /// <summary>More of them would be told without the operator's words: they stay until some were told, and what tells nobody goes on.</summary>
    [Fact]
    public async Task Drop_ToldWhileTooManyAreBeingTold_LeavesTheOthersQueued()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0 });
        q.Offer(3);
        var grants = (await q.Exchange(100)).Grants;
        await q.Exchange(0, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Deferred))]);
        await q.After(TimeSpan.FromSeconds(40));
        q.IsFullOfDecisions = true;
        Assert.Contains("ask again in a minute", (await Assert.ThrowsAsync<IOException>(() => q.Queue.DropAsync(null, "we give up", isTold: true))).Message, StringComparison.Ordinal);
        Assert.Equal(3, q.Index.Count);
        q.IsFullOfDecisions = false;
        Assert.Equal(3, await q.Queue.DropAsync(null, "we give up", isTold: true));

        q.Offer(1);
        q.IsFullOfDecisions = true;
        Assert.Equal(1, await q.Queue.DropAsync(null, "unwanted"));
    }

    /// <summary>It was delivered, as a worker says after its lease: nobody is told that it failed.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Drop_OfWhatIsBeingRecordedAsDelivered_DropsAndTellsOfNothing(bool isTold)
    {
        var q = new QueueUnderTest();
        q.Offer(1);
        var grant = Assert.Single((await q.Exchange(1)).Grants);
        await q.After(TimeSpan.FromMinutes(2));
        var pause = new TaskCompletionSource();
        q.LedgerPause = pause.Task;
        var late = q.Exchange(0, outcomes: QueueUnderTest.Outcome(grant, OutcomeKind.Delivered));
        var drop = q.Queue.DropAsync(null, "we give up", isTold);
        pause.SetResult();
        Assert.Equal(0, await drop);
        Assert.True((await late).Acknowledged);
        Assert.Equal([LedgerKind.LeaseLost, LedgerKind.Delivered], q.Records.Select(r => r.Kind));
        Assert.Empty(q.Notices);
    }

    /// <summary>Too old, and its site failed while it was suspended: that was no failure of its own. It is tried, and given up at the next failure only.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Resumed_AfterAFailureOfTheSiteMeanwhile_IsTriedBeforeItIsGivenUp(bool isTenant)
    {
        var options = new GrainsOptions { RetryJitter = 0 };
        options = options with { RetryExpire = options.RetrySchedule[0] + TimeSpan.FromMinutes(1) };
        var q = new QueueUnderTest(options);
        var keys = q.Offer(2, "t");
        foreach (var grant in (await q.Exchange(2)).Grants) await q.Exchange(0, outcomes: Outcome(grant, OutcomeKind.Deferred));
        // Read back, and due.
        await q.After(options.RetrySchedule[0] + TimeSpan.FromSeconds(5));
        if (isTenant) q.Pools = PoolMap.Empty.Parking(["t"]);
        else q.Suspensions = s_site;
        await q.After(TimeSpan.FromSeconds(40));
        // Somebody else's connection: whoever asks for none there hears of it when it asks again.
        q.State = new SiteState { LastFailure = q.Clock.Now, Trouble = new Reply(451, new EnhancedStatus(4, 4, 1), "no connection"), Own = true };
        await q.After(TimeSpan.FromSeconds(40));
        q.Pools = PoolMap.Empty;
        q.Suspensions = SuspensionMap.Empty;
        var first = (await q.Exchange(1)).Grants;
        await q.After(TimeSpan.FromSeconds(1));
        var second = (await q.Exchange(5, session: 2)).Grants;
        Assert.DoesNotContain(q.Records, record => record.Kind == LedgerKind.Expired);
        Assert.Equal(keys.ToHashSet(), first.Concat(second).SelectMany(g => g.Keys).ToHashSet());
    }

    /// <summary>A sender chose its time; whoever names it hurries it.</summary>
    [Fact]
    public async Task Retry_OfADomain_LeavesScheduledMailAlone()
    {
        var q = new QueueUnderTest();
        var keys = q.Offer(1, notBefore: q.Clock.Now + TimeSpan.FromDays(1));
        Assert.Equal(0, await q.Queue.RetryAsync(new QueueSelection(null, null)));
        Assert.Equal(0, await q.Queue.RetryAsync(new QueueSelection(null, "t")));
        Assert.Empty((await q.Exchange(5)).Grants);
        Assert.Equal(1, await q.Queue.RetryAsync(keys[0]));
        await q.After(TimeSpan.FromSeconds(1));
        Assert.Single((await q.Exchange(5)).Grants);
    }
}
