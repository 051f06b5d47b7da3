using Angarium.Spool.Documents;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Messaging;

namespace Angarium.Host.Cluster;

/// <summary>A client of the cluster: a process of ingress, egress or api. Reads the membership document only. Used at start, on one thread.</summary>
internal static class ClientCluster
{
    /// <param name="client">The client.</param>
    /// <param name="clusterId">`Cluster:Id`.</param>
    /// <param name="documents">Where the membership document is; read alone is enough.</param>
    /// <param name="secrets">Of the role that this process has.</param>
    public static IClientBuilder UseCluster(this IClientBuilder client, string clusterId, IDocumentStore documents, RoleSecrets secrets)
    {
        client.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (clusterId, SiloCluster.ServiceId));
        client.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = ClusterTuning.GatewayRefresh);
        client.Configure<ClientMessagingOptions>(SiloCluster.Bound);
        client.Services.AddSingleton<IOutgoingGrainCallFilter>(services => new RoleOutgoingFilter(secrets, services.GetRequiredService<ILogger<RoleOutgoingFilter>>()));
        client.Services.TryAddSingleton(TimeProvider.System);
        ForwardTime.Register(client.Services);
        client.Services.AddSingleton(services => new MembershipStore(
            documents, clusterId, mayWrite: false, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<MembershipStore>>()));
        client.Services.AddSingleton<IGatewayListProvider, DocumentGatewayListProvider>();
        client.Services.AddSingleton<IClientConnectionRetryFilter, ClusterPatience>();
        return client;
    }
}
