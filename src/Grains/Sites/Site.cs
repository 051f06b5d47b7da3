using Angarium.Contracts.EgressPools;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.Sites;

/// <summary>
/// Pace towards one (egress pool, MX host set or route): who may connect now, on whose behalf, and when nobody may (design rules 21 and 22). It owns the permits, one
/// a connection, and never sees a message. A plain machine on its grain's turn, with time passed in; each event costs O(log n). A crash loses all of it:
/// permits are declared again by the workers through the pool, demand by the domains, rates start empty, suspensions are found out by the first connection.
/// </summary>
/// <param name="limits">The limits in force, for a route (with its own connection limit, if any) or not; asked again at each event.</param>
/// <param name="draw">Random permit ids.</param>
/// <param name="jitter">Random numbers from 0 to 1.</param>
internal sealed class Site(string name, Func<bool, int?, SiteLimits> limits, Func<ulong> draw, Func<double> jitter)
{
    public const int MaxDomains = 200_000;

    /// <summary>Lanes of one domain that take part; its own queue shares among the rest.</summary>
    public const int MaxLanes = 1_000;

    /// <summary>Messages that one session is thought to be busy with: so many more wait before a domain gets a further one.</summary>
    private const int MessagesPerSession = 4;

    /// <summary>How long a session serves one domain while others wait in vain.</summary>
    public static readonly TimeSpan Turn = TimeSpan.FromSeconds(2);

    public static readonly TimeSpan DemandLasts = TimeSpan.FromSeconds(90);

    /// <summary>An order may be on its way for so long before a pool that does not know it disproves it.</summary>
    public static readonly TimeSpan OrderOnItsWay = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_ramp = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_retryRefused = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_retryAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_oneMoreAgain = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_longestRest = TimeSpan.FromSeconds(30);

    private readonly FairLanes<SiteDomain> _lanes = new();
    private readonly Dictionary<string, SiteDomain> _domains = [];
    private readonly LinkedList<SiteDomain> _heard = [];
    private readonly PriorityQueue<SiteDomain, StoreTime> _revisits = new();
    private readonly Dictionary<ulong, SitePermit> _permits = [];
    private readonly LinkedList<SitePermit> _idle = [];
    private readonly LinkedList<SitePermit> _serving = [];
    private readonly TokenBucket _connections = new();

    private SiteLimits _limits = limits(false, null);
    private bool _isRoute;
    private int? _routeConnections;
    private double _window = double.NaN;
    private double _failedCohort;
    private int _level;

    /// <summary>Demands heard. Two events may fall into one millisecond, so that which came first is told by this and not by the time.</summary>
    private long _demands;
    private bool _probing;
    private StoreTime _blockedUntil;
    private StoreTime _retriedAt;
    private StoreTime _shrunkAt;
    private StoreTime _wake;

    public SiteState State { get; private set; } = new();

    /// <summary>Rises when <see cref="State"/> changes in a way that domains must hear of.</summary>
    public int Version { get; private set; }

    public int Permits => _permits.Count;

    public int Idle => _idle.Count;

    /// <summary>Messages that the domains said are due here, when each was heard last.</summary>
    public long Waiting { get; private set; }

    /// <summary>Domains with demand.</summary>
    public IEnumerable<string> Domains => _heard.Select(d => d.Name);

    /// <summary>Connections that it may have now.</summary>
    public int Limit => _probing ? 1 : Math.Max(1, (int)Math.Min(_limits.Connections, double.IsNaN(_window) ? _limits.Initial : _window + 1e-9));

    /// <summary>Connections that it may ever have.</summary>
    public int MaxConnections => _limits.Connections;

    /// <summary>When <see cref="Decide"/> could have something new to say without any event; null = not by itself.</summary>
    public StoreTime? Wake => _wake == default ? null : _wake;

    public SiteState Demand(SiteDemand demand, StoreTime now)
    {
        (_isRoute, _routeConnections) = (demand.IsRoute, demand.MaxConnections);
        Expire(now);
        if (!_domains.TryGetValue(demand.Domain, out var domain))
        {
            // A domain too many is told the state and tries again with its next demand.
            if (demand.Lanes.Length == 0 || _domains.Count >= MaxDomains) return State;
            _domains[demand.Domain] = domain = new SiteDomain(demand.Domain);
        }

        Leave(domain);
        if (domain.Messages == 0) domain.WaitsSince = now;
        domain.Lanes = demand.Lanes.Length <= MaxLanes ? demand.Lanes : demand.Lanes[..MaxLanes];
        Waiting -= domain.Messages;
        Waiting += domain.Messages = demand.Lanes.Sum(l => (long)Math.Max(0, l.Messages));
        (domain.HeardAt, domain.HeardAs) = (now, ++_demands);
        domain.RestUntil = default;
        domain.Rest = default;
        domain.Wanted = (domain.Messages + MessagesPerSession - 1) / MessagesPerSession;
        WantMore(domain, now);
        if (domain.Messages > 0 && !domain.IsHungry) Revisit(domain, now + s_ramp);
        if (domain.Heard is { } place) _heard.Remove(place);
        domain.Heard = domain.Messages > 0 ? _heard.AddLast(domain) : null;
        Enter(domain);
        ForgetIfUnused(domain);
        return State;
    }

