using Angarium.Contracts.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Grains.Sites;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Angarium.Grains.EgressPools;

/// <summary>
/// Shell of <see cref="EgressPool"/>: holds the long polls, answers them as soon as there are orders, and tells the sites, one batch at a time each. Turns
/// interleave; the machine is changed only between awaits. Nothing survives a crash but the list of workers.
/// </summary>
[GrainType("egress-pool"), Reentrant]
internal sealed partial class EgressPoolGrain(IStoreClock clock, IStanding standing, WorkerRegister register, TimeProvider time, ILogger<EgressPoolGrain> log)
    : Grain, IEgressPoolPoll, IEgressPoolOrders
{
    private static readonly TimeSpan s_skew = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<string, (TaskCompletionSource<PollAnswer> Answer, StoreTime Until)> _polls = [];
    private readonly HashSet<string> _telling = [];
    private EgressPool _pool = null!;
    private int _saved;
    private bool _saving;

    private string Name => this.GetPrimaryKeyString();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _pool = new EgressPool(await register.LoadAsync(Name, cancellationToken), clock.Now);
        this.RegisterGrainTimer(Tick, new GrainTimerCreationOptions(s_tick, s_tick) { Interleave = true });
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        foreach (var poll in _polls.Values) poll.Answer.TrySetResult(new PollAnswer { Accepted = true });
        _polls.Clear();
        return Task.CompletedTask;
    }

    public Task<PollAnswer> Poll(PollRequest request)
    {
        var now = clock.Now;
        // Design rule 21: a worker must not take it for being heard when the pool may have a successor.
        if (!clock.IsSettled || !standing.IsConfirmed || (request.SentAt - now).Duration() > s_skew)
        {
            // It lives, and what it holds still counts, whoever of us is out of order.
            _pool.Answered(request.Worker, now);
            return Task.FromResult(new PollAnswer());
        }

        switch (_pool.Receive(request, now))
        {
            case PollStep.Refused: return Task.FromResult(new PollAnswer());
            case PollStep.Repeated: return Task.FromResult(new PollAnswer { Accepted = true });
        }

        if (_polls.Remove(request.Worker, out var older)) older.Answer.TrySetResult(new PollAnswer { Accepted = true });
        if (request.Leaving)
        {
            Flush();
            return Task.FromResult(new PollAnswer { Accepted = true });
        }

        if (request.Number == 1) return Task.FromResult(new PollAnswer { Accepted = true });
        var answer = new TaskCompletionSource<PollAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _polls[request.Worker] = (answer, now + EgressPool.LongPoll);
        Flush();
        return answer.Task;
    }

    public Task<PlaceAnswer> Place(PlaceRequest request)
    {
        if (!standing.IsConfirmed) return Task.FromResult(new PlaceAnswer { Placements = [.. request.Orders.Select(_ => Placement.Refused)] });
        var placements = _pool.Place(request, clock.Now);
        Flush();
        return Task.FromResult(new PlaceAnswer { Placements = placements });
    }

    public Task<DeclaredPermits> Declared(string site) => Task.FromResult(_pool.Declared(site, clock.Now));

    private Task Tick()
    {
        var now = clock.Now;
        foreach (var (worker, poll) in _polls.Where(p => p.Value.Until <= now).ToArray()) Answer(worker, poll.Answer, [], now);
        _pool.Tick(now);
        Flush();
        SiteInstruments.OnPool(Name, _pool.Permits, _pool.Workers, _pool.Waiting);
        return Task.CompletedTask;
    }

    private void Flush()
    {
        if (_saved != _pool.KnownVersion && !_saving) SaveAsync().Ignore();
        if (standing.IsConfirmed && _pool.WithOrders.Count > 0)
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

    private void Answer(string worker, TaskCompletionSource<PollAnswer> answer, SessionOrder[] orders, StoreTime now)
    {
        _polls.Remove(worker);
        _pool.Answered(worker, now);
        answer.TrySetResult(new PollAnswer { Accepted = standing.IsConfirmed, Orders = orders });
    }

    private async Task TellAsync(string site)
    {
        _telling.Add(site);
        try
        {
            await GrainFactory.GetGrain<ISiteReports>($"{Name}|{site}").Report(_pool.TakeReports(site));
        }
        catch (Exception error)
        {
            // The site compares its permits with ours once a minute: nothing is lost but time.
            SiteNotTold(log, error, Name);
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
            await register.SaveAsync(Name, workers, CancellationToken.None);
            _saved = version;
            _pool.Registered(workers, clock.Now);
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
