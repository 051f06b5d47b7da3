using Angarium.Contracts.EgressPools;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Sites;
using Angarium.Mail;

namespace Angarium.Unit.Grains.Sites;

/// <summary>
/// Promise 7 from the queues' demand to the wire: many sites over one pool and its only worker, whose sessions one tenant has all. What a queue grants within a session is shared the same way
/// (DomainQueueTests.Lanes_OfTenants_ShareByTurns).
/// </summary>
public class FairnessTests
{
    private const int Sessions = 8, Sites = 20, DomainsOfASite = 10;

    private readonly Dictionary<string, Site> _sites = [];
    private readonly Dictionary<ulong, (string Site, string Domain, StoreTime UsedUpAt)> _held = [];
    private readonly List<SessionReport> _reports = [];
    private readonly EgressPool _pool;
    private readonly HashSet<string> _served = [];
    private StoreTime _now = new(1_000_000_000);
    private TimeSpan _connectionsLast = TimeSpan.FromSeconds(1);
    private ulong _permits;
    private long _polls;

    public FairnessTests()
    {
        _pool = new EgressPool([], _now);
        for (var i = 0; i < Sites; i++)
        {
            _sites["mx:" + i] = new Site("mx:" + i, (route, limit) => SiteLimits.From(new SiteOptions(), [TimeSpan.FromMinutes(5)], route, limit), () => ++_permits, () => 0);
        }
    }

    /// <summary>Whether connections are replaced within seconds or last; a site whose only one is replaced meanwhile has none.</summary>
    [Theory]
    [InlineData(true, 600)]
    [InlineData(false, 600)]
    [InlineData(false, 1)]
    public void Message_OfAQuietTenant_WaitsForNoMoreThanATurn(bool siteHasSessions, int connectionsLast)
    {
        _connectionsLast = TimeSpan.FromSeconds(connectionsLast);
        for (var second = 0; second < 60; second++)
        {
            if (second % 20 == 0) Demand("loud", 10_000);
            for (var i = 0; i < 4; i++) Step();
        }

        Assert.InRange(_held.Count, Sessions - 1, Sessions);
        Assert.DoesNotContain("quiet.test", _served);
        var there = _held.Values.Select(h => h.Site).ToHashSet();
        var site = _sites.Keys.First(name => there.Contains(name) == siteHasSessions);
        _sites[site].Demand(new SiteDemand { Domain = "quiet.test", Lanes = [new("quiet", MessageClass.Transactional, 1)], SentAt = _now }, _now);
        var began = _now;
        while (!_served.Contains("quiet.test") && _now - began < TimeSpan.FromMinutes(1)) Step();
        var limit = siteHasSessions ? Site.Turn : EgressPool.Turn;
        Assert.InRange((_now - began).TotalSeconds, 0, limit.TotalSeconds + 2);
    }

    /// <summary>Tenants first: who is at one domain has as many sessions as who is at hundreds, where both have more to send than the pool can carry.</summary>
    [Fact]
    public void Sessions_OfTwoTenants_AreTheSameHoweverManyDomainsEachHas()
    {
        var shares = new Dictionary<bool, int> { [true] = 0, [false] = 0 };
        for (var second = 0; second < 300; second++)
        {
            if (second % 20 == 0)
            {
                Demand("loud", 10_000);
                for (var i = 0; i < 4; i++) _sites["mx:" + i].Demand(new SiteDemand { Domain = $"one{i}.test", Lanes = [new("one", MessageClass.Transactional, 10_000)], SentAt = _now }, _now);
            }

            for (var i = 0; i < 4; i++) Step();
            if (second < 100) continue;
            foreach (var (_, domain, _) in _held.Values) shares[domain.StartsWith("one", StringComparison.Ordinal)]++;
        }

        Assert.InRange((double)shares[true] / shares[false], 0.6, 1.7);
    }

    private void Demand(string tenant, int messages)
    {
        foreach (var (name, site) in _sites)
        {
            for (var i = 0; i < DomainsOfASite; i++)
                site.Demand(new SiteDemand { Domain = $"{i}.{name[3..]}.test", Lanes = [new(tenant, MessageClass.Transactional, messages)], SentAt = _now }, _now);
        }
    }

    /// <summary>A quarter of a second: sites order, the worker polls and follows, the sites hear what became of it.</summary>
    private void Step()
    {
        _now += TimeSpan.FromMilliseconds(250);
        foreach (var (name, site) in _sites)
        {
            var orders = site.Decide(_now);
            var placements = _pool.Place(new PlaceRequest { Site = name, Orders = [.. orders], MaxConnections = site.MaxConnections }, _now);
            for (var i = 0; i < orders.Count; i++) site.Placed(orders[i], placements[i], _now);
        }

        // Always as busy as it may be, a connection carries its messages and is replaced.
        foreach (var (permit, held) in _held.Where(h => h.Value.UsedUpAt <= _now).ToArray())
        {
            _held.Remove(permit);
            _reports.Add(new SessionReport { Permit = permit, Site = held.Site, Domain = held.Domain, Event = SessionEvent.Closed });
        }

        _pool.Receive(new PollRequest
        {
            Worker = "w", Number = ++_polls, FreeSessions = Sessions - _held.Count, Held = [.. _held.Select(h => new HeldPermit(h.Key, h.Value.Site, h.Value.Domain))], Reports = [.. _reports],
        }, _now);
        _pool.Registered(["w"], _now);
        _reports.Clear();
        foreach (var order in _pool.TakeOrders(_pool.Find("w")!, _now)) Follow(order);
        _pool.Tick(_now);
        foreach (var name in _pool.SitesToTell.ToArray())
            foreach (var report in _pool.TakeReports(name)) _sites[name].Report(report.Permit, report.Session, _now);
    }

    private void Follow(SessionOrder order)
    {
        var report = new SessionReport { Permit = order.Permit, Site = order.Site, Domain = order.Domain, Event = SessionEvent.Connected };
        if (order.Kind == OrderKind.Close)
        {
            _held.Remove(order.Permit);
            _reports.Add(report with { Event = SessionEvent.Closed });
            return;
        }

        // An order for a connection that ended meanwhile is nobody's: what was reported of it says so.
        var usedUpAt = _now + _connectionsLast;
        if (order.Kind == OrderKind.Open) _reports.Add(report);
        else if (_held.TryGetValue(order.Permit, out var held)) usedUpAt = held.UsedUpAt;
        else return;
        _held[order.Permit] = (order.Site, order.Domain, usedUpAt);
        _served.Add(order.Domain);
    }
}
