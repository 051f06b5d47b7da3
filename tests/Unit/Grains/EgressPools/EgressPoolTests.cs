using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Sites;
using Angarium.Mail;
using CsCheck;

namespace Angarium.Unit.Grains.EgressPools;

public class EgressPoolTests
{
    private StoreTime _now = new(1_000_000_000);
    private EgressPool _pool;
    private readonly Dictionary<string, long> _numbers = [];

    public EgressPoolTests() => _pool = new EgressPool([], _now);

    private void After(double seconds) => _now += TimeSpan.FromSeconds(seconds);

    private PollStep Poll(string worker, int free, HeldPermit[]? held = null, SessionReport[]? reports = null, long? number = null)
    {
        _numbers[worker] = number ?? _numbers.GetValueOrDefault(worker) + 1;
        var step = _pool.Receive(new PollRequest { Worker = worker, Number = _numbers[worker], FreeSessions = free, Held = held ?? [], Reports = reports ?? [] }, _now);
        _pool.Registered([worker], _now);
        return step;
    }

    private Placement Open(ulong permit, string site = "s", string tenant = "t", string domain = "d", int most = 0) => Place(OrderKind.Open, permit, site, tenant, domain, most);

    private Placement Place(OrderKind kind, ulong permit, string site = "s", string tenant = "t", string domain = "d", int most = 0) => _pool.Place(new PlaceRequest
    {
        Site = site, MaxConnections = most,
        Orders = [new SiteOrder { Tenant = tenant, Order = new SessionOrder { Kind = kind, Permit = permit, Site = site, Domain = domain } }],
    }, _now)[0];

    private ulong[] Take(string worker) => [.. _pool.TakeOrders(_pool.Find(worker)!, _now).Select(o => o.Permit)];

    private static HeldPermit Held(ulong permit, string domain = "d", string site = "s") => new(permit, site, domain);

    private static SessionReport Report(ulong permit, SessionEvent what, string domain = "d", string site = "s") => new() { Permit = permit, Site = site, Domain = domain, Event = what };

    [Fact]
    public void Orders_OfAnActivationOfASiteThatCountsNoMore_AreRefused()
    {
        _pool = new EgressPool([], _now, 7);
        Poll("w", 10);
        Assert.False(Declare(1, begins: true).Superseded);
        Assert.Equal(Placement.Taken, Answer(1, 7, 100).Placements[0]);
        Assert.False(Declare(2, begins: true).Superseded);
        var answer = Answer(1, 7, 101);
        Assert.Equal((true, Placement.Refused), (answer.Superseded, answer.Placements[0]));
        Assert.True(Declare(1, begins: false).Superseded);
        Assert.Equal(Placement.Taken, Answer(2, 7, 101).Placements[0]);
    }

    [Fact]
    public void Orders_OfASiteThatKnowsAnotherActivationOfThePool_AreRefusedAndToldSo()
    {
        _pool = new EgressPool([], _now, 7);
        Poll("w", 10);
        var answer = Answer(1, 6, 100);
        Assert.Equal((false, 7UL, Placement.Refused), (answer.Superseded, answer.Pool, answer.Placements[0]));
        Assert.Equal(7UL, Declare(1, begins: false).Pool);
        Assert.Equal(Placement.Taken, Answer(1, 7, 100).Placements[0]);
    }

    private DeclaredPermits Declare(ulong owner, bool begins) => _pool.Answer(new DeclareRequest { Site = "s", Owner = owner, Begins = begins }, _now);

    private PlaceAnswer Answer(ulong owner, ulong pool, ulong permit) => _pool.Answer(new PlaceRequest
    {
        Site = "s", Owner = owner, Pool = pool,
        Orders = [new SiteOrder { Tenant = "t", Order = new SessionOrder { Kind = OrderKind.Open, Permit = permit, Site = "s", Domain = "d" } }],
    }, _now);

    [Fact]
    public void Place_PollingWorker_GetsTheOrderAtOnce()
    {
        Poll("w", 2);
        Assert.Equal(Placement.Taken, Open(1));
        Assert.Equal("w", Assert.Single(_pool.WithOrders).Id);
        Assert.Equal([1ul], Take("w"));
        Assert.Empty(_pool.WithOrders);
    }

    [Fact]
    public void Poll_Leaving_FreesWhatItWasOrderedAndForgetsIt()
    {
        Poll("w", 2);
        Open(1);
        Assert.Equal([1ul], Take("w"));
        _pool.Receive(new PollRequest { Worker = "w", Number = 2, Leaving = true }, _now);
        Assert.Equal((0, 0), (_pool.Workers, _pool.Permits));
        Assert.Equal(1ul, Assert.Single(_pool.TakeReports("s")).Permit);
    }

