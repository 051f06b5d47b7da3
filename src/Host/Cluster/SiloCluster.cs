using System.Net;
using Angarium.Grains.Membership;
using Angarium.Spool.Documents;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Angarium.Host.Cluster;

/// <summary>A silo of a cluster of several processes: its membership in the document store, the measured times, its bounds and the check of its callers' roles. Used at start, on one thread.</summary>
internal static class SiloCluster
{
    public const string ServiceId = "angarium";

    /// <param name="silo">The silo; its host registers <see cref="TimeProvider"/> before.</param>
    /// <param name="address">Where it is.</param>
    /// <param name="documents">Where the membership document is.</param>
    /// <param name="secrets">Of role grains, with the secrets of the roles that may call.</param>
    public static ISiloBuilder UseCluster(this ISiloBuilder silo, ClusterAddress address, IDocumentStore documents, RoleSecrets secrets)
    {
        silo.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (address.ClusterId, ServiceId));
        silo.Configure<EndpointOptions>(options =>
        {
            options.AdvertisedIPAddress = address.Advertise;
            (options.SiloPort, options.GatewayPort) = (address.SiloPort, address.GatewayPort);
            var listen = address.Listen ?? (IPAddress.IsLoopback(address.Advertise) ? address.Advertise : IPAddress.IPv6Any);
            options.SiloListeningEndpoint = new IPEndPoint(listen, address.SiloPort);
            options.GatewayListeningEndpoint = new IPEndPoint(listen, address.GatewayPort);
        });
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            (options.ProbeTimeout, options.MinProbeTimeout, options.MaxProbeTimeout) = (ClusterTuning.Probe, ClusterTuning.MinProbe, ClusterTuning.MaxProbe);
            (options.NumMissedProbesLimit, options.NumVotesForDeathDeclaration) = (ClusterTuning.MissedProbes, ClusterTuning.Votes);
            (options.TableRefreshTimeout, options.IAmAliveTablePublishTimeout) = (ClusterTuning.TableRefresh, ClusterTuning.IAmAlive);
            (options.DefunctSiloExpiration, options.DefunctSiloCleanupPeriod) = (ClusterTuning.DefunctExpiration, ClusterTuning.DefunctCleanup);
            options.MaxDefunctSiloEntries = ClusterTuning.MaxDefunct;
        });
        silo.Configure<SiloMessagingOptions>(options =>
        {
            Bound(options);
            options.SystemResponseTimeout = ClusterTuning.Response;
            options.MaxEnqueuedRequestsSoftLimit = ClusterTuning.EnqueuedSoft;
            options.MaxEnqueuedRequestsHardLimit = ClusterTuning.EnqueuedHard;
        });
        silo.Configure<GrainDirectoryOptions>(options => options.CacheSize = ClusterTuning.RememberedGrains);
        silo.Configure<LoadSheddingOptions>(options => (options.LoadSheddingEnabled, options.MemoryThreshold, options.CpuThreshold) = (true, ClusterTuning.MemoryThreshold, 100));

        // Drawn at random: even whatever the order of starts, in bursts too, and a new silo gets its share as idle domains end and come again. What weighs the silos' load looks at figures of
        // a second ago: measured, it gave a burst of a thousand domains to the other silos alone, and three quarters of the next to the one that had just started.
        silo.Services.AddSingleton<PlacementStrategy, RandomPlacement>();

        silo.Services.AddSingleton<IOutgoingGrainCallFilter>(services => new RoleOutgoingFilter(secrets, services.GetRequiredService<ILogger<RoleOutgoingFilter>>()));
        silo.Services.AddSingleton<IIncomingGrainCallFilter>(services => new RoleIncomingFilter(secrets, services.GetRequiredService<ILogger<RoleIncomingFilter>>()));

        silo.Services.TryAddSingleton(TimeProvider.System);
        ForwardTime.Register(silo.Services);
        silo.Services.AddSingleton(services => new MembershipStore(
            documents, address.ClusterId, mayWrite: true, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<MembershipStore>>()));
        silo.Services.AddSingleton<IMembershipTable, DocumentMembershipTable>();
        silo.Services.AddSingleton<ClusterStanding>();
        silo.Services.Replace(ServiceDescriptor.Singleton<IStanding>(services => services.GetRequiredService<ClusterStanding>()));
        silo.Services.AddSingleton(services => new StillRows(services.GetRequiredService<TimeProvider>(), StillRows.Usual));
        silo.Services.AddHostedService<StandingKeeper>();
        return silo;
    }

    /// <summary>What silos and clients have in common.</summary>
    public static void Bound(MessagingOptions options)
    {
        options.ResponseTimeout = ClusterTuning.Response;
        (options.MaxMessageHeaderSize, options.MaxMessageBodySize) = (ClusterTuning.MaxHeader, ClusterTuning.MaxBody);
    }
}
