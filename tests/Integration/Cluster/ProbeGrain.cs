using System.Collections.Concurrent;
using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Mail;

namespace Angarium.Integration.Cluster;

/// <summary>
/// Stands for a domain queue: says on which silo it is (<see cref="Show"/>), counts its calls, calls others, and has a timer. What it saw is in static fields, for the test.
/// </summary>
[GrainType("probe")]
public sealed class ProbeGrain(ILocalSiloDetails silo, IGrainFactory grains) : Grain, IDomainQueueIntake, IDomainQueueExchange, IDomainQueueAdmin
{
    public static ConcurrentDictionary<string, int> Ticks { get; } = new();

    /// <summary>What the request context held when a call was carried out, by key of the grain.</summary>
    public static ConcurrentDictionary<string, string> Contexts { get; } = new();

    private string Key => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(() => Tick(), new GrainTimerCreationOptions(TimeSpan.Zero, Timeout.InfiniteTimeSpan));
        return Task.CompletedTask;
    }

    public ValueTask<OfferAnswer> Offer(Offer offer)
    {
        Note();
        return new(new OfferAnswer(7, false));
    }

    public Task<ExchangeAnswer> Exchange(ExchangeRequest request) => throw new NotSupportedException();

    public ValueTask<RenewAnswer> Renew(RenewRequest request)
    {
        Note();
        return new(new RenewAnswer());
    }

    public Task<QueueSnapshot> Show(int limit)
    {
        Note();
        return Task.FromResult(new QueueSnapshot { Domain = Key, Site = silo.SiloAddress.ToParsableString() });
    }

    /// <summary>Calls another grain's intake on behalf of whoever calls this.</summary>
    public async Task<int> Retry(QueueSelection which)
    {
        Note();
        var answer = await grains.GetGrain<IDomainQueueIntake>(Key + "-next").Offer(new Offer { Entries = [] });
        return answer.Refused;
    }

    /// <summary>Calls what only silos may call.</summary>
    public async Task<int> Drop(QueueSelection which, string reason, bool isTold) => (await grains.GetGrain<IManagementGrain>(0).GetHosts()).Count;

    public Task Hold(RecipientKey? message)
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task Release(RecipientKey? message) => Task.CompletedTask;

    private Task Tick()
    {
        Ticks.AddOrUpdate(Key, 1, (_, before) => before + 1);
        return Task.CompletedTask;
    }

    private void Note() => Contexts[Key] = string.Join(";", RequestContext.Entries.Select(entry => $"{entry.Key}={entry.Value}"));
}
