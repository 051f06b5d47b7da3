using System.Buffers.Binary;
using System.Security.Cryptography;
using Angarium.Contracts;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Grains.Cleaner;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Inbound;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.Requests;
using Angarium.Grains.Sites;
using Angarium.Grains.Sweep;
using Angarium.Grains.Tenants;
using Angarium.Grains.View;
using Angarium.Grains.Waker;
using Angarium.Grains.Webhooks;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains;

/// <summary>
/// Registers the queues of a silo. Expects from the host: <see cref="IPackStore"/>, <see cref="IPackMover"/>, <see cref="ISpoolReader"/>, <see cref="ILedgerStore"/>, <see cref="IDocumentStore"/>,
/// <see cref="ILedger"/> (whose durable records it passes to <see cref="LedgerFeed"/>), <see cref="IStoreClock"/>, the route resolver of Egress, settings, and the sites,
/// notices and control documents of this project.
/// </summary>
public static class GrainsServices
{
    /// <summary>The queue index in memory: of one process, lost with it. What <see cref="AddQueues"/> takes when no other is registered.</summary>
    public static IServiceCollection AddMemoryIndex(this IServiceCollection services)
    {
        services.AddSingleton(s => new MemoryQueueIndex(() => s.GetRequiredService<ISettings<GrainsOptions>>().Current.MaxRecipients, Draw));
        services.AddSingleton<IQueueIndex>(s => s.GetRequiredService<MemoryQueueIndex>());
        return services.AddSingleton<IIndexTotals>(s => s.GetRequiredService<MemoryQueueIndex>());
    }

    /// <summary>The queue index in Redis, shared by all silos of a cluster. Redis need not be there: it is connected to when it is first needed.</summary>
    /// <param name="services">Where to register; before or after <see cref="AddQueues"/>.</param>
    /// <param name="redis">Where Redis is: valid, as its settings are checked at the start.</param>
    /// <param name="cluster">The cluster's id: what every key begins with.</param>
    public static IServiceCollection AddRedisIndex(this IServiceCollection services, RedisOptions redis, string cluster)
    {
        var configuration = redis.TryParse() ?? throw new ArgumentException("not a connection string of Redis", nameof(redis));
        services.AddSingleton(s => new RedisQueueIndex(configuration, cluster, Draw, s.GetRequiredService<ILogger<RedisQueueIndex>>()));
        services.AddSingleton<IQueueIndex>(s => s.GetRequiredService<RedisQueueIndex>());
        return services.AddSingleton<IIndexTotals>(s => s.GetRequiredService<RedisQueueIndex>());
    }

    /// <summary>The silos of a cluster instead of the one that is alone. Its <see cref="IStanding"/> comes from the host.</summary>
    /// <param name="services">Where to register; before or after <see cref="AddQueues"/>.</param>
    public static IServiceCollection AddClusterSilos(this IServiceCollection services) => services.Replace(ServiceDescriptor.Singleton<ISilos, OrleansSilos>());

