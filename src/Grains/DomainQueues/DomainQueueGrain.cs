using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Routing;
using Angarium.Grains.Sites;
using Angarium.Mail;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Angarium.Grains.DomainQueues;

/// <summary>One domain's queue as a grain: a thin shell that gives the machine its turns and its ticks. Nothing survives a crash.</summary>
[GrainType("domain-queue"), Reentrant, RandomPlacement]
internal sealed class DomainQueueGrain(DomainQueueSeams seams, ActiveDomains active, SpooledAddresses addresses)
    : Grain, IDomainQueueIntake, IDomainQueueExchange, IDomainQueueAdmin, ISiteListener, IDomainQueueWake
{
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(5);

    private DomainQueue _queue = null!;
    private IGrainTimer _timer = null!;
    private StoreTime _armedFor;
    private StoreTime _countedAt;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _queue = new DomainQueue(this.GetPrimaryKeyString(), seams) { Changed = () => Arm() };
        _timer = this.RegisterGrainTimer(static (grain, _) => grain.OnTimer(), this, new GrainTimerCreationOptions
        {
            DueTime = TimeSpan.Zero, Period = Timeout.InfiniteTimeSpan, Interleave = true, KeepAlive = true,
        });
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _queue.Changed = null;
        active.Remove(this.GetPrimaryKeyString());
        try
        {
            await _queue.StopAsync().WaitAsync(StopWithin, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // What was not written is left to the sweep.
        }
    }

    public ValueTask<OfferAnswer> Offer(Offer offer)
    {
        var answer = _queue.Offer(offer);
        Arm();
        return new(answer);
    }

    public async Task<ExchangeAnswer> Exchange(ExchangeRequest request)
    {
        try
        {
            return await _queue.ExchangeAsync(request);
        }
        finally
        {
            Arm();
        }
    }

    public async ValueTask<RenewAnswer> Renew(RenewRequest request)
    {
        var answer = await _queue.RenewAsync(request);
        Arm();
        return answer;
    }

    public ValueTask SiteChanged(string site, SiteState state)
    {
        _queue.SiteChanged(site, state);
        Arm();
        return default;
    }

    public ValueTask SiteMoved(string site, SiteRoute route)
    {
        _queue.SiteMoved(site, route);
        Arm();
        return default;
    }

    public ValueTask Wake()
    {
        _queue.Wake();
        Arm();
        return default;
    }

    public async Task<bool> OfferSwept(SweptOffer offer)
    {
        var taken = await _queue.OfferSweptAsync(offer);
        Arm();
        return taken;
    }

    public async Task<QueueSnapshot> Show(int limit) => await addresses.AddAsync(await _queue.ShowAsync(limit));

    public async Task<int> Retry(QueueSelection which) => await Then(_queue.RetryAsync(which));

    public async Task<int> Drop(QueueSelection which, string reason, bool isTold) => await Then(_queue.DropAsync(which, reason, isTold));

    public async Task Hold(RecipientKey? message)
    {
        await _queue.HoldAsync(message);
        Arm();
    }

    public async Task Release(RecipientKey? message)
    {
        await _queue.ReleaseAsync(message);
        Arm();
    }

    private async Task<T> Then<T>(Task<T> work)
    {
        var result = await work;
        active.Set(this.GetPrimaryKeyString(), _queue.CountUnindexed());
        Arm();
        return result;
    }

    private Task OnTimer()
    {
        _armedFor = default;
        _queue.Tick();
        var now = seams.Clock.Now;
        var isCountDue = now - _countedAt >= TimeSpan.FromSeconds(1);
        if (isCountDue)
        {
            _countedAt = now;
            active.Set(this.GetPrimaryKeyString(), _queue.CountUnindexed());
        }

        Arm(isCountDue);
        return Task.CompletedTask;
    }

    private void Arm(bool isCounted = false)
    {
        if (_queue.IsDeposed || _queue.IsIdle)
        {
            DeactivateOnIdle();
            return;
        }

        var next = _queue.NextTick;
        // What changed within the second is counted at its end, so that no stale number stays when the queue has nothing to do for an hour.
        if (!isCounted) next = StoreTime.Min(next, _countedAt + TimeSpan.FromSeconds(1));
        if (_armedFor != default && _armedFor <= next) return;
        _armedFor = next;
        var due = next - seams.Clock.Now;
        _timer.Change(due > TimeSpan.Zero ? due : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
