using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Routing;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Sites;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using static Angarium.Unit.Grains.DomainQueues.QueueUnderTest;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>Mail of one domain that goes out by several pools: to whose sessions it is granted, what each pool's site is told, and what one pool's backlog costs another.</summary>
public class DomainQueuePoolTests
{
    private static readonly PoolMap s_bulk = PoolMap.Empty.With("big", "bulk");

    [Fact]
    public async Task Exchange_OfEachPool_GrantsTheMailOfItsTenants()
    {
        var q = new QueueUnderTest { Pools = s_bulk };
        var (mine, bulk) = (q.Offer(2), q.Offer(3, "big"));
        Assert.Equal([("site", 2), ("bulk!site", 3)], q.DemandedOf.Zip(q.Demands).Select(d => (d.First, (int)d.Second)));
        Assert.Equal(mine, (await q.Exchange(10)).Grants.SelectMany(g => g.Keys));
        Assert.Equal(ExchangeNext.Dry, (await q.Exchange(10)).Next);
        q.Site = "bulk!site";
        var grants = (await q.Exchange(10, session: 2)).Grants;
        Assert.Equal(bulk, grants.SelectMany(g => g.Keys));
        Assert.Equal(ExchangeNext.Dry, (await q.Exchange(10, session: 2, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))])).Next);
        Assert.Equal(3, q.Records.Count(r => r.Kind == LedgerKind.Delivered));
    }

    /// <summary>A pool that nobody here is in, a site that is not where the pool asked, a name that no pool has: nothing is due there.</summary>
    [Theory]
    [InlineData("other!site")]
    [InlineData("bulk!elsewhere")]
    [InlineData("default!site")]
    [InlineData("!site")]
    [InlineData("BULK!site")]
    public async Task Exchange_OfAnotherSite_GrantsNothing(string site)
    {
        var q = new QueueUnderTest { Pools = s_bulk };
        q.Offer(1);
        q.Offer(1, "big");
        q.Site = site;
        var answer = await q.Exchange(10);
        Assert.Equal((ExchangeNext.Dry, 0), (answer.Next, answer.Grants.Length));
    }

    [Fact]
    public async Task Pools_NotKnownYet_NothingIsGrantedUntilTheyAre()
    {
        var q = new QueueUnderTest { Pools = null };
        var keys = q.Offer(2, "big");
        Assert.Equal(ExchangeNext.Wait, (await q.Exchange(10)).Next);
        q.Site = "bulk!site";
        Assert.Equal(ExchangeNext.Wait, (await q.Exchange(10, session: 2)).Next);
        Assert.Empty(q.Demands);
        Assert.InRange(q.Queue.NextTick - q.Clock.Now, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        q.Pools = s_bulk;
        await q.After(TimeSpan.FromSeconds(1));
        Assert.Equal(["bulk!site"], q.DemandedOf);
        Assert.Equal(keys, (await q.Exchange(10, session: 2)).Grants.SelectMany(g => g.Keys));
    }

    /// <summary>What is ready goes by the new pool at once, and what was deferred when it is due; what a session of the old one has, it carries to its end.</summary>
    [Fact]
    public async Task Pool_OfATenantChanges_ItsQueuedMailGoesByTheNewOne()
    {
        var options = new GrainsOptions { RetryJitter = 0 };
        var q = new QueueUnderTest(options);
        var keys = q.Offer(3, "big");
        var grants = (await q.Exchange(2)).Grants;
        await q.Exchange(0, outcomes: Outcome(grants[0], OutcomeKind.Deferred));
        q.Pools = s_bulk;
        q.Queue.Tick();
        await q.After(TimeSpan.FromSeconds(1), grants[1]);
        Assert.Equal(["site", "bulk!site", "site"], q.DemandedOf);
        Assert.Equal(0, q.Demands[^1]);
        Assert.Empty((await q.Exchange(5)).Grants);
        Assert.True((await q.Exchange(0, outcomes: Outcome(grants[1], OutcomeKind.Delivered))).Acknowledged);

        q.Site = "bulk!site";
        var ready = Assert.Single((await q.Exchange(5, session: 2)).Grants);
        Assert.Equal([keys[2]], ready.Keys);
        await q.Exchange(0, session: 2, outcomes: Outcome(ready, OutcomeKind.Delivered));
        await q.After(options.RetrySchedule[0] + TimeSpan.FromSeconds(1));
        var again = Assert.Single((await q.Exchange(5, session: 3)).Grants);
        Assert.Equal((keys[0], 2), (again.Keys[0], again.Attempt));

        // And back.
        q.Pools = PoolMap.Empty;
        await q.Exchange(0, session: 3, outcomes: Outcome(again, OutcomeKind.Deferred));
        await q.After(options.RetrySchedule[1] + TimeSpan.FromSeconds(1));
        Assert.Empty((await q.Exchange(5, session: 4)).Grants);
        q.Site = "site";
        Assert.Equal([keys[0]], Assert.Single((await q.Exchange(5, session: 5)).Grants).Keys);
    }

    /// <summary>
    /// Promise 7: what one pool cannot send (nobody serves it, its address is blocked) fills its part of the window and no more, so another's backlog flows as if it were alone: with no more than each
    /// lane's share it would take a second for every forty.
    /// </summary>
    [Theory]
    [InlineData("big", "t", "site")]
    [InlineData("t", "big", "bulk!site")]
    public async Task Window_OnePoolIsStuck_TheOthersBacklogFlows(string stuck, string flowing, string site)
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 100 }) { Pools = s_bulk };
        q.Offer(2_000, stuck);
        await q.After(TimeSpan.FromSeconds(45));
        q.Site = site;
        var keys = q.Offer(1_000, flowing).ToHashSet();
        var began = q.Clock.Now;
        var delivered = new HashSet<RecipientKey>();
        for (var session = 1UL; delivered.Count < keys.Count && q.Clock.Now - began < TimeSpan.FromMinutes(1); session++)
        {
            var grants = (await q.Exchange(50, session: session)).Grants;
            if (grants.Length == 0) await q.After(TimeSpan.FromSeconds(1));
            else await q.Exchange(0, session: session, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
            delivered.UnionWith(grants.SelectMany(g => g.Keys));
        }

        Assert.True(delivered.SetEquals(keys));
        Assert.InRange((q.Clock.Now - began).TotalSeconds, 0, 3);
        Assert.Equal(2_000, q.Index.Count);
    }

    /// <summary>What is stuck is looked for now and then, for the sake of lanes that have nothing here, and never in a loop.</summary>
    [Fact]
    public async Task Window_OnePoolIsStuck_TheIndexIsReadSeldom()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 100 }) { Pools = s_bulk };
        q.Offer(2_000, "big");
        q.Offer(1);
        await q.After(TimeSpan.FromMinutes(1));
        var before = q.Way.Readings;
        await q.After(TimeSpan.FromMinutes(2));
        Assert.InRange(q.Way.Readings - before, 1, 130);
    }

    [Fact]
    public async Task Window_OfTwoPools_IsAllOfItForTheOneThatIsLeft()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, Window = 100 }) { Pools = s_bulk };
        q.Offer(500, "big");
        q.Offer(500);
        await q.After(TimeSpan.FromSeconds(45));
        var grants = (await q.Exchange(100)).Grants;
        // Its half: the index is read again when a quarter of that is free.
        Assert.InRange(grants.Length, 38, 50);
        q.Pools = PoolMap.Empty;
        await q.Exchange(0, outcomes: [.. grants.Select(g => Outcome(g, OutcomeKind.Delivered))]);
        await q.After(TimeSpan.FromSeconds(5));
        Assert.InRange((await q.Exchange(100, session: 2)).Grants.Length, 76, 100);
    }

    [Fact]
    public async Task Site_OfOnePool_MovesAndFailsForThatPoolAlone()
    {
        var q = new QueueUnderTest(new GrainsOptions { RetryJitter = 0, RetryExpire = TimeSpan.FromSeconds(15) }) { Pools = s_bulk };
        var (mine, bulk) = (q.Offer(1)[0], q.Offer(1, "big")[0]);
        q.Queue.SiteMoved("bulk!site", new SiteRoute("there", false, null, TimeSpan.FromHours(1)));
        Assert.Equal(["site", "bulk!site", "bulk!site", "bulk!there"], q.DemandedOf);
        // Words about a site that nobody asks any more, and of a site of another pool.
        q.Queue.SiteMoved("bulk!site", new SiteRoute("elsewhere", false, null, TimeSpan.FromHours(1)));
        q.Queue.SiteMoved("site", new SiteRoute("bulk!there", false, null, TimeSpan.FromHours(1)));
        q.Queue.SiteChanged("bulk!site", new SiteState { LastFailure = q.Clock.Now });
        Assert.Equal(4, q.DemandedOf.Count);
        await q.After(TimeSpan.FromSeconds(16));
        q.State = new SiteState { LastFailure = q.Clock.Now, SuspendedUntil = q.Clock.Now + TimeSpan.FromMinutes(5), Trouble = new Reply(451, new EnhancedStatus(4, 4, 1), "blocked"), Own = true };
        q.Queue.SiteChanged("bulk!there", q.State);
        Assert.Equal([(bulk, LedgerKind.Expired), (bulk, LedgerKind.Finished)], q.Records.Select(r => (r.Key, r.Kind)));
        var shown = await q.Queue.ShowAsync(5);
        Assert.Equal(("site", "451 4.4.1 blocked"), (shown.Site, shown.SiteTrouble));
        await q.Queue.RetryAsync(null);
        Assert.Equal(["bulk!there"], q.RetriedSites);
        Assert.Equal([mine], Assert.Single((await q.Exchange(5)).Grants).Keys);
    }

    [Fact]
    public async Task Show_MailOfSeveralPools_NamesEachSite()
    {
        var q = new QueueUnderTest { Pools = s_bulk };
        q.Offer(1);
        Assert.Equal("site", (await q.Queue.ShowAsync(5)).Site);
        q.Offer(1, "big");
        Assert.Equal("site, bulk!site", (await q.Queue.ShowAsync(5)).Site);
    }

    [Fact]
    public async Task Drop_OfTheDomain_IsOfAllPools()
    {
        var q = new QueueUnderTest { Pools = s_bulk };
        q.Offer(2);
        q.Offer(3, "big");
        Assert.Equal(5, await q.Queue.DropAsync(null, "unwanted"));
        await q.After(TimeSpan.FromSeconds(40));
        Assert.True(q.Queue.IsIdle);
    }
}
