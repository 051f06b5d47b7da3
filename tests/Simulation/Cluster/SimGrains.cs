using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Sites;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Simulation.Cluster;

/// <summary>The grain factory of one process: its references call over the simulated network.</summary>
internal sealed class SimGrains(SimWorld world, SimProcess process) : IGrainFactory
{
    private readonly Dictionary<(GrainKind, string), Reference> _references = [];

    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null) where TGrainInterface : IGrainWithStringKey
    {
        var kind = typeof(TGrainInterface) == typeof(ISite) || typeof(TGrainInterface) == typeof(ISiteReports) ? GrainKind.Site
            : typeof(TGrainInterface) == typeof(IEgressPoolPoll) || typeof(TGrainInterface) == typeof(IEgressPoolOrders) ? GrainKind.Pool
            : GrainKind.Domain;
        if (!_references.TryGetValue((kind, primaryKey), out var reference))
        {
            reference = _references[(kind, primaryKey)] = kind switch
            {
                GrainKind.Site => new SiteReference(world, process, primaryKey),
                GrainKind.Pool => new PoolReference(world, process, primaryKey),
                _ => new DomainReference(world, process, primaryKey),
            };
        }

        return (TGrainInterface)(object)reference;
    }

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(Guid primaryKey, string? prefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(long primaryKey, string? prefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(Guid primaryKey, string keyExtension, string? prefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(long primaryKey, string keyExtension, string? prefix) => throw new NotSupportedException();

    TGrainObserverInterface IGrainFactory.CreateObjectReference<TGrainObserverInterface>(IGrainObserver obj) => throw new NotSupportedException();

    void IGrainFactory.DeleteObjectReference<TGrainObserverInterface>(IGrainObserver obj) => throw new NotSupportedException();

    IGrain IGrainFactory.GetGrain(Type grainInterfaceType, Guid grainPrimaryKey) => throw new NotSupportedException();

    IGrain IGrainFactory.GetGrain(Type grainInterfaceType, long grainPrimaryKey) => throw new NotSupportedException();

    IGrain IGrainFactory.GetGrain(Type grainInterfaceType, string grainPrimaryKey) => throw new NotSupportedException();

    IGrain IGrainFactory.GetGrain(Type grainInterfaceType, Guid grainPrimaryKey, string keyExtension) => throw new NotSupportedException();

    IGrain IGrainFactory.GetGrain(Type grainInterfaceType, long grainPrimaryKey, string keyExtension) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(GrainId grainId) => throw new NotSupportedException();

    IAddressable IGrainFactory.GetGrain(GrainId grainId) => throw new NotSupportedException();

    IAddressable IGrainFactory.GetGrain(GrainId grainId, GrainInterfaceType interfaceType) => throw new NotSupportedException();

    IAddressable IGrainFactory.GetGrain(Type interfaceType, IdSpan grainKey, string grainClassNamePrefix) => throw new NotSupportedException();

    IAddressable IGrainFactory.GetGrain(Type interfaceType, IdSpan grainKey) => throw new NotSupportedException();

    private abstract class Reference(SimWorld world, SimProcess process, GrainKind kind, string key)
    {
        protected SimWorld World => world;

        protected string Key => key;

        protected SimProcess Process => process;

        protected Task<T> Call<TGrain, T>(Func<TGrain, Task<T>> call) => world.Cluster.CallAsync(process, kind, key, grain => call((TGrain)grain));

        protected Task Call<TGrain>(Func<TGrain, ValueTask> call) => world.Cluster.CallAsync(process, kind, key, async grain =>
        {
            await call((TGrain)grain);
            return true;
        });

        /// <summary>Rule 18 broken: nobody notices how old a call is.</summary>
        protected bool IsUndated => world.Breaks == Breaks.SentAt;

        protected StoreTime There => ((SimProcess)SynchronizationContext.Current!).Clock.Now;
    }

    private sealed class DomainReference(SimWorld world, SimProcess process, string key)
        : Reference(world, process, GrainKind.Domain, key), IDomainQueueIntake, IDomainQueueExchange, IDomainQueueWake, ISiteListener, IDomainQueueAdmin
    {
        public ValueTask<OfferAnswer> Offer(Offer offer)
        {
            var slow = World.Loop.Chance(World.Net.Trouble * 2 + World.LateOffers);
            return new(slow ? LateAsync(offer) : Call<IDomainQueueIntake, OfferAnswer>(g => OfferAsync(g, offer)));
        }

        public Task<ExchangeAnswer> Exchange(ExchangeRequest request) => Call<IDomainQueueExchange, ExchangeAnswer>(async g =>
        {
            var answer = await g.Exchange(IsUndated ? request with { SentAt = There } : request);
            World.Account.Answered((SimProcess)SynchronizationContext.Current!, g, request.Session, World.Breaks == Breaks.SessionNumber ? request.Number / 1_000 : request.Number, answer);
            return answer;
        });

        public ValueTask<RenewAnswer> Renew(RenewRequest request) =>
            new(Call<IDomainQueueExchange, RenewAnswer>(async g => await g.Renew(IsUndated ? request with { SentAt = There } : request)));

        public ValueTask Wake() => new(Call<IDomainQueueWake>(g => g.Wake()));

        public Task<bool> OfferSwept(SweptOffer offer) => Call<IDomainQueueWake, bool>(g => g.OfferSwept(IsUndated ? offer with { SentAt = There } : offer));

        public ValueTask SiteChanged(string site, SiteState state) => new(Call<ISiteListener>(g => g.SiteChanged(site, state)));

        public ValueTask SiteMoved(string site, SiteRoute route) => new(Call<ISiteListener>(g => g.SiteMoved(site, route)));

        public Task<QueueSnapshot> Show(int limit) => Call<IDomainQueueAdmin, QueueSnapshot>(g => g.Show(limit));

        public Task<int> Retry(QueueSelection which) => Call<IDomainQueueAdmin, int>(g => g.Retry(which));

        public Task<int> Drop(QueueSelection which, string reason, bool isTold) => Call<IDomainQueueAdmin, int>(g => g.Drop(which, reason, isTold));

        public Task Hold(RecipientKey? message) => Call<IDomainQueueAdmin>(g => new ValueTask(g.Hold(message)));

        public Task Release(RecipientKey? message) => Call<IDomainQueueAdmin>(g => new ValueTask(g.Release(message)));

        // On its way for longer than anybody waits for it.
        private async Task<OfferAnswer> LateAsync(Offer offer)
        {
            await Process.Delay(0, World.LateOffers > 0 ? 300_000 : World.Loop.Random.Next(2) == 0 ? 30_000 : 200_000);
            return await Call<IDomainQueueIntake, OfferAnswer>(g => OfferAsync(g, offer));
        }

        private async Task<OfferAnswer> OfferAsync(IDomainQueueIntake queue, Offer offer)
        {
            offer = World.Breaks switch
            {
                Breaks.LateHandOver => offer with { SentAt = There, CommitBegan = There, Entries = Array.ConvertAll(offer.Entries, e => e with { Born = There }) },
                Breaks.SentAt => offer with { SentAt = There },
                Breaks.Lanes => offer with { Entries = Array.ConvertAll(offer.Entries, e => e with { Tenant = "all" }) },
                _ => offer,
            };
            return await queue.Offer(offer);
        }
    }

    private sealed class SiteReference(SimWorld world, SimProcess process, string key) : Reference(world, process, GrainKind.Site, key), ISite, ISiteReports
    {
        public ValueTask<SiteState> Demand(SiteDemand demand) => new(Call<ISite, SiteState>(async g => await g.Demand(IsUndated ? demand with { SentAt = There } : demand)));

        public ValueTask<SiteState> Retry() => new(Call<ISite, SiteState>(async g => await g.Retry()));

        public ValueTask<SiteView> Look() => new(Call<ISite, SiteView>(async g => await g.Look()));

        public Task Report(SiteReport[] reports) => Call<ISiteReports>(g => new ValueTask(g.Report(reports)));
    }

    private sealed class PoolReference(SimWorld world, SimProcess process, string key) : Reference(world, process, GrainKind.Pool, key), IEgressPoolPoll, IEgressPoolOrders
    {
        public Task<PollAnswer> Poll(PollRequest request)
        {
            if (World.Breaks == Breaks.Declared) request = request with { Held = [] };
            return Call<IEgressPoolPoll, PollAnswer>(g => g.Poll(IsUndated ? request with { SentAt = There } : request));
        }

        public Task<PlaceAnswer> Place(PlaceRequest request) => Call<IEgressPoolOrders, PlaceAnswer>(g => g.Place(request));

        public Task<DeclaredPermits> Declared(DeclareRequest request) => Call<IEgressPoolOrders, DeclaredPermits>(g => g.Declared(request));
    }
}
