using Angarium.Contracts.EgressPools;
using Angarium.Grains.Index;
using Angarium.Grains.Sites;
using Angarium.Mail;

namespace Angarium.Grains.EgressPools;

/// <summary>What became of a poll: taken in; a repeat, which changes nothing; overtaken by a later one or refused, so that its reports stay with the worker.</summary>
internal enum PollStep { Taken, Repeated, Overtaken, Refused }

/// <summary>
/// The workers of one pool, their free sessions, and who holds which permit (design rules 21 and 22). Orders of sites go to the worker with most room, over tenants
/// first; reports go back to the sites. A plain machine on its grain's turn, with time passed in; each event costs O(log n). A crash loses all of it: workers
/// declare again, and until each that was known has declared or been silent for 35 s, nothing is given.
/// </summary>
/// <param name="known">Workers listed in the pool's document when this began.</param>
/// <param name="id">This activation's random number, its owner token in the pool's document.</param>
/// <param name="claim">The number of its claim of the pool.</param>
internal sealed class EgressPool(IEnumerable<string> known, StoreTime began, ulong id = 0, long claim = 0)
{
    public const int MaxWorkers = 1_000;

    public const int MaxWaiting = 100_000;

    public const int MaxWaitingPerSite = 256;

    public const int MaxOrdersPerAnswer = 256;

    /// <summary>Permits and reports in one poll beyond this are refused with it: no worker has so many sessions.</summary>
    public const int MaxHeld = 50_000;

    public static readonly TimeSpan LongPoll = TimeSpan.FromSeconds(5);

    /// <summary>Design rule 21: a worker that could not poll for so long closes its connections; it gets no more orders.</summary>
    public static readonly TimeSpan Silent = TimeSpan.FromSeconds(20);

    /// <summary>Design rule 21: after so long nothing of it lives.</summary>
    public static readonly TimeSpan Gone = TimeSpan.FromSeconds(35);

    /// <summary>An order waits so long for a worker; then its site decides anew.</summary>
    public static readonly TimeSpan WaitingLasts = TimeSpan.FromSeconds(10);

    /// <summary>How long a session keeps its connection while another tenant's order finds no free session in the whole pool.</summary>
    public static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    private const int UnseenPolls = 3;

    private const int MaxOwners = 200_000;

    private static readonly TimeSpan s_unseen = TimeSpan.FromSeconds(5);

    private readonly HashSet<string> _awaited = [.. known];
    private readonly Dictionary<string, PoolWorker> _workers = [];
    private readonly LinkedList<PoolWorker> _heard = [];
    private readonly SortedSet<PoolWorker> _room = new(Comparer<PoolWorker>.Create(static (a, b) => a.Free != b.Free ? b.Free.CompareTo(a.Free) : string.CompareOrdinal(a.Id, b.Id)));
    private readonly Dictionary<ulong, PoolPermit> _permits = [];
    private readonly Dictionary<string, Dictionary<ulong, PoolPermit>> _sites = [];
    private readonly FairLanes<PoolPermit> _lanes = new();
    private readonly LinkedList<PoolPermit> _waiting = [];
    private readonly LinkedList<PoolPermit> _idle = [];
    private readonly LinkedList<PoolPermit> _serving = [];
    private readonly HashSet<PoolWorker> _withOrders = [];
    private readonly Dictionary<string, List<SiteReport>> _reports = [];
    private readonly Dictionary<string, ulong> _owners = [];
    private int _closing;

    public long Claim => claim;

    public int Permits => _permits.Count;

    public int Waiting => _waiting.Count;

    public int Workers => _workers.Count;

    /// <summary>Workers that are to be in the pool's document.</summary>
    public IEnumerable<string> Known => _workers.Keys.Concat(_awaited).Distinct();

    /// <summary>Rises when <see cref="Known"/> changes.</summary>
    public int KnownVersion { get; private set; }

    /// <summary>Workers with orders to take.</summary>
    public IReadOnlyCollection<PoolWorker> WithOrders => _withOrders;