    /// <param name="services">Where to register. An <see cref="IQueueIndex"/>, <see cref="IStanding"/> or <see cref="ISilos"/> that is there stays; else those of a process that is alone come.</param>
    /// <param name="ownWriter">The writer id of this process's ledger streams, as it is now.</param>
    /// <param name="isOwnPackWriter">Whether packs of that writer id were made by this process.</param>
    /// <param name="decode">Whole blocks of a stream to records.</param>
    public static IServiceCollection AddQueues(
        this IServiceCollection services, Func<IServiceProvider, ulong> ownWriter, Func<IServiceProvider, ulong, bool> isOwnPackWriter,
        Func<ReadOnlyMemory<byte>, (IEnumerable<LedgerRecord> Records, int Damaged)> decode)
    {
        services.AddSites();
        services.TryAddSingleton<IStanding, SoleStanding>();
        services.TryAddSingleton<ISilos, SoleSilo>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(new DecodeLedger(decode));
        if (services.All(s => s.ServiceType != typeof(IQueueIndex))) services.AddMemoryIndex();
        services.AddSingleton(s => new RecordView(
            s.GetRequiredService<ILedgerStore>(), s.GetRequiredService<IDocumentStore>(), s.GetRequiredService<IStoreClock>(), s.GetRequiredService<IStanding>(),
            s.GetRequiredService<ISilos>(), s.GetRequiredService<DecodeLedger>(), () => ownWriter(s), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<RecordView>>()));
        services.AddSingleton<IRecordView>(s => s.GetRequiredService<RecordView>());
        services.AddSingleton(s => new LedgerFeed(s.GetRequiredService<RecordView>()));
        services.AddSingleton<ISiteCalls, GrainSiteCalls>();
        services.AddSingleton<SpooledAddresses>();
        services.AddSingleton<ISweepOffers, GrainSweepOffers>();
        var active = new ActiveDomains();
        services.AddSingleton(active);
        services.AddSingleton<IAdmission, Admission>();
        services.AddSingleton<IQueueDirectory, QueueDirectory>();
        services.AddSingleton<QueueShapes>();
        services.AddSingleton(s => new DomainQueueSeams
        {
            Clock = s.GetRequiredService<IStoreClock>(), Standing = s.GetRequiredService<IStanding>(), Ledger = s.GetRequiredService<ILedger>(),
            Index = s.GetRequiredService<IQueueIndex>(), View = s.GetRequiredService<IRecordView>(), Notices = s.GetRequiredService<Notices.INoticeWriter>(),
            Control = s.GetRequiredService<Control.IControlDocuments>(), Routes = s.GetRequiredService<Contracts.Routing.IRouteResolver>(),
            Sites = s.GetRequiredService<ISiteCalls>(), Settings = s.GetRequiredService<ISettings<GrainsOptions>>(), Draw = Draw,
            Log = s.GetRequiredService<ILoggerFactory>().CreateLogger("Angarium.Grains.DomainQueues"), IsFull = () => active.IsFull,
            Summaries = s.GetRequiredService<SpooledAddresses>().SummariesAsync,
            Pools = PoolsOf(s.GetRequiredService<TenantPools>(), s.GetRequiredService<Control.Suspensions>()), Suspensions = SuspensionsOf(s.GetRequiredService<Control.Suspensions>()),
        });
        services.AddSingleton(s => new PackSweep(
            s.GetRequiredService<IPackStore>(), s.GetRequiredService<ISpoolReader>(), s.GetRequiredService<IQueueIndex>(), s.GetRequiredService<RecordView>(),
            s.GetRequiredService<IStoreClock>(), s.GetRequiredService<IStanding>(), s.GetRequiredService<ISilos>(), s.GetRequiredService<ISweepOffers>(), w => isOwnPackWriter(s, w),
            s.GetRequiredService<ILogger<PackSweep>>())
        {
            Concurrency = Math.Clamp(Environment.ProcessorCount, 2, 8),
        });
        services.AddTenants();
        services.AddInbound();
        services.AddSingleton<PackCleaner>();
        services.AddHostedService<CleanerService>();
        services.AddHostedService<SweepService>();
        services.AddSingleton<IWakeCalls, GrainWakeCalls>();
        services.AddSingleton<DomainWaker>();
        services.AddHostedService<WakerService>();
        return services;
    }

    /// <summary>Tenants and their keys. Expects the record source of Egress and, for keys, a <see cref="MasterKey"/>.</summary>
    private static void AddTenants(this IServiceCollection services)
    {
        services.AddSingleton(s => new RequestSeal(s.GetService<MasterKey>()));
        services.AddHostedService<RequestsTidier>();
        services.AddSingleton(s => new DkimKeys(s.GetRequiredService<IDocumentStore>(), () => s.GetService<MasterKey>()));
        services.AddSingleton(s =>
        {
            // What a name that does not exist seems to have must be the same on every silo: of the master key, where there is one.
            var decoy = s.GetService<MasterKey>()?.Derive("decoy") ?? RandomNumberGenerator.GetBytes(32);
            var (documents, options, time) = (s.GetRequiredService<IDocumentStore>(), s.GetRequiredService<ISettings<TenantsOptions>>(), s.GetRequiredService<TimeProvider>());
            return new TenantSeams(documents, id => new Tenant(id, documents, s.GetRequiredService<DkimKeys>(), s.GetRequiredService<Contracts.Routing.IRecordSource>(), () => options.Current, decoy, time, s.GetRequiredService<WebhookSeams>(), s.GetRequiredService<TenantPools>()));
        });
        services.AddHostedService(s => new TenantsWatch(
            tenant => s.GetRequiredService<IGrainFactory>().GetGrain<Contracts.Tenants.ITenantAdmin>(tenant).Read(), s.GetRequiredService<IDocumentStore>(), s.GetRequiredService<Membership.ISilos>(),
            s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<TenantsWatch>>()));
        services.AddWebhooks();
    }