    /// <summary>An operator's word ends a suspension: one connection tries, as after any, and its failure suspends for as long as it would have without that word.</summary>
    public SiteState Retry(StoreTime now)
    {
        if (State.SuspendedUntil <= now || now - _retriedAt < s_retryAgain) return State;
        _retriedAt = now;
        return State = State with { SuspendedUntil = now };
    }

    /// <summary>A worker's report on one permit; null = the permit is free again because nobody holds it.</summary>
    public void Report(ulong id, SessionReport? report, StoreTime now)
    {
        if (!_permits.TryGetValue(id, out var permit)) return;
        // The total is 0 from a worker of a version that did not tell it.
        if (report is not null) permit.Sent = Math.Max(permit.Sent + Math.Max(0, report.Messages), report.Answered);
        // Greeting alone does not end the doubling of pauses: some peers greet and then refuse.
        if (permit.Sent > 0 || report?.Event == SessionEvent.Dry) _level = 0;
        if (report is { Messages: > 0, Event: not SessionEvent.Lost }) Carried(now);
        switch (report?.Event)
        {
            case SessionEvent.Connected:
                if (!permit.Connected) Succeeded();
                permit.Connected = true;
                break;
            case SessionEvent.Dry:
                permit.Connected = true;
                // A session that was given another domain meanwhile goes on with that one.
                if (permit.Domain is { } dry && dry.Name == report.Domain) GoIdle(permit, dry, now);
                break;
            case SessionEvent.Moved:
                // Until the domain asks elsewhere no further session is sent there in vain; what else waits here is none the wiser.
                if (permit.Domain is { } moved && moved.Name == report.Domain) Rest(permit, moved, now);
                Free(permit);
                break;
            case SessionEvent.ConnectFailed:
                Failed(report, suspends: true, now);
                Free(permit);
                break;
            case SessionEvent.Lost:
                // Only a peer that says 421 asks for less; one that does so before it took anything refuses the connection. A cut in a transaction says nothing about the site.
                if (report.Reply is { Code: 421 }) Failed(report, suspends: permit.Sent == 0, now);
                Free(permit);
                break;
            default:
                Free(permit);
                break;
        }
    }

    /// <summary>What the pool says is held: unknown permits are adopted, and those that nobody holds are free (design rule 21).</summary>
    public void Adopt(IReadOnlyList<DeclaredPermit> declared, StoreTime now)
    {
        var held = new HashSet<ulong>(declared.Count);
        foreach (var d in declared)
        {
            held.Add(d.Permit);
            if (_permits.TryGetValue(d.Permit, out var known))
            {
                known.Worker = d.Worker;
                continue;
            }

            var permit = new SitePermit(d.Permit) { Worker = d.Worker, Since = now, Connected = d.Worker is not null };
            _permits.Add(permit.Id, permit);
            if (d.Idle) permit.Place = _idle.AddLast(permit);
            else Assign(permit, Known(d.Domain), null, now);
        }

        foreach (var permit in _permits.Values.Where(p => !held.Contains(p.Id) && now - p.Since > OrderOnItsWay).ToArray()) Free(permit);
    }

    /// <summary>Orders that can be given now. Each counts as given; what became of it is told by <see cref="Placed"/>.</summary>
    public List<SiteOrder> Decide(StoreTime now, int max = 256)
    {
        _limits = limits(_isRoute, _routeConnections);
        if (double.IsNaN(_window)) _window = _limits.Initial;
        _wake = default;
        Expire(now);
        var orders = new List<SiteOrder>();
        while (_lanes.TryPeek(out var lane, out var domain))
        {
            if (orders.Count >= max)
            {
                WakeBy(now);
                break;
            }

            if (_blockedUntil > now)
            {
                WakeBy(_blockedUntil);
                break;
            }

            var kind = OrderKind.Serve;
            if ((_idle.Last?.Value ?? Open(now, ref kind) ?? Preempt(lane, domain, now)) is not { } permit) break;
            Assign(permit, domain, lane, now);
            orders.Add(Order(kind, permit, domain, lane));
        }

        if (_heard.First is { } oldest) WakeBy(oldest.Value.HeardAt + DemandLasts);
        if (_revisits.TryPeek(out _, out var revisit)) WakeBy(revisit);
        return orders;
    }

