using Angarium.Contracts.EgressPools;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Sites;
using Angarium.Mail;
using CsCheck;

namespace Angarium.Unit.Grains.Sites;

public class SiteTests
{
    private static readonly SiteOptions s_options = new();
    private static readonly TimeSpan[] s_schedule = [TimeSpan.FromMinutes(5), TimeSpan.FromHours(4)];
    private readonly StoreTime _start = new(1_000_000_000);
    private StoreTime _now = new(1_000_000_000);
    private ulong _next;

    private Site Make(SiteOptions? options = null, TimeSpan[]? schedule = null) =>
        new("mx:a", (route, limit) => SiteLimits.From(options ?? s_options, schedule ?? s_schedule, route, limit), () => ++_next, () => 0);

    private void After(double seconds) => _now += TimeSpan.FromSeconds(seconds);

    private void Demand(Site site, string domain, int messages, string tenant = "t", bool route = false, int? limit = null) =>
        site.Demand(new SiteDemand { Domain = domain, Lanes = messages == 0 ? [] : [new(tenant, MessageClass.Transactional, messages)], IsRoute = route, MaxConnections = limit, SentAt = _now }, _now);

    private void Report(Site site, SiteOrder order, SessionEvent what, Reply? reply = null, int messages = 0) =>
        site.Report(order.Order.Permit, new SessionReport { Permit = order.Order.Permit, Site = "mx:a", Domain = order.Order.Domain, Event = what, Reply = reply, Messages = messages, Answered = messages }, _now);

    /// <summary>Decides at each wake-up until the given time.</summary>
    private List<SiteOrder> Run(Site site, double seconds)
    {
        var end = _now + TimeSpan.FromSeconds(seconds);
        var all = new List<SiteOrder>();
        while (true)
        {
            all.AddRange(site.Decide(_now));
            if (site.Wake is not { } wake || wake > end) break;
            _now = wake > _now ? wake : _now + TimeSpan.FromMilliseconds(1);
        }

        _now = end;
        return all;
    }