    public bool IsComplete(StoreTime now) => _awaited.Count == 0 || now - began >= Gone;

    public PollStep Receive(PollRequest request, StoreTime now)
    {
        if (request.Held.Length > MaxHeld || request.Reports.Length > MaxHeld) return PollStep.Refused;
        if (!_workers.TryGetValue(request.Worker, out var worker))
        {
            if (_workers.Count >= MaxWorkers) return PollStep.Refused;
            _workers[request.Worker] = worker = new PoolWorker(request.Worker);
            worker.Registered = _awaited.Contains(worker.Id);
            KnownVersion++;
        }

        // One that was overtaken is told to bring its reports again.
        if (request.Number < worker.Number) return PollStep.Overtaken;
        if (request.Number == worker.Number) return PollStep.Repeated;
        worker.Number = request.Number;
        // Until it has heard of this activation it may follow an earlier one, and hold more than it says.
        if (request.Claim == claim || (request.Leaving && request.Held.Length == 0)) _awaited.Remove(worker.Id);
        Heard(worker, now);
        foreach (var report in request.Reports) Take(worker, report);
        SetFree(worker, Math.Clamp(request.FreeSessions, 0, 1_000_000) - Compare(worker, request, now));
        // What it was ordered and never began is free again at once.
        if (request.Leaving && request.Held.Length == 0) Remove(worker);
        Dispatch(now);
        return PollStep.Taken;
    }

    /// <summary>The long poll of a worker ended: it was there until now.</summary>
    public void Answered(string id, StoreTime now)
    {
        if (_workers.TryGetValue(id, out var worker)) Heard(worker, now);
    }

    /// <summary>These workers are in the document now.</summary>
    public void Registered(IEnumerable<string> ids, StoreTime now)
    {
        foreach (var id in ids)
        {
            if (!_workers.TryGetValue(id, out var worker) || worker.Registered) continue;
            worker.Registered = true;
            SetFree(worker, worker.Free);
        }

        Dispatch(now);
    }

    /// <summary>The orders for a worker's answer to its present poll.</summary>
    public SessionOrder[] TakeOrders(PoolWorker worker, StoreTime now)
    {
        var orders = new SessionOrder[Math.Min(worker.Outbox.Count, MaxOrdersPerAnswer)];
        for (var i = 0; i < orders.Length; i++)
        {
            var order = worker.Outbox.First!.Value;
            worker.Outbox.RemoveFirst();
            worker.Given[order.Order.Permit] = new GivenOrder(order, worker.Number, now);
            orders[i] = order.Order;
        }

        if (worker.Outbox.Count == 0) _withOrders.Remove(worker);
        return orders;
    }

    public PoolWorker? Find(string id) => _workers.GetValueOrDefault(id);

    /// <summary>Places the orders of the activation of a site that counts, if it knows what is declared here.</summary>
    public PlaceAnswer Answer(PlaceRequest request, StoreTime now)
    {
        var superseded = !Counts(request.Site, request.Owner, begins: false);
        var placements = superseded || request.Pool != id ? Refuse(request) : Place(request, now);
        return new PlaceAnswer { Placements = placements, Superseded = superseded, Pool = id };
    }

    public DeclaredPermits Answer(DeclareRequest request, StoreTime now) =>
        Declared(request.Site, now) with { Superseded = !Counts(request.Site, request.Owner, request.Begins), Pool = id };

    public static Placement[] Refuse(PlaceRequest request) => [.. request.Orders.Select(static _ => Placement.Refused)];

    // Two activations of a site each believe to own its limit: the one that began last does. Whom the pool has forgotten may go on, as after a move of the pool.
    private bool Counts(string site, ulong owner, bool begins)
    {
        if (_owners.TryGetValue(site, out var counts) && !begins) return counts == owner;
        if (_owners.Count >= MaxOwners) _owners.Clear();
        _owners[site] = owner;
        return true;
    }

