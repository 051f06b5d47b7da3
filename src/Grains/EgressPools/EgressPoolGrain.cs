using Angarium.Contracts;
using Angarium.Contracts.EgressPools;
using Angarium.Grains.Control;
using Angarium.Grains.Membership;
using Angarium.Grains.Sites;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Angarium.Grains.EgressPools;

/// <summary>
/// Shell of <see cref="EgressPool"/>: holds the long polls, answers them as soon as there are orders, and tells the sites, one batch at a time each. Turns
/// interleave; the machine is changed only between awaits. Nothing survives a crash but the list of workers.
/// <para>
/// Orders are given and polls taken only while the silo's row, and this activation's token in the pool's document, were confirmed within 10 s: a worker that polls an activation which is no
/// longer the pool's is refused, closes its connections after 20 s or finds the new one, and that one waits 35 s for it (design rule 21). Until then both may be sure of themselves: so each
/// answer bears the number of its activation's claim, a worker that has heard of a later one follows no earlier one, and only with a poll that says so has it declared.
/// </para>
/// </summary>
[GrainType("egress-pool"), Reentrant, RandomPlacement]
internal sealed partial class EgressPoolGrain(IStoreClock clock, IStanding standing, WorkerRegister register, TimeProvider time, ILogger<EgressPoolGrain> log, Random? random = null, Suspensions? suspensions = null)
    : Grain, IEgressPoolPoll, IEgressPoolOrders
{
    private static readonly TimeSpan s_skew = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_confirmEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_confirmedFor = TimeSpan.FromSeconds(10);

    /// <summary>Whoever could not confirm itself for so long lets go: a silo that alone has lost the store would keep the pool from all others for as long as it answers their probes.</summary>
    private static readonly TimeSpan s_letsGoAfter = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_unserved = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_unservedAgain = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, (TaskCompletionSource<PollAnswer> Answer, StoreTime Until)> _polls = [];
    private readonly HashSet<string> _telling = [];
    private EgressPool _pool = null!;
    private GrainsByKey<ISiteReports>? _sites;
    private int _saved;
    private bool _saving;
    private ulong _owner;
    private StoreTime _ownedAt;
    private StoreTime _confirmAt;
    private bool _confirming;
    private bool _isOver;
    private bool _isGone;
    private StoreTime _unservedSince;
    private StoreTime _unservedSaidAt;

    /// <summary>Both were confirmed within 10 s, so nobody else's 35 s are over.</summary>
    private bool IsOwner => !_isOver && standing.IsConfirmed && (standing.IsSoleProcess || clock.Now - _ownedAt < s_confirmedFor);

    private string Name => this.GetPrimaryKeyString();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        // Its name becomes that of a document and of a metric.
        if (!PoolName.IsValid(Name)) throw new ArgumentException("An egress pool is named by up to 32 lower-case letters, digits and `-`.");
        _owner = (ulong)(random ?? Random.Shared).NextInt64(1, long.MaxValue);
        _ownedAt = clock.Now;
        // A failed activation fails its caller, who comes again in a second.
        var claim = await register.ClaimAsync(Name, _owner, _ownedAt, cancellationToken);
        _pool = new EgressPool(claim.Known, clock.Now, _owner, claim.Number);
        _confirmAt = clock.Now + s_confirmEvery;
        TickAsync().Ignore();
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _isGone = true;
        SiteInstruments.OnPoolGone(Name);
        foreach (var poll in _polls.Values) poll.Answer.TrySetResult(Heard());
        _polls.Clear();
        return Task.CompletedTask;
    }

    public Task<PollAnswer> Poll(PollRequest request)
    {
        var now = clock.Now;
        // Design rule 21: a worker must not take it for being heard when the pool may have a successor; nor (rule 20) before it can be told from where it must not send.
        if (!clock.IsSettled || !IsOwner || suspensions is { Current: null } || request.Claim > _pool.Claim || (request.SentAt - now).Duration() > s_skew)
        {
            // It lives, and what it holds still counts, whoever of us is out of order.
            StaleInstruments.Poll();
            _pool.Answered(request.Worker, now);
            return Task.FromResult(new PollAnswer());
        }

        switch (_pool.Receive(request, now))
        {
            case PollStep.Refused: return Task.FromResult(new PollAnswer());
            case PollStep.Overtaken: return Task.FromResult(new PollAnswer { Overtaken = true });
            case PollStep.Repeated: return Task.FromResult(Heard());
        }

        if (_polls.Remove(request.Worker, out var older)) older.Answer.TrySetResult(Heard());
        if (request.Leaving)
        {
            Flush();
            return Task.FromResult(Heard());
        }

        if (request.Number == 1 || request.Claim != _pool.Claim) return Task.FromResult(Heard());
        var answer = new TaskCompletionSource<PollAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _polls[request.Worker] = (answer, now + EgressPool.LongPoll);
        Flush();
        return answer.Task;
    }

    private PollAnswer Heard() => new() { Accepted = true, Claim = _pool.Claim, SuspendedSources = suspensions?.Current?.Sources(clock.Now) ?? [] };

    public Task<PlaceAnswer> Place(PlaceRequest request)
    {
        if (!IsOwner) return Task.FromResult(new PlaceAnswer { Placements = EgressPool.Refuse(request), Pool = request.Pool });
        var answer = _pool.Answer(request, clock.Now);
        Flush();
        return Task.FromResult(answer);
    }

    public Task<DeclaredPermits> Declared(DeclareRequest request) => Task.FromResult(IsOwner ? _pool.Answer(request, clock.Now) : new DeclaredPermits());

    /// <summary>
    /// Ticks on the grain's turns, but not by a grain timer: an activation that is to go (the silo stops, or its part of the directory was on one that died) goes only when the calls that it
    /// holds have ended, and until then whatever calls next stands before the timer's tick. Long polls that only a tick can end would keep it, and the pool, from everybody for hours.
    /// </summary>
    private async Task TickAsync()
    {
        while (!_isGone)
        {
            await Task.Delay(s_tick, time);
            try
            {
                if (!_isGone) Tick();
            }
            catch (Exception error)
            {
                TickFailed(log, error, Name);
            }
        }
    }

    private void Tick()
    {
        var now = clock.Now;
        if (!standing.IsSoleProcess && !_isOver && now - _ownedAt > s_letsGoAfter) LetGo();
        if (!standing.IsSoleProcess && now >= _confirmAt && !_confirming && !_isOver) ConfirmAsync().Ignore();
        foreach (var (worker, poll) in _polls.Where(p => p.Value.Until <= now).ToArray()) Answer(worker, poll.Answer, [], now);
        _pool.Tick(now);
        Flush();
        SiteInstruments.OnPool(Name, _pool.Permits, _pool.Workers, _pool.Waiting);
        SayIfUnserved(now);
    }

    /// <summary>Mail waits for this pool, touched by nobody, for as long as it takes: said after half a minute, and once in ten from then on.</summary>
    private void SayIfUnserved(StoreTime now)
    {
        if (_pool.Workers > 0 || _isOver) _unservedSince = default;
        else if (_pool.Waiting > 0 && _unservedSince == default) _unservedSince = now;
        if (_unservedSince == default || _pool.Waiting == 0 || now - _unservedSince < s_unserved || now - _unservedSaidAt < s_unservedAgain) return;
        _unservedSaidAt = now;
        Unserved(log, Name);
    }

    private void Flush()
    {
        // An activation that is gone may call nobody: each call would fail at once, one within the other.
        if (_isGone) return;
        if (_saved != _pool.KnownVersion && !_saving && !_isOver) SaveAsync().Ignore();
        if (IsOwner && _pool.WithOrders.Count > 0)
        {
            var now = clock.Now;
            foreach (var worker in _pool.WithOrders.ToArray())
            {
                if (_polls.TryGetValue(worker.Id, out var poll)) Answer(worker.Id, poll.Answer, _pool.TakeOrders(worker, now), now);
            }
        }

        if (_pool.SitesToTell.Count == 0) return;
        foreach (var site in _pool.SitesToTell.Where(s => !_telling.Contains(s)).ToArray()) TellAsync(site).Ignore();
    }

    private async Task ConfirmAsync()
    {
        _confirming = true;
        var asked = clock.Now;
        try
        {
            if (await register.IsOwnerAsync(Name, _owner, _pool.Claim, [.. _pool.Known], CancellationToken.None))
            {
                _ownedAt = asked;
                _confirmAt = asked + s_confirmEvery;
            }
            else
            {
                EndAsSuperseded();
            }
        }
        catch (Exception error)
        {
            WorkersNotSaved(log, error, Name);
            _confirmAt = clock.Now + TimeSpan.FromSeconds(1);
        }

        _confirming = false;
    }

    private void LetGo()
    {
        _isOver = true;
        Unconfirmed(log, Name, s_letsGoAfter);
        DeactivateOnIdle();
    }

    private void EndAsSuperseded()
    {
        _isOver = true;
        StaleInstruments.Order();
        Superseded(log, Name);
        DeactivateOnIdle();
    }

    private void Answer(string worker, TaskCompletionSource<PollAnswer> answer, SessionOrder[] orders, StoreTime now)
    {
        _polls.Remove(worker);
        _pool.Answered(worker, now);
        answer.TrySetResult(Heard() with { Accepted = standing.IsConfirmed, Orders = orders });
    }

    private async Task TellAsync(string site)
    {
        _telling.Add(site);
        try
        {
            await (_sites ??= new(GrainFactory))[$"{Name}|{site}"].Report(_pool.TakeReports(site));
        }
        catch (Exception error)
        {
            // The site compares its permits with ours once a minute: nothing is lost but time.
            SiteNotTold(log, error, Name);
            // A call may fail before it has left: the next one must not follow within this one.
            await Task.Delay(TimeSpan.FromSeconds(1), time);
        }

        _telling.Remove(site);
        Flush();
    }

    private async Task SaveAsync()
    {
        _saving = true;
        try
        {
            var version = _pool.KnownVersion;
            string[] workers = [.. _pool.Known];
            if (await register.SaveAsync(Name, _owner, workers, CancellationToken.None))
            {
                _saved = version;
                _pool.Registered(workers, clock.Now);
            }
            else
            {
                EndAsSuperseded();
            }
        }
        catch (Exception error)
        {
            WorkersNotSaved(log, error, Name);
            await Task.Delay(TimeSpan.FromSeconds(1), time);
        }

        _saving = false;
        Flush();
    }
}