    /// <summary>What became of an order: a permit that nobody took is free again.</summary>
    public void Placed(SiteOrder order, Placement placement, StoreTime now)
    {
        if (placement == Placement.Taken || !_permits.TryGetValue(order.Order.Permit, out var permit)) return;
        if (placement == Placement.Refused)
        {
            _blockedUntil = now + s_retryRefused;
            // Its worker holds it as before.
            if (order.Order.Kind != OrderKind.Open)
            {
                Detach(permit);
                permit.Place = _idle.AddLast(permit);
                return;
            }
        }

        Free(permit);
    }

    private SitePermit? Open(StoreTime now, ref OrderKind kind)
    {
        if (State.SuspendedUntil > now)
        {
            WakeBy(State.SuspendedUntil);
            return null;
        }

        if (_permits.Count >= Math.Min(Limit, _limits.Connections)) return null;
        if (_limits.ConnectionsPerMinute > 0)
        {
            // Burst and refill together make the limit, so that no minute sees more.
            var burst = Math.Max(1, _limits.ConnectionsPerMinute / 12.0);
            var perSecond = Math.Max(0.5, _limits.ConnectionsPerMinute - burst) / 60;
            if (!_connections.TryTake(perSecond, burst, now, out var next))
            {
                WakeBy(next);
                return null;
            }
        }

        kind = OrderKind.Open;
        var permit = new SitePermit(draw()) { Since = now };
        _permits.Add(permit.Id, permit);
        return permit;
    }

    /// <summary>A session that has served its domain for a turn moves on, if its lane (in one lane: its domain) holds more than the one that waits.</summary>
    private SitePermit? Preempt(Lane lane, SiteDomain domain, StoreTime now)
    {
        for (var node = _serving.First; node is not null; node = node.Next)
        {
            var permit = node.Value;
            if (permit.ServingSince + Turn > now)
            {
                WakeBy(permit.ServingSince + Turn);
                return null;
            }

            if (!permit.Connected || permit.Domain == domain) continue;
            if (permit.Lane is not { } held || permit.Domain is not { } served) return permit;
            if (held == lane ? served.Sessions > domain.Sessions : _lanes.HeldBy(held) > _lanes.HeldBy(lane)) return permit;
        }

        return null;
    }

    private SiteOrder Order(OrderKind kind, SitePermit permit, SiteDomain domain, Lane lane) => new()
    {
        Tenant = lane.Tenant,
        Class = lane.Class,
        Order = new SessionOrder
        {
            Kind = kind,
            Permit = permit.Id,
            Site = name,
            Domain = domain.Name,
            MaxMessages = _limits.MessagesPerConnection,
            Idle = _limits.Idle,
            Spacing = _limits.Spacing,
        },
    };

    private void Assign(SitePermit permit, SiteDomain domain, Lane? lane, StoreTime now)
    {
        Detach(permit);
        permit.Domain = domain;
        permit.Lane = lane;
        (permit.ServingSince, permit.ServingAfter) = (now, _demands);
        permit.Place = _serving.AddLast(permit);
        domain.Sessions++;
        domain.LastServed = now;
        if (lane is { } charged) _lanes.Charge(charged);
        if (!domain.IsHungry) Leave(domain);
    }

    /// <summary>Takes the permit from whatever it does; it still counts.</summary>
    private void Detach(SitePermit permit)
    {
        if (permit.Place is { } place) place.List!.Remove(place);
        permit.Place = null;
        if (permit.Lane is { } lane) _lanes.Release(lane);
        permit.Lane = null;
        if (permit.Domain is not { } domain) return;
        permit.Domain = null;
        domain.Sessions--;
        Enter(domain);
        ForgetIfUnused(domain);
    }

    private void GoIdle(SitePermit permit, SiteDomain domain, StoreTime now)
    {
        Rest(permit, domain, now);
        Detach(permit);
        permit.Place = _idle.AddLast(permit);
    }

    /// <summary>A session found nothing to do for this domain.</summary>
    private void Rest(SitePermit permit, SiteDomain domain, StoreTime now)
    {
        // Demand older than this service was for what has been served; younger is worth another look at once.
        // Sessions that run dry together found the same thing: the rest grows once.
        if (domain.Messages == 0 || domain.HeardAs > permit.ServingAfter || domain.RestUntil > now) return;
        Leave(domain);
        domain.Rest = domain.Rest == default ? TimeSpan.FromSeconds(1) : domain.Rest * 2 < s_longestRest ? domain.Rest * 2 : s_longestRest;
        domain.RestUntil = now + domain.Rest;
        Revisit(domain, domain.RestUntil);
    }