    public Placement[] Place(PlaceRequest request, StoreTime now)
    {
        var placements = new Placement[request.Orders.Length];
        for (var i = 0; i < placements.Length; i++) placements[i] = Place(request.Site, request.Orders[i], request.MaxConnections, now);
        Dispatch(now);
        return placements;
    }

    public DeclaredPermits Declared(string site, StoreTime now) => new()
    {
        Complete = IsComplete(now),
        Permits = _sites.TryGetValue(site, out var permits)
            ? [.. permits.Values.Select(p => new DeclaredPermit(p.Id, p.Worker?.Id, p.Domain, p.Idle))]
            : [],
    };

    /// <summary>Sites that are to be told something.</summary>
    public IReadOnlyCollection<string> SitesToTell => _reports.Keys;

    /// <summary>What a site is to be told, once.</summary>
    public SiteReport[] TakeReports(string site) => _reports.Remove(site, out var reports) ? [.. reports] : [];

    /// <summary>Ends what has waited or been silent for too long. Twice a second or so.</summary>
    public void Tick(StoreTime now)
    {
        if (_awaited.Count > 0 && now - began >= Gone)
        {
            _awaited.Clear();
            KnownVersion++;
        }

        while (_heard.First is { } oldest && now - oldest.Value.HeardAt >= Gone) Remove(oldest.Value);
        while (_waiting.First is { } first && now - first.Value.Since >= WaitingLasts) Free(first.Value);
        Dispatch(now);
    }

    private Placement Place(string site, SiteOrder order, int most, StoreTime now)
    {
        var id = order.Order.Permit;
        if (order.Order.Kind == OrderKind.Open)
        {
            if (_permits.ContainsKey(id)) return Placement.Taken;
            if (!IsComplete(now) || _waiting.Count >= MaxWaiting) return Placement.Refused;
            if (_sites.TryGetValue(site, out var others) && most > 0 && others.Count >= most) return Placement.Refused;
            if (others is not null && others.Count > MaxWaitingPerSite && others.Values.Count(p => p.Waiting is not null) >= MaxWaitingPerSite) return Placement.Refused;
            var waiting = Add(new PoolPermit(id, site) { Domain = order.Order.Domain, Waiting = order, Most = most, Since = now });
            waiting.LanePlace = _lanes.Add(order.Lane, waiting);
            waiting.Place = _waiting.AddLast(waiting);
            return Placement.Taken;
        }

        if (!_permits.TryGetValue(id, out var permit) || permit.Worker is not { } worker) return Placement.Unknown;
        if (permit.Closing) return Placement.Taken;
        Send(worker, order);
        if (order.Order.Kind == OrderKind.Close) permit.Closing = Closing(permit);
        else Serve(permit, order, now);
        return Placement.Taken;
    }

    /// <summary>Waiting orders go to the workers with most room, tenants first; when there is no room, connections that idle or have had their turn are closed for them.</summary>
    private void Dispatch(StoreTime now)
    {
        while (_lanes.TryPeek(out var lane, out var permit) && Roomiest(now) is { } worker)
        {
            var order = permit.Waiting!;
            _lanes.Charge(lane);
            _lanes.Remove(lane, permit.LanePlace!);
            (permit.LanePlace, permit.Waiting) = (null, null);
            Unplace(permit);
            (permit.Worker, permit.Lane, permit.Since) = (worker, lane, now);
            permit.Place = _serving.AddLast(permit);
            worker.Permits.Add(permit.Id);
            SetFree(worker, worker.Free - 1);
            Send(worker, order);
        }

        Reclaim(now);
    }

