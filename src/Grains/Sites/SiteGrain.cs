using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Angarium.Grains.Sites;

/// <summary>
/// Shell of <see cref="Site"/>: one call to the pool at a time with all orders that can be given, one wake-up at the next moment that matters, and the news of
/// suspension and recovery to the domains in batches. Turns interleave; the machine is changed only between awaits. Nothing survives a crash: before its first
/// grant it takes the declared permits from its pool (design rule 21).
/// </summary>
[GrainType("site"), Reentrant, RandomPlacement]
internal sealed partial class SiteGrain(IStoreClock clock, IStanding standing, ISettings<SiteOptions> options, ISettings<GrainsOptions> grains, ILogger<SiteGrain> log, Random? random = null)
    : Grain, ISite, ISiteReports
{
    private const int TellAtOnce = 128;

    private static readonly TimeSpan s_skew = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_compareEvery = TimeSpan.FromMinutes(1);

    private readonly SiteFigures _figures = new();
    private Site _site = null!;
    private string _pool = "";
    private string _name = "";
    private IEgressPoolOrders? _orders;
    private IGrainTimer _timer = null!;
    private StoreTime _compareAt;
    private readonly ulong _owner = (ulong)(random ?? Random.Shared).NextInt64(1, long.MaxValue);
    private ulong _poolId;
    private bool _complete;
    private bool _hasBegun;
    private bool _isOver;
    private bool _comparing;
    private bool _placing;
    private bool _telling;
    private bool _suspended;
    private int _told;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        (_pool, _name) = this.GetPrimaryKeyString().Split('|', 2) is [var pool, var name] ? (pool, name) : throw new ArgumentException("The key of a site is pool|site.");
        var drawn = random ?? Random.Shared;
        _site = new Site(_name, Limits, () => (ulong)drawn.NextInt64(long.MinValue, long.MaxValue), drawn.NextDouble);
        _timer = this.RegisterGrainTimer(Wake, new GrainTimerCreationOptions(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan) { Interleave = true });
        _compareAt = clock.Now;
        SiteInstruments.Begin(this.GetPrimaryKeyString(), _figures);
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_suspended) SiteInstruments.OnSuspendedSites(-1);
        SiteInstruments.End(this.GetPrimaryKeyString(), _figures);
        return Task.CompletedTask;
    }

    public ValueTask<SiteState> Demand(SiteDemand demand)
    {
        var now = clock.Now;
        if ((demand.SentAt - now).Duration() <= s_skew) _site.Demand(demand, now);
        Go();
        return ValueTask.FromResult(_site.State);
    }

    public ValueTask<SiteState> Retry()
    {
        _site.Retry(clock.Now);
        Go();
        return ValueTask.FromResult(_site.State);
    }

    public ValueTask<SiteView> Look()
    {
        var state = _site.State;
        return ValueTask.FromResult(new SiteView
        {
            Pool = _pool, Connections = _site.Permits, Window = _site.Limit, SuspendedUntil = state.SuspendedUntil > clock.Now ? state.SuspendedUntil : default, Trouble = state.Trouble?.ToString(),
        });
    }

    public Task Report(SiteReport[] reports)
    {
        var now = clock.Now;
        foreach (var report in reports)
        {
            _site.Report(report.Permit, report.Session, now);
            if (report.Session is { Event: SessionEvent.Moved, Route: { } route } moved) TellMovedAsync(moved.Domain, route).Ignore();
        }

        Go();
        return Task.CompletedTask;
    }

    private SiteLimits Limits(bool isRoute, int? connections) => SiteLimits.From(options.Current, grains.Current.RetrySchedule, isRoute, connections);

    private Task Wake()
    {
        Go();
        return Task.CompletedTask;
    }

    private void Go()
    {
        if (_isOver) return;
        if (_compareAt <= clock.Now && !_comparing) CompareAsync().Ignore();
        if (!_placing) PlaceAsync().Ignore();
        if (_told != _site.Version && !_telling) TellAsync().Ignore();
        _figures.Waiting = _site.Waiting;
        Arm();
    }

    private void Arm()
    {
        var now = clock.Now;
        var mayGrant = _complete && standing.IsConfirmed && clock.IsSettled;
        // What is on its way arms again when it is answered.
        var due = _placing ? null : mayGrant ? _site.Wake : now + s_second;
        if (!_comparing && (_site.Permits > 0 || !_complete)) due = due is { } wake ? StoreTime.Min(wake, _compareAt) : _compareAt;
        if (due is { } at) _timer.Change(TimeSpan.FromMilliseconds(Math.Clamp((at - now).TotalMilliseconds, 10, 60_000)), Timeout.InfiniteTimeSpan);
        else _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private async Task PlaceAsync()
    {
        _placing = true;
        try
        {
            while (_complete && standing.IsConfirmed && clock.IsSettled)
            {
                var orders = _site.Decide(clock.Now);
                if (orders.Count == 0) break;
                var answer = await Pool.Place(new PlaceRequest { Site = _name, Orders = [.. orders], Owner = _owner, Pool = _poolId, MaxConnections = _site.MaxConnections });
                var now = clock.Now;
                for (var i = 0; i < orders.Count; i++) _site.Placed(orders[i], answer.Placements[i], now);
                if (answer.Superseded) End();
                // Another activation of the pool: what is open is taken from it before anything is granted.
                else if (answer.Pool != _poolId) (_complete, _compareAt) = (false, now);
            }
        }
        catch (Exception error)
        {
            // The orders may have been placed or not: what the pool declares decides.
            PoolNotReached(log, error, _pool);
            _compareAt = clock.Now + Site.OrderOnItsWay + s_second;
        }

        _placing = false;
        Arm();
    }

    private async Task CompareAsync()
    {
        _comparing = true;
        try
        {
            var declared = await Pool.Declared(new DeclareRequest { Site = _name, Owner = _owner, Begins = !_hasBegun });
            if (declared.Superseded) End();
            else if (declared.Complete)
            {
                _site.Adopt(declared.Permits, clock.Now);
                (_complete, _hasBegun, _poolId) = (true, true, declared.Pool);
            }

            _compareAt = clock.Now + (declared.Complete ? s_compareEvery : s_second);
        }
        catch (Exception error)
        {
            PoolNotReached(log, error, _pool);
            _compareAt = clock.Now + s_second;
        }

        _comparing = false;
        Go();
    }

    private void End()
    {
        (_isOver, _complete) = (true, false);
        StaleInstruments.Order();
        SupersededBy(log, _name);
        DeactivateOnIdle();
    }

    /// <summary>Tells the domains with demand what the state is now; one that changes meanwhile is told once more.</summary>
    private async Task TellAsync()
    {
        _telling = true;
        while (_told != _site.Version)
        {
            _told = _site.Version;
            var (state, suspended) = (_site.State, _site.State.SuspendedUntil != default);
            if (suspended)
            {
                SiteInstruments.OnSuspended();
                Suspended(log, _name, state.SuspendedUntil, state.Remote, state.Trouble);
            }
            else
            {
                Recovered(log, _name);
            }

            if (suspended != _suspended) SiteInstruments.OnSuspendedSites(suspended ? 1 : -1);
            _suspended = suspended;
            _figures.IsSuspended = suspended;
            foreach (var domains in _site.Domains.ToArray().Chunk(TellAtOnce))
            {
                await Task.WhenAll(domains.Select(d => TellAsync(d, state)));
                if (_told != _site.Version) break;
            }
        }

        _telling = false;
    }

    private async Task TellAsync(string domain, SiteState state)
    {
        try
        {
            await GrainFactory.GetGrain<ISiteListener>(domain).SiteChanged(_name, state);
        }
        catch (Exception error)
        {
            // It learns the state from the answer to its next demand.
            DomainNotTold(log, error, domain);
        }
    }

    private async Task TellMovedAsync(string domain, SiteRoute route)
    {
        try
        {
            await GrainFactory.GetGrain<ISiteListener>(domain).SiteMoved(_name, route);
        }
        catch (Exception error)
        {
            // It is told again when the next session is sent here in vain.
            DomainNotTold(log, error, domain);
        }
    }

    private IEgressPoolOrders Pool => _orders ??= GrainFactory.GetGrain<IEgressPoolOrders>(_pool);
}