    private static void AddWebhooks(this IServiceCollection services)
    {
        services.AddSingleton<WebhookHints>();
        services.AddSingleton(s =>
        {
            var (grains, options) = (s.GetRequiredService<IGrainFactory>(), s.GetRequiredService<ISettings<WebhooksOptions>>());
            return new WebhookSeams(() => s.GetService<MasterKey>(), () => options.Current, post => grains.GetGrain<IWebhookBroker>(0).Post(post), s.GetRequiredService<WebhookHints>().Changed);
        });
        services.AddSingleton(s =>
        {
            var grains = s.GetRequiredService<IGrainFactory>();
            return new WebhookOffice(
                s.GetRequiredService<IDocumentStore>(), s.GetRequiredService<ILedgerStore>(), s.GetRequiredService<IStoreClock>(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<WebhookSeams>(),
                (tenant, webhook, renewed, reason) => grains.GetGrain<IWebhookOwner>(tenant).Disable(webhook, renewed, reason), s.GetRequiredService<IStanding>().IsSoleProcess ? TimeSpan.Zero : TimeSpan.FromSeconds(5));
        });
        services.AddHostedService<WebhooksService>();
    }

    /// <summary>Inbound domains. Expects the route resolver of Egress, and gives it what it asks of them.</summary>
    private static void AddInbound(this IServiceCollection services)
    {
        services.AddSingleton<InboundNames>();
        services.AddHostedService<InboundWatch>();
        services.AddSingleton<Contracts.Routing.IInboundRoutes, InboundRoutes>();
        services.AddSingleton(s => new InboundSeams(
            s.GetRequiredService<IDocumentStore>(), s.GetRequiredService<InboundNames>(), s.GetRequiredService<Contracts.Routing.IRouteResolver>(),
            tenant => s.GetRequiredService<IGrainFactory>().GetGrain<IInboundOwner>(tenant), s.GetRequiredService<TimeProvider>()));
    }

    private static Func<PoolMap?> PoolsOf(TenantPools pools, Control.Suspensions suspensions) => () => suspensions.Over(pools.Current);

    private static Func<Control.SuspensionMap?> SuspensionsOf(Control.Suspensions suspensions) => () => suspensions.Current;

    private static ulong Draw()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Calls of a domain's queue to sites, by grain. Any thread; nothing survives a crash.</summary>
    private sealed class GrainSiteCalls(IGrainFactory grains) : ISiteCalls
    {
        private readonly GrainsByKey<ISite> _sites = new(grains);

        public ValueTask<SiteState> DemandAsync(string site, SiteDemand demand) => Grain(site).Demand(demand);

        public ValueTask<SiteState> RetryAsync(string site) => Grain(site).Retry();

        private ISite Grain(string site) => _sites[PoolName.PoolOf(site) + "|" + site];
    }

    /// <summary>Calls of the waker, by grain. Any thread; no state.</summary>
    private sealed class GrainWakeCalls(IGrainFactory grains) : IWakeCalls
    {
        public ValueTask WakeAsync(string domain) => grains.GetGrain<IDomainQueueWake>(domain).Wake();
    }

    /// <summary>Offers of the sweep, by grain. Any thread; no state.</summary>
    private sealed class GrainSweepOffers(IGrainFactory grains) : ISweepOffers
    {
        public Task<bool> OfferAsync(string domain, SweptOffer offer) => grains.GetGrain<IDomainQueueWake>(domain).OfferSwept(offer);
    }
}