    private void Reclaim(StoreTime now)
    {
        if (_workers.Count == 0) return;
        for (var node = _idle.First; node is not null && _closing < _waiting.Count; node = node.Next)
        {
            if (!node.Value.Closing) Close(node.Value);
        }

        if (_closing >= _waiting.Count || !_lanes.TryPeek(out var lane, out _)) return;
        for (var node = _serving.First; node is not null && now - node.Value.Since >= Turn; node = node.Next)
        {
            var permit = node.Value;
            if (permit.Closing || (permit.Lane is { } held && _lanes.HeldBy(held) <= _lanes.HeldBy(lane) + 1)) continue;
            Close(permit);
            return;
        }
    }

    private void Close(PoolPermit permit)
    {
        permit.Closing = Closing(permit);
        Send(permit.Worker!, new SiteOrder
        {
            Tenant = "",
            Order = new SessionOrder { Kind = OrderKind.Close, Permit = permit.Id, Site = permit.Site, Domain = permit.Domain },
        });
    }

    private bool Closing(PoolPermit permit)
    {
        if (!permit.Closing) _closing++;
        return true;
    }

    private PoolWorker? Roomiest(StoreTime now)
    {
        while (_room.Min is { Free: > 0 } worker)
        {
            if (now - worker.HeardAt < Silent) return worker;
            _room.Remove(worker);
        }

        return null;
    }

    private void Send(PoolWorker worker, SiteOrder order)
    {
        // The newest order for a permit is the one that counts.
        for (var node = worker.Outbox.First; node is not null && order.Order.Kind != OrderKind.Open; node = node.Next)
        {
            if (node.Value.Order.Permit != order.Order.Permit || node.Value.Order.Kind == OrderKind.Open) continue;
            worker.Outbox.Remove(node);
            break;
        }

        worker.Outbox.AddLast(order);
        _withOrders.Add(worker);
    }

    private void Take(PoolWorker worker, SessionReport report)
    {
        if (!_reports.TryGetValue(report.Site, out var site)) _reports[report.Site] = site = [];
        site.Add(new SiteReport { Permit = report.Permit, Session = report });
        if (!_permits.TryGetValue(report.Permit, out var permit) || permit.Worker != worker) return;
        if (report.Event == SessionEvent.Connected) return;
        if (report.Event == SessionEvent.Dry)
        {
            // One that was given another domain meanwhile goes on with that one.
            if (permit.Domain != report.Domain || permit.Idle) return;
            worker.Given.Remove(permit.Id);
            Uncharge(permit);
            Unplace(permit);
            permit.Idle = true;
            permit.Place = _idle.AddLast(permit);
            return;
        }

        Drop(permit);
    }

    /// <summary>
    /// What the worker holds against what we think: unknown permits are adopted, missing ones are free, orders that never showed are given again or up.
    /// Returns the sessions that it is still to open.
    /// </summary>
    private int Compare(PoolWorker worker, PollRequest request, StoreTime now)
    {
        var held = new HashSet<ulong>(request.Held.Length);
        foreach (var h in request.Held)
        {
            if (!held.Add(h.Permit)) continue;
            if (!_permits.TryGetValue(h.Permit, out var permit))
            {
                permit = Add(new PoolPermit(h.Permit, h.Site) { Domain = h.Domain, Worker = worker, Since = now });
                permit.Place = _serving.AddLast(permit);
                worker.Permits.Add(h.Permit);
                MakeRoom(h.Site);
            }

            if (permit.Worker != worker) continue;
            permit.Declared = true;
            if (!worker.Given.TryGetValue(h.Permit, out var given)) continue;
            var shown = given.Order.Order.Kind != OrderKind.Close && given.Order.Order.Domain == h.Domain;
            if (shown || Unseen(given, request.Number, now)) worker.Given.Remove(h.Permit);
            if (!shown && !worker.Given.ContainsKey(h.Permit)) Send(worker, given.Order);
        }

        var coming = 0;
        foreach (var id in worker.Permits.Where(id => !held.Contains(id)).ToArray())
        {
            var permit = _permits[id];
            if (permit.Declared || (worker.Given.TryGetValue(id, out var given) && Unseen(given, request.Number, now))) Free(permit);
            else coming++;
        }

        return coming;
    }