    [Fact]
    public void Place_TwoWorkers_TheOneWithMostRoomGetsIt()
    {
        Poll("a", 2);
        Poll("b", 4);
        for (ulong i = 1; i <= 6; i++) Open(i);
        Assert.Equal(2, Take("a").Length);
        Assert.Equal(4, Take("b").Length);
    }

    [Fact]
    public void Place_NoRoom_WaitsForAFreeSessionThenIsGivenUp()
    {
        Poll("w", 0);
        Assert.Equal(Placement.Taken, Open(1));
        Poll("w", 1);
        Assert.Equal([1ul], Take("w"));
        Open(2);
        After(10);
        _pool.Tick(_now);
        Assert.Equal(0, _pool.Waiting);
        var told = Assert.Single(_pool.TakeReports("s"));
        Assert.Equal((2ul, null), (told.Permit, told.Session));
    }

    [Fact]
    public void Place_UnregisteredWorker_GetsNothing()
    {
        _pool.Receive(new PollRequest { Worker = "w", Number = 1, FreeSessions = 5 }, _now);
        Open(1);
        Assert.Empty(_pool.WithOrders);
        _pool.Registered(["w"], _now);
        Assert.Equal([1ul], Take("w"));
    }

    [Fact]
    public void Place_OneTenantsBacklog_DoesNotDelayAnothers()
    {
        Poll("w", 0);
        for (ulong i = 1; i <= 1_000; i++) Open(i, $"s{i}", "big");
        Open(5_000, "x", "small");
        Poll("w", 2);
        Assert.Contains(5_000ul, Take("w"));
    }

    [Fact]
    public void Dispatch_NoRoom_ClosesWhatIdlesForWhatWaits()
    {
        Poll("w", 1);
        Open(1);
        Take("w");
        Poll("w", 0, [Held(1)], [Report(1, SessionEvent.Connected), Report(1, SessionEvent.Dry)]);
        Assert.Empty(_pool.WithOrders);
        Open(2, "other");
        var close = Assert.Single(_pool.TakeOrders(_pool.Find("w")!, _now));
        Assert.Equal((OrderKind.Close, 1ul), (close.Kind, close.Permit));
        Poll("w", 1, [], [Report(1, SessionEvent.Closed)]);
        Assert.Equal([2ul], Take("w"));
    }

    [Fact]
    public void Poll_DomainHasMoved_FreesThePermitAndTellsTheSiteWhere()
    {
        Poll("w", 1);
        Open(1);
        Take("w");
        Poll("w", 1, [], [Report(1, SessionEvent.Moved) with { Route = new SiteRoute("mx:there", false, null, TimeSpan.FromMinutes(1)) }]);
        Assert.Equal(0, _pool.Permits);
        var site = Assert.Single(_pool.SitesToTell);
        Assert.Equal("mx:there", Assert.Single(_pool.TakeReports(site)).Session!.Route!.Site);
    }

    [Fact]
    public void Dispatch_NoRoomAndOneTenantHasItAll_ItsOldestSessionEndsAfterItsTurn()
    {
        Poll("w", 3);
        for (ulong i = 1; i <= 3; i++) Open(i, tenant: "big");
        Take("w");
        HeldPermit[] held = [Held(1), Held(2), Held(3)];
        Poll("w", 0, held);
        After(9);
        Open(4, "x", "small");
        Assert.Empty(_pool.WithOrders);
        After(1);
        Poll("w", 0, held);
        var close = Assert.Single(_pool.TakeOrders(_pool.Find("w")!, _now));
        Assert.Equal((OrderKind.Close, 1ul), (close.Kind, close.Permit));
    }

    [Fact]
    public void Serve_HeldPermit_GoesToItsWorker()
    {
        Poll("a", 5);
        Open(1);
        Take("a");
        Poll("b", 9);
        Poll("a", 4, [Held(1)]);
        Assert.Equal(Placement.Taken, Place(OrderKind.Serve, 1, domain: "e"));
        Assert.Equal([1ul], Take("a"));
        Assert.Equal(Placement.Unknown, Place(OrderKind.Serve, 7));
    }

    [Fact]
    public void Receive_RepeatOrOlder_ChangesNothing()
    {
        Poll("w", 5, number: 7);
        Open(1);
        Take("w");
        Assert.Equal(PollStep.Repeated, Poll("w", 5, [], [Report(1, SessionEvent.Closed)], number: 7));
        Assert.Equal(PollStep.Overtaken, Poll("w", 5, [], [Report(1, SessionEvent.Closed)], number: 3));
        Assert.Equal(1, _pool.Permits);
        Assert.Empty(_pool.SitesToTell);
    }

