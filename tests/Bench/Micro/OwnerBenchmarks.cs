using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Grains.Sites;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.TestKit.Peers;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Bench.Micro;

/// <summary>What one owner can do at most: a site and the pool, by session (ordered, connected, closed with its messages), and a silo's view, by recipient. Each is one thread's work.</summary>
[MemoryDiagnoser]
public class OwnerBenchmarks
{
    private const int Sessions = 100, Records = 1_000;
    private readonly StoreTime _now = new(1_000_000_000);
    private readonly Site _site = new("hop:a", (route, limit) => SiteLimits.From(new SiteOptions(), [TimeSpan.FromMinutes(5)], route, limit), NextPermit, () => 0);
    private readonly EgressPool _pool;
    private readonly RecordView _view;
    private readonly LedgerStream _stream = new(7, 1);
    private static ulong s_permit;
    private long _polls, _end;
    private uint _pack;

    public OwnerBenchmarks()
    {
        _pool = new EgressPool([], _now);
        Poll([], []);
        _pool.Registered(["w"], _now);
        var clock = new PlainClock(TimeProvider.System);
        _view = new RecordView(null!, null!, clock, new SoleStanding(), new SoleSilo(), LedgerReader.Decode, () => _stream.Writer, TimeProvider.System, NullLogger<RecordView>.Instance);
    }

    [Benchmark(OperationsPerInvoke = Sessions)]
    public int Site()
    {
        _site.Demand(new SiteDemand { Domain = "d", Lanes = [new("t", MessageClass.Transactional, 100 * Sessions)], IsRoute = true, MaxConnections = Sessions, SentAt = _now }, _now);
        var count = 0;
        foreach (var order in _site.Decide(_now))
        {
            var permit = order.Order.Permit;
            _site.Report(permit, new SessionReport { Permit = permit, Site = "hop:a", Domain = "d", Event = SessionEvent.Connected }, _now);
            _site.Report(permit, new SessionReport { Permit = permit, Site = "hop:a", Domain = "d", Event = SessionEvent.Closed, Messages = 100, Answered = 100 }, _now);
            count++;
        }

        return count == Sessions ? count : throw new InvalidOperationException($"{count} sessions");
    }

    [Benchmark(OperationsPerInvoke = Sessions)]
    public int Pool()
    {
        var orders = new SiteOrder[Sessions];
        for (var i = 0; i < orders.Length; i++) orders[i] = new SiteOrder { Tenant = "t", Order = new SessionOrder { Kind = OrderKind.Open, Permit = NextPermit(), Site = "s", Domain = "d" } };
        _pool.Place(new PlaceRequest { Site = "s", MaxConnections = Sessions, Orders = orders }, _now);
        var taken = _pool.TakeOrders(_pool.Find("w")!, _now);
        Poll([.. taken.Select(o => new HeldPermit(o.Permit, o.Site, o.Domain))], [.. taken.Select(o => Report(o, SessionEvent.Connected))]);
        Poll([], [.. taken.Select(o => Report(o, SessionEvent.Closed))]);
        var told = _pool.TakeReports("s").Length;
        return told == 2 * Sessions ? told : throw new InvalidOperationException($"{told} reports");
    }

    [Benchmark(OperationsPerInvoke = Records)]
    public void View()
    {
        var records = new LedgerRecord[Records];
        _pack++;
        for (var i = 0; i < Records; i++) records[i] = new LedgerRecord { Key = new RecipientKey(9, _pack, (ushort)i), Kind = LedgerKind.Delivered, Time = _now, Attempt = 1 };
        _view.OnDurable(_stream, _end += 1, records);
    }

    private static ulong NextPermit() => ++s_permit;

    private static SessionReport Report(SessionOrder order, SessionEvent what) => new() { Permit = order.Permit, Site = order.Site, Domain = order.Domain, Event = what };

    private void Poll(HeldPermit[] held, SessionReport[] reports) =>
        _pool.Receive(new PollRequest { Worker = "w", Number = ++_polls, FreeSessions = Sessions, Held = held, Reports = reports }, _now);
}