    private void Free(SitePermit permit)
    {
        Detach(permit);
        _permits.Remove(permit.Id);
    }

    private void Succeeded()
    {
        _failedCohort = 0;
        if (double.IsNaN(_window)) _window = _limits.Initial;
        if (_probing) (_probing, _window) = (false, 1);
        Grow();
        if (State.SuspendedUntil == default) return;
        State = State with { SuspendedUntil = default };
        Version++;
    }

    /// <summary>Mail goes through: a site that keeps its sessions and opens few may have one more. A peer that lets in no more is asked for it once a minute.</summary>
    private void Carried(StoreTime now)
    {
        if (_probing) return;
        _failedCohort = 0;
        if (_window < _permits.Count + 1 && now - _shrunkAt >= s_oneMoreAgain) Grow();
    }

    // Postfix' positive feedback: +1/N a success. A route is the operator's own and grows by one.
    private void Grow() => _window = Math.Min(_limits.Connections, _window + (_limits.IsRoute ? 1 : 1 / _window));

    private void Failed(SessionReport report, bool suspends, StoreTime now)
    {
        if (double.IsNaN(_window)) _window = _limits.Initial;
        // Postfix' negative feedback: −1/N a failure. A cohort is as many connections as there are now, or may be.
        var cohort = Math.Max(1, Math.Min(_window, _permits.Count));
        _window = Math.Max(1, _window - 1 / _window);
        _shrunkAt = now;
        if (!suspends) return;
        State = State with { LastFailure = now, Trouble = report.Reply, Own = report.Own, Remote = report.Remote };
        if (State.SuspendedUntil > now) return;
        _failedCohort += 1 / cohort;
        if (_failedCohort < 1 - 1e-9 && !_probing) return;

        var pause = Math.Min(_limits.FirstSuspension.TotalMilliseconds * Math.Pow(2, Math.Min(_level, 30)), _limits.MaxSuspension.TotalMilliseconds);
        State = State with { SuspendedUntil = now + TimeSpan.FromMilliseconds(Math.Max(1, pause * (1 - 0.2 * jitter()))) };
        (_probing, _failedCohort, _level) = (true, 0, _level + 1);
        Version++;
    }

    private SiteDomain Known(string domainName)
    {
        if (!_domains.TryGetValue(domainName, out var domain)) _domains[domainName] = domain = new SiteDomain(domainName);
        return domain;
    }

    private void Enter(SiteDomain domain)
    {
        if (!domain.IsHungry || domain.Places.Count > 0) return;
        foreach (var demand in domain.Lanes)
        {
            var lane = new Lane(demand.Tenant, demand.Class);
            if (demand.Messages > 0 && !domain.Places.ContainsKey(lane)) domain.Places[lane] = _lanes.Add(lane, domain);
        }
    }

    private void Leave(SiteDomain domain)
    {
        foreach (var (lane, place) in domain.Places) _lanes.Remove(lane, place);
        domain.Places.Clear();
    }

    private void Expire(StoreTime now)
    {
        while (_heard.First is { } oldest && now - oldest.Value.HeardAt >= DemandLasts)
        {
            var domain = oldest.Value;
            _heard.Remove(oldest);
            domain.Heard = null;
            Leave(domain);
            Waiting -= domain.Messages;
            (domain.Messages, domain.Lanes) = (0, []);
            ForgetIfUnused(domain);
        }

        while (_revisits.TryPeek(out var domain, out var at) && at <= now)
        {
            _revisits.Dequeue();
            if (domain.RevisitAt == at) domain.RevisitAt = default;
            if (domain.RestUntil <= now) domain.RestUntil = default;
            else Revisit(domain, domain.RestUntil);
            WantMore(domain, now);
            Enter(domain);
        }
    }

    /// <summary>What is not leased for a second although sessions are there waits behind something slow: one session more.</summary>
    private static void WantMore(SiteDomain domain, StoreTime now)
    {
        if (domain.Messages > 0 && now - StoreTime.Max(domain.WaitsSince, domain.LastServed) >= s_ramp) domain.Wanted = Math.Max(domain.Wanted, domain.Sessions + 1);
    }

    private void Revisit(SiteDomain domain, StoreTime at)
    {
        if (domain.RevisitAt != default && domain.RevisitAt <= at) return;
        domain.RevisitAt = at;
        _revisits.Enqueue(domain, at);
    }

    private void ForgetIfUnused(SiteDomain domain)
    {
        if (domain.Messages == 0 && domain.Sessions == 0) _domains.Remove(domain.Name);
    }

    private void WakeBy(StoreTime at)
    {
        if (_wake == default || at < _wake) _wake = at;
    }
}