    [Fact]
    public void Decide_NewSite_StartsWithAnEmptyBucketAndInitialConcurrency()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        Assert.Empty(site.Decide(_now));
        var orders = Run(site, 10);
        Assert.Equal(5, orders.Count);
        Assert.All(orders, o => Assert.Equal((OrderKind.Open, 100, TimeSpan.FromSeconds(60), TimeSpan.FromMilliseconds(100)), (o.Order.Kind, o.Order.MaxMessages, o.Order.Idle, o.Order.Spacing)));
    }

    [Fact]
    public void Decide_Route_HasOnlyItsConnectionLimit()
    {
        var site = Make();
        Demand(site, "d", 10_000, route: true);
        var orders = site.Decide(_now);
        Assert.Equal(20, orders.Count);
        Assert.All(orders, o => Assert.Equal((0, TimeSpan.Zero), (o.Order.MaxMessages, o.Order.Spacing)));
        var limited = Make();
        Demand(limited, "d", 10_000, route: true, limit: 3);
        Assert.Equal(3, limited.Decide(_now).Count);
    }

    [Fact]
    public void Decide_OneMessage_OpensOneConnection()
    {
        var site = Make();
        Demand(site, "d", 1, route: true);
        Assert.Single(site.Decide(_now));
        Demand(site, "d", 1, route: true);
        Assert.Empty(site.Decide(_now));
    }

    [Fact]
    public void Decide_WaitsBehindASlowSession_GetsAnotherAfterASecond()
    {
        var site = Make();
        Demand(site, "d", 1, route: true);
        Assert.Single(site.Decide(_now));
        Demand(site, "d", 1, route: true);
        Assert.Empty(site.Decide(_now));
        Assert.Equal(_now + TimeSpan.FromSeconds(1), site.Wake);
        Assert.Single(Run(site, 1));
    }

    [Fact]
    public void Decide_DemandComesAndGoes_KeepsItsOneSession()
    {
        var site = Make();
        for (var i = 0; i < 20; i++)
        {
            Demand(site, "d", 3, route: true);
            Assert.Equal(i == 0 ? 1 : 0, site.Decide(_now).Count);
            After(0.5);
            Demand(site, "d", 0, route: true);
            After(0.5);
        }
    }

    [Fact]
    public void Feedback_EachSuccess_AddsOneNth()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        foreach (var order in Run(site, 10)) Report(site, order, SessionEvent.Connected);
        // 5 + 1/5 + 1/5.2 + 1/5.39 + … = 5.9
        Assert.Equal(5, site.Limit);
        var sixth = Run(site, 10);
        Assert.Empty(sixth);
        site.Report(1, null, _now);
        foreach (var order in Run(site, 10)) Report(site, order, SessionEvent.Connected);
        Assert.Equal(6, site.Limit);
    }

    [Fact]
    public void Feedback_MessagesOfSessionsThatStay_RaiseTheLimitByOneAtATime()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        var open = Run(site, 10);
        foreach (var order in open) Report(site, order, SessionEvent.Connected);
        for (var round = 0; round < 12; round++)
        {
            foreach (var order in open.ToArray()) Report(site, order, SessionEvent.Connected, messages: 3);
            Demand(site, "d", 10_000);
            var more = Run(site, 10);
            Assert.InRange(more.Count, 0, 1);
            foreach (var order in more) Report(site, order, SessionEvent.Connected);
            open.AddRange(more);
        }

        Assert.Equal((10, 10), (site.Limit, site.Permits));
    }

    [Fact]
    public void Feedback_MessagesOfOneSession_RaiseNothingThatIsNotUsed()
    {
        var site = Make();
        Demand(site, "d", 1);
        var order = Assert.Single(Run(site, 1));
        Report(site, order, SessionEvent.Connected);
        for (var i = 0; i < 1_000; i++) Report(site, order, SessionEvent.Dry, messages: 1);
        Assert.Equal(5, site.Limit);
    }

    [Fact]
    public void Feedback_APeerThatLetsInFive_IsAskedForOneMoreOnceAMinuteAndNeverSuspended()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        var open = Run(site, 10);
        foreach (var order in open) Report(site, order, SessionEvent.Connected);
        var refused = 0;
        for (var round = 0; round < 60; round++)
        {
            foreach (var order in open) Report(site, order, SessionEvent.Connected, messages: 3);
            Demand(site, "d", 10_000);
            for (var second = 0; second < 10; second++)
            {
                foreach (var order in Run(site, 1))
                {
                    Report(site, order, SessionEvent.ConnectFailed, new Reply(421, default, "too many"));
                    refused++;
                }
            }

            Assert.Equal(default, site.State.SuspendedUntil);
        }

        Assert.InRange(refused, 9, 20);
    }

    [Fact]
    public void Feedback_MessagesOfOldSessions_EndNoSuspension()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        var orders = Run(site, 10);
        Report(site, orders[0], SessionEvent.Connected);
        foreach (var order in orders.Skip(1)) Report(site, order, SessionEvent.ConnectFailed);
        var until = site.State.SuspendedUntil;
        Assert.NotEqual(default, until);
        Report(site, orders[0], SessionEvent.Connected, messages: 3);
        Assert.Equal((until, 1), (site.State.SuspendedUntil, site.Limit));
    }

    [Fact]
    public void Feedback_421AfterMessages_TakesOneNthAndSuspendsNothing()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        var orders = Run(site, 10);
        Report(site, orders[0], SessionEvent.Lost, new Reply(421, default, "too many"), messages: 7);
        Assert.Equal(4, site.Limit);
        Assert.Equal(default, site.State.SuspendedUntil);
        Report(site, orders[1], SessionEvent.Lost, new Reply(451, default, "cut"), messages: 0);
        Assert.Equal(4, site.Limit);
        Assert.Equal(default, site.State.LastFailure);
    }

    [Fact]
    public void Suspension_OneConnectionRefused_NoLongerThanTheFirstDelayThenDoubles()
    {
        var site = Make(schedule: [TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(60)]);
        Demand(site, "d", 1, route: true);
        double[] expected = [2, 4, 8, 16, 32, 60, 60];
        foreach (var pause in expected)
        {
            var order = Assert.Single(site.Decide(_now));
            Report(site, order, SessionEvent.ConnectFailed, new Reply(0, default, "refused"));
            Assert.Equal(_now + TimeSpan.FromSeconds(pause), site.State.SuspendedUntil);
            Assert.Equal(_now, site.State.LastFailure);
            Assert.Equal("refused", site.State.Trouble!.Text);
            Assert.Empty(site.Decide(_now));
            Assert.True(site.Wake <= site.State.SuspendedUntil);
            After(pause);
            Demand(site, "d", 1, route: true);
        }

        Assert.Equal(expected.Length, site.Version);
    }

    [Fact]
    public void Retry_OfASuspendedSite_LetsOneConnectionTryAndItsFailureDoublesThePause()
    {
        var site = Make();
        Demand(site, "d", 1, route: true);
        Report(site, Assert.Single(site.Decide(_now)), SessionEvent.ConnectFailed);
        Assert.Equal(_now + TimeSpan.FromMinutes(1), site.State.SuspendedUntil);
        Assert.Empty(site.Decide(_now));
        After(10);
        site.Retry(_now);
        var order = Assert.Single(site.Decide(_now));
        Report(site, order, SessionEvent.ConnectFailed);
        Assert.Equal(_now + TimeSpan.FromMinutes(2), site.State.SuspendedUntil);

        // An order to all domains of one site comes many times.
        After(1);
        Assert.Equal(site.State.SuspendedUntil, site.Retry(_now).SuspendedUntil);
        Assert.Empty(site.Decide(_now));
    }

    [Fact]
    public void Suspension_ACohortFails_ThenOneProbeThenSlowGrowth()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        var orders = Run(site, 10);
        var failed = 0;
        foreach (var order in orders.TakeWhile(_ => site.State.SuspendedUntil == default))
        {
            Report(site, order, SessionEvent.ConnectFailed);
            failed++;
        }

        Assert.InRange(failed, 3, 5);
        Assert.Equal(_now + TimeSpan.FromMinutes(1), site.State.SuspendedUntil);
        foreach (var order in orders.Skip(failed)) Report(site, order, SessionEvent.ConnectFailed);
        Assert.Equal(1, site.Version);
        Assert.Empty(Run(site, 59));
        Demand(site, "d", 10_000);
        var probe = Assert.Single(Run(site, 20));
        Report(site, probe, SessionEvent.Connected);
        Assert.Equal(default, site.State.SuspendedUntil);
        Assert.Equal((2, 2), (site.Version, site.Limit));
        Assert.Single(Run(site, 20));
    }

    [Fact]
    public void Suspension_APeerThatGreetsAndRefuses_GoesOnDoubling()
    {
        var site = Make();
        for (var i = 0; i < 3; i++)
        {
            Demand(site, "d", 1, route: true);
            var order = Assert.Single(site.Decide(_now));
            Report(site, order, SessionEvent.Connected);
            Report(site, order, SessionEvent.Lost, new Reply(421, default, "later"));
            Assert.Equal(_now + TimeSpan.FromMinutes(1 << i), site.State.SuspendedUntil);
            _now = site.State.SuspendedUntil;
        }
    }

    [Fact]
    public void Suspension_OthersStillConnect_OnlyShrinks()
    {
        var site = Make();
        Demand(site, "d", 10_000);
        var orders = Run(site, 10);
        foreach (var order in orders.Skip(1)) Report(site, order, SessionEvent.Connected);
        Report(site, orders[0], SessionEvent.ConnectFailed);
        Assert.Equal(default, site.State.SuspendedUntil);
    }

    [Fact]
    public void Dry_OtherDomainWaits_IsServedOverTheSameConnection()
    {
        var site = Make();
        Demand(site, "a", 1, route: true, limit: 1);
        var open = Assert.Single(site.Decide(_now));
        Report(site, open, SessionEvent.Connected);
        Demand(site, "b", 1, route: true, limit: 1);
        Assert.Empty(site.Decide(_now));
        Report(site, open, SessionEvent.Dry);
        var serve = Assert.Single(site.Decide(_now));
        Assert.Equal((OrderKind.Serve, open.Order.Permit, "b"), (serve.Order.Kind, serve.Order.Permit, serve.Order.Domain));
    }

    [Fact]
    public void Dry_NoDemand_IdlesUntilDemandComes()
    {
        var site = Make();
        Demand(site, "a", 1);
        var open = Assert.Single(Run(site, 2));
        Report(site, open, SessionEvent.Dry);
        // The demand is older than the service: it was for what has been served.
        Assert.Empty(site.Decide(_now));
        Assert.Equal((1, 1), (site.Permits, site.Idle));
        Demand(site, "b", 1);
        Assert.Equal(OrderKind.Serve, Assert.Single(site.Decide(_now)).Order.Kind);
    }

    [Fact]
    public void Dry_MoreWasToldWithinTheSameMillisecond_IsServedAtOnce()
    {
        var site = Make();
        Demand(site, "a", 1, route: true, limit: 1);
        var open = Assert.Single(site.Decide(_now));
        Demand(site, "a", 1, route: true, limit: 1);
        Report(site, open, SessionEvent.Dry);
        Assert.Equal(OrderKind.Serve, Assert.Single(site.Decide(_now)).Order.Kind);
    }

    [Fact]
    public void Moved_FreesItsPermitAndRestsTheDomain_OthersGoOn()
    {
        var site = Make();
        Demand(site, "a", 1, route: true, limit: 1);
        var open = Assert.Single(site.Decide(_now));
        Demand(site, "b", 1, route: true, limit: 1);
        Report(site, open, SessionEvent.Moved);
        Assert.Equal(0, site.Permits);
        var next = Assert.Single(site.Decide(_now));
        Assert.Equal((OrderKind.Open, "b"), (next.Order.Kind, next.Order.Domain));
        Assert.Equal(default, site.State.LastFailure);
        Assert.Equal(default, site.State.SuspendedUntil);
        Report(site, next, SessionEvent.Connected);
        Report(site, next, SessionEvent.Closed);
        Demand(site, "b", 0);
        // Should it stay here all the same, it is looked at ever more seldom.
        var looks = 0;
        for (var t = 0; t < 80; t++)
        {
            foreach (var order in site.Decide(_now))
            {
                looks++;
                Report(site, order, SessionEvent.Moved);
            }

            After(1);
        }

        Assert.InRange(looks, 3, 8);
    }

    [Fact]
    public void Dry_DemandStaysStale_IsLookedAtEverMoreSeldom()
    {
        var site = Make();
        Demand(site, "a", 3, route: true);
        var looks = 0;
        for (var t = 0; t < 80; t++)
        {
            foreach (var order in site.Decide(_now))
            {
                looks++;
                Report(site, order, SessionEvent.Dry);
            }

            After(1);
        }

        Assert.InRange(looks, 4, 8);
    }

    [Fact]
    public void Dry_ManySessionsAtOnce_RestAsLongAsOne()
    {
        var site = Make();
        Demand(site, "a", 80, route: true, limit: 20);
        var open = Run(site, 2);
        Assert.Equal(20, open.Count);
        foreach (var order in open) Report(site, order, SessionEvent.Dry);
        Assert.Empty(site.Decide(_now));
        After(1);
        Assert.NotEmpty(site.Decide(_now));
    }

    [Fact]
    public void Demand_NotRepeatedFor90Seconds_IsForgotten()
    {
        var site = Make();
        Demand(site, "a", 1);
        After(91);
        Assert.Empty(site.Decide(_now));
        Assert.Empty(site.Domains);
    }

    [Fact]
    public void Fairness_TenThousandDomainsOfOneTenant_DelayAnothersMessageByNoMoreThanARound()
    {
        var site = Make();
        for (var i = 0; i < 10_000; i++) Demand(site, $"a{i}", 10, "big", route: true, limit: 10);
        var held = site.Decide(_now);
        Assert.Equal(10, held.Count);
        Demand(site, "b", 1, "small", route: true, limit: 10);
        Report(site, held[0], SessionEvent.Dry);
        Assert.Equal("b", site.Decide(_now)[0].Order.Domain);
    }

    [Fact]
    public void Fairness_SessionsNeverRunDry_MoveOnAfterTheirTurn()
    {
        var site = Make();
        for (var i = 0; i < 100; i++) Demand(site, $"a{i}", 1_000_000, "big", route: true, limit: 2);
        foreach (var order in site.Decide(_now)) Report(site, order, SessionEvent.Connected);
        Demand(site, "b", 1, "small", route: true, limit: 2);
        Assert.Empty(site.Decide(_now));
        Assert.Equal(_now + Site.Turn, site.Wake);
        var orders = Run(site, 2);
        Assert.Equal((OrderKind.Serve, "b"), (orders[0].Order.Kind, orders[0].Order.Domain));
    }

    [Fact]
    public void Fairness_ManyTenants_EachIsServedWithinOneRound()
    {
        var site = Make();
        for (var i = 0; i < 50; i++) Demand(site, $"d{i}", 1_000, $"t{i}", route: true, limit: 5);
        var seen = new HashSet<string>();
        for (var turn = 0; turn < 12; turn++)
        {
            foreach (var order in Run(site, 2.01))
            {
                seen.Add(order.Order.Domain);
                Report(site, order, SessionEvent.Connected);
            }
        }

        Assert.Equal(50, seen.Count);
    }

    [Fact]
    public void Adopt_DeclaredPermits_CountTowardsTheLimit()
    {
        var site = Make();
        site.Adopt([new(100, "w", "d", false), new(101, "w", "d", true), new(102, "w", "e", false)], _now);
        Demand(site, "d", 1_000, route: true, limit: 4);
        var orders = site.Decide(_now);
        Assert.Equal([(OrderKind.Serve, 101ul), (OrderKind.Open, 1ul)], orders.Select(o => (o.Order.Kind, o.Order.Permit)));
        After(30);
        site.Adopt([new(100, "w", "d", false)], _now);
        Assert.Equal(1, site.Permits);
    }

    /// <summary>What its session has carried was told to an activation that is no more.</summary>
    [Fact]
    public void Adopt_SessionThatCarriedMail_Its421SuspendsNothing()
    {
        var site = Make();
        site.Adopt([new(100, "w", "d", false), new(101, "w", "d", false)], _now);
        SessionReport Lost(ulong permit, int answered) => new() { Permit = permit, Site = "mx:a", Domain = "d", Event = SessionEvent.Lost, Reply = new Reply(421, default, "enough"), Answered = answered };
        site.Report(100, Lost(100, answered: 7), _now);
        Assert.Equal(default, site.State.LastFailure);
        site.Report(101, Lost(101, answered: 0), _now);
        Assert.Equal(_now, site.State.LastFailure);
    }

    [Fact]
    public void Placed_Refused_IsFreeAndTriedAgainInASecond()
    {
        var site = Make();
        Demand(site, "d", 1, route: true);
        var order = Assert.Single(site.Decide(_now));
        site.Placed(order, Placement.Refused, _now);
        Assert.Equal(0, site.Permits);
        Assert.Empty(site.Decide(_now));
        Assert.Equal(_now + TimeSpan.FromSeconds(1), site.Wake);
        After(1);
        Assert.Single(site.Decide(_now));
    }

    [Fact]
    public void Limits_AnyHistory_AreNeverExceeded() =>
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 1_000_000]).Array[50, 400].Sample(steps =>
        {
            _now = _start;
            _next = 0;
            var options = new SiteOptions { Connections = 4, InitialConnections = 2, ConnectionsPerMinute = 30 };
            var site = Make(options);
            var open = new Dictionary<ulong, SiteOrder>();
            var opened = new List<StoreTime>();
            foreach (var (step, value) in steps)
            {
                if (step <= 2) Demand(site, $"d{value % 7}", value % 50, $"t{value % 3}");
                else if (step == 3) After(value % 100 / 10.0);
                else if (step == 4 && value % 10 == 0) After(120);
                else if (open.Count > 0)
                {
                    var order = open.Values.ElementAt(value % open.Count);
                    var what = (SessionEvent)(step - 4 is >= 1 and <= 5 ? step - 4 : 1);
                    Report(site, order, what, value % 2 == 0 ? new Reply(421, default, "x") : null, value % 3);
                    if (what is SessionEvent.Closed or SessionEvent.ConnectFailed or SessionEvent.Lost) open.Remove(order.Order.Permit);
                }

                foreach (var order in site.Decide(_now))
                {
                    if (order.Order.Kind == OrderKind.Open) opened.Add(_now);
                    else Assert.True(open.ContainsKey(order.Order.Permit));
                    open[order.Order.Permit] = order;
                }

                Assert.Equal(open.Count, site.Permits);
                Assert.InRange(open.Count, 0, 4);
            }

            foreach (var time in opened) Assert.InRange(opened.Count(t => t >= time && t - time < TimeSpan.FromMinutes(1)), 1, 30);
        }, threads: 1, iter: 300);
}