    /// <summary>A worker that was silent comes back with a connection that its site no longer counted: what no worker has begun to open in its place is free.</summary>
    private void MakeRoom(string site)
    {
        var permits = _sites[site];
        foreach (var other in permits.Values.Where(p => p.Most > 0).ToArray())
        {
            if (permits.Count <= other.Most) return;
            if (other.Waiting is not null || Recall(other)) Free(other);
        }
    }

    /// <summary>Takes back an order that its worker has not been given yet.</summary>
    private bool Recall(PoolPermit permit)
    {
        if (permit.Worker is not { } worker) return false;
        for (var node = worker.Outbox.First; node is not null; node = node.Next)
        {
            if (node.Value.Order.Permit != permit.Id || node.Value.Order.Kind != OrderKind.Open) continue;
            worker.Outbox.Remove(node);
            if (worker.Outbox.Count == 0) _withOrders.Remove(worker);
            SetFree(worker, worker.Free + 1);
            return true;
        }

        return false;
    }

    private static bool Unseen(GivenOrder given, long number, StoreTime now) => number - given.Number >= UnseenPolls && now - given.At >= s_unseen;

    /// <summary>Another domain of the same lane goes on with that lane's turn: who is at many domains holds a connection no longer than who is at one.</summary>
    private void Serve(PoolPermit permit, SiteOrder order, StoreTime now)
    {
        permit.Domain = order.Order.Domain;
        if (!permit.Idle && permit.Lane == order.Lane) return;
        Uncharge(permit);
        Unplace(permit);
        _lanes.Hold(order.Lane);
        (permit.Lane, permit.Idle, permit.Since) = (order.Lane, false, now);
        permit.Place = _serving.AddLast(permit);
    }

    private void Heard(PoolWorker worker, StoreTime now)
    {
        worker.HeardAt = now;
        if (worker.Heard is { } place) _heard.Remove(place);
        worker.Heard = _heard.AddLast(worker);
    }

    private void SetFree(PoolWorker worker, int free)
    {
        _room.Remove(worker);
        worker.Free = free;
        if (worker.Registered && free > 0) _room.Add(worker);
    }

    private PoolPermit Add(PoolPermit permit)
    {
        _permits.Add(permit.Id, permit);
        if (!_sites.TryGetValue(permit.Site, out var site)) _sites[permit.Site] = site = [];
        site.Add(permit.Id, permit);
        return permit;
    }

    private void Remove(PoolWorker worker)
    {
        foreach (var id in worker.Permits.ToArray()) Free(_permits[id]);
        SetFree(worker, 0);
        _heard.Remove(worker.Heard!);
        _workers.Remove(worker.Id);
        _withOrders.Remove(worker);
        KnownVersion++;
    }

    /// <summary>Nobody holds it any more; its site is told.</summary>
    private void Free(PoolPermit permit)
    {
        if (!_reports.TryGetValue(permit.Site, out var site)) _reports[permit.Site] = site = [];
        site.Add(new SiteReport { Permit = permit.Id });
        Drop(permit);
    }

    private void Drop(PoolPermit permit)
    {
        _permits.Remove(permit.Id);
        if (_sites.TryGetValue(permit.Site, out var site) && site.Remove(permit.Id) && site.Count == 0) _sites.Remove(permit.Site);
        if (permit.Waiting is { } waiting) _lanes.Remove(waiting.Lane, permit.LanePlace!);
        if (permit.Closing) _closing--;
        Uncharge(permit);
        Unplace(permit);
        if (permit.Worker is not { } worker) return;
        worker.Permits.Remove(permit.Id);
        worker.Given.Remove(permit.Id);
    }

    private void Uncharge(PoolPermit permit)
    {
        if (permit.Lane is { } lane) _lanes.Release(lane);
        permit.Lane = null;
    }

    private static void Unplace(PoolPermit permit)
    {
        if (permit.Place is { } place) place.List!.Remove(place);
        permit.Place = null;
    }
}