    [Fact]
    public void Receive_OrderOfALostAnswer_IsFreeAfterSomePolls()
    {
        Poll("w", 5);
        Open(1);
        Take("w");
        for (var i = 0; i < 3; i++)
        {
            Poll("w", 5);
            Assert.Equal(1, _pool.Permits);
            After(2);
        }

        Poll("w", 5);
        Assert.Equal(0, _pool.Permits);
        Assert.Equal(1ul, Assert.Single(_pool.TakeReports("s")).Permit);
    }

    [Fact]
    public void Receive_ServeOfALostAnswer_IsGivenAgain()
    {
        Poll("w", 5);
        Open(1);
        Take("w");
        Poll("w", 4, [Held(1)], [Report(1, SessionEvent.Dry)]);
        Place(OrderKind.Serve, 1, domain: "e");
        Take("w");
        for (var i = 0; i < 3; i++)
        {
            After(2);
            Poll("w", 4, [Held(1, "d")]);
        }

        Assert.Equal([1ul], Take("w"));
        Poll("w", 4, [Held(1, "e")]);
        After(20);
        for (var i = 0; i < 5; i++) Poll("w", 4, [Held(1, "e")]);
        Assert.Empty(_pool.WithOrders);
    }

    [Fact]
    public void Receive_DeclaredPermitNoLongerHeld_IsFree()
    {
        Poll("w", 5);
        Open(1);
        Take("w");
        Poll("w", 4, [Held(1)]);
        Poll("w", 5, []);
        Assert.Equal(0, _pool.Permits);
        Assert.Equal(1ul, Assert.Single(_pool.TakeReports("s")).Permit);
    }

    [Fact]
    public void Receive_Undeclared_CountsAgainstFreeSessions()
    {
        Poll("w", 2);
        Open(1);
        Open(2);
        Open(3);
        // This poll was under way before the answer with 1 and 2 came.
        Assert.Equal([1ul, 2ul], Take("w"));
        Poll("w", 2);
        Assert.Empty(_pool.WithOrders);
        Assert.Equal(1, _pool.Waiting);
    }

    [Fact]
    public void Tick_SilentWorker_GetsNoOrdersThenIsGone()
    {
        Poll("w", 5);
        Open(1);
        Take("w");
        Poll("w", 4, [Held(1)]);
        After(21);
        Open(2);
        Assert.Empty(_pool.WithOrders);
        Assert.Equal(2, _pool.Permits);
        After(15);
        _pool.Tick(_now);
        Assert.Equal((0, 0), (_pool.Workers, _pool.Permits));
        Assert.Equal([1ul, 2ul], _pool.TakeReports("s").Select(r => r.Permit).Order());
    }

    /// <summary>It was in a transaction and could not close in time; its site counted it no more and ordered others in its place.</summary>
    [Fact]
    public void Receive_WorkerBackFromSilence_NoConnectionTooManyIsOpened()
    {
        Poll("w", 2);
        _pool.Registered(["w"], _now);
        Open(1);
        Assert.Equal([1UL], Take("w"));
        Poll("w", 2, [Held(1)]);
        After(36);
        _pool.Tick(_now);
        Assert.Empty(_pool.Declared("s", _now).Permits);
        Assert.Equal((Placement.Taken, Placement.Taken), (Open(2, most: 2), Open(3, most: 2)));
        Poll("w", 2, [Held(1)]);
        _pool.Registered(["w"], _now);
        Assert.Equal(2, _pool.Declared("s", _now).Permits.Length);
        Assert.Single(Take("w"));
        Assert.Single(_pool.TakeReports("s"), r => r.Permit is 2 or 3);
    }

    /// <summary>As above, and the order in its place has found a worker, who has not been told of it.</summary>
    [Fact]
    public void Receive_WorkerBackFromSilence_TakesBackWhatAnotherWasToOpen()
    {
        Poll("w", 2);
        Open(1);
        Take("w");
        Poll("w", 2, [Held(1)]);
        After(36);
        _pool.Tick(_now);
        Poll("v", 1);
        Open(2, most: 1);
        Poll("w", 2, [Held(1)]);
        Assert.Empty(Take("v"));
        Assert.Equal((1UL, 1), (Assert.Single(_pool.Declared("s", _now).Permits).Permit, _pool.Find("v")!.Free));
    }

    [Fact]
    public void Restart_KnownWorkers_AreWaitedForUntilTheyDeclareOrAreGone()
    {
        _pool = new EgressPool(["a", "b"], _now);
        Poll("a", 5, [Held(77), Held(78, "e", "other")]);
        Assert.False(_pool.Declared("s", _now).Complete);
        Assert.Equal(Placement.Refused, Open(1));
        After(35);
        _pool.Tick(_now);
        Poll("a", 5, [Held(77), Held(78, "e", "other")]);
        var declared = _pool.Declared("s", _now);
        Assert.True(declared.Complete);
        Assert.Equal(new DeclaredPermit(77, "a", "d", false), Assert.Single(declared.Permits));
        Assert.Equal(["a"], _pool.Known);
        Assert.Equal(Placement.Taken, Open(1));
    }

    /// <summary>A worker may follow the activation before this one until it has heard of this one: what it holds by then, its next poll says.</summary>
    [Fact]
    public void Restart_WorkerHasNotHeardOfThisActivation_IsWaitedFor()
    {
        var pool = new EgressPool(["w"], _now, id: 1, claim: 8);
        var poll = new PollRequest { Worker = "w", Number = 5, FreeSessions = 3, Claim = 7, Held = [Held(1)] };
        Assert.Equal(PollStep.Taken, pool.Receive(poll, _now));
        Assert.False(pool.Declared("s", _now).Complete);
        Assert.Equal(PollStep.Taken, pool.Receive(poll with { Number = 6, Claim = 8, Held = [Held(1), Held(2)] }, _now));
        Assert.True(pool.Declared("s", _now).Complete);
        Assert.Equal(2, pool.Declared("s", _now).Permits.Length);
    }

    [Fact]
    public void Restart_AllDeclare_GoesOnAtOnce()
    {
        _pool = new EgressPool(["a"], _now);
        Poll("a", 5, [Held(77)]);
        Assert.True(_pool.Declared("s", _now).Complete);
        Assert.Equal(Placement.Taken, Open(1));
    }

    [Fact]
    public void Pool_AnyHistoryOfLostPollsAndDeaths_KeepsItsBooks() =>
        Gen.Select(Gen.Int[0, 11], Gen.Int[0, 1_000_000]).Array[50, 300].Sample(steps =>
        {
            _now = new StoreTime(1_000_000_000);
            _pool = new EgressPool([], _now);
            _numbers.Clear();
            ulong next = 0;
            string[] names = ["a", "b", "c"];
            var holds = names.ToDictionary(n => n, _ => new Dictionary<ulong, SessionOrder>());
            var reports = names.ToDictionary(n => n, _ => new List<SessionReport>());
            foreach (var (step, value) in steps)
            {
                var name = names[value % 3];
                var mine = holds[name];
                switch (step)
                {
                    case <= 3:
                        Open(++next, $"s{value % 4}", $"t{value % 5}");
                        break;
                    case <= 6:
                        // An answer is lost now and then: its orders never reach the worker, and the next poll repeats the reports.
                        Poll(name, 4 - mine.Count, [.. mine.Values.Select(o => new HeldPermit(o.Permit, o.Site, o.Domain))], [.. reports[name]]);
                        var orders = _pool.TakeOrders(_pool.Find(name)!, _now);
                        if (value % 7 == 0) break;
                        reports[name].Clear();
                        foreach (var order in orders)
                        {
                            if (order.Kind == OrderKind.Open) mine[order.Permit] = order;
                            else if (order.Kind == OrderKind.Close && mine.Remove(order.Permit)) reports[name].Add(Report(order.Permit, SessionEvent.Closed, order.Domain, order.Site));
                        }

                        break;
                    case <= 8 when mine.Count > 0:
                        var held = mine.Values.ElementAt(value % mine.Count);
                        var what = value % 2 == 0 ? SessionEvent.Dry : SessionEvent.ConnectFailed;
                        reports[name].Add(Report(held.Permit, what, held.Domain, held.Site));
                        if (what == SessionEvent.ConnectFailed) mine.Remove(held.Permit);
                        break;
                    case 9:
                        After(value % 60 / 10.0);
                        _pool.Tick(_now);
                        break;
                    case 10 when value % 10 == 0:
                        mine.Clear();
                        reports[name].Clear();
                        After(40);
                        _pool.Tick(_now);
                        break;
                }
            }

            // Everybody dies: nothing is left, and each permit was told to be free or ended by a report.
            After(60);
            _pool.Tick(_now);
            Assert.Equal((0, 0, 0), (_pool.Permits, _pool.Waiting, _pool.Workers));
        }, threads: 1, iter: 300);
}
