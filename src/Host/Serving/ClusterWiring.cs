using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Angarium.Contracts.Admin;
using Angarium.Grains;
using Angarium.Grains.Index;
using Angarium.Host.Cluster;
using Angarium.Host.Cluster.Tls;
using Angarium.Ingress;
using Angarium.Spool;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Angarium.Host.Serving;

/// <summary>Puts the engine of a process together: the silo that opens no port of one that is alone, a silo of a cluster, or a client of one; and the grains of a silo. At start, on one thread.</summary>
internal static class ClusterWiring
{
    public static void AddCluster(this IHostApplicationBuilder builder, ProcessPlan plan, RelayStores stores)
    {
        if (plan.IsAlone)
        {
            builder.AddSiloWithoutPorts();
            return;
        }

        var secrets = new RoleSecrets(plan.ProvenRoles, plan.Cluster.Secrets);
        if (plan.IsSilo)
        {
            builder.UseOrleans(silo =>
            {
                silo.UseCluster(Address(plan), stores.Documents, secrets);
                if (plan.Cluster.Tls is { } tls) silo.UseTls(tls);
            });
        }
        else
        {
            builder.UseOrleansClient(client =>
            {
                client.UseCluster(plan.Cluster.Id, stores.Documents, secrets);
                if (plan.Cluster.Tls is { } tls) client.UseTls(tls);
            });
        }

        if (!plan.IsSilo) builder.Services.AddSingleton<IQueueDirectory, RemoteQueueDirectory>();
    }

    public static void AddGrains(this IHostApplicationBuilder builder, ProcessPlan plan, OpenStores stores, RedisOptions redis, TenantsOptions tenants)
    {
        if (plan.IsAlone) builder.Services.AddMemoryIndex();
        else builder.Services.AddRedisIndex(redis, plan.Cluster.Id).AddClusterSilos();
        builder.Services.AddQueues(_ => stores.Ledger!.Writer, (_, writer) => !stores.IsEarlier(writer), LedgerReader.Decode);
        if (TenantKeys.Load(plan, tenants) is { } key) builder.Services.AddSingleton(key);
        // Notices are committed here, whether mail is or not.
        builder.Services.AddHandOver();
    }

    /// <summary>The ports that a silo will open, to be tried before anything is started.</summary>
    public static IEnumerable<(string Setting, IPEndPoint EndPoint)> SiloListeners(this ProcessPlan plan)
    {
        if (plan.IsAlone || !plan.IsSilo) yield break;
        var address = Address(plan);
        var listen = address.Listen ?? IPAddress.IPv6Any;
        yield return ("Cluster:SiloPort", new IPEndPoint(listen, address.SiloPort));
        yield return ("Cluster:GatewayPort", new IPEndPoint(listen, address.GatewayPort));
    }

    private static ClusterAddress Address(ProcessPlan plan)
    {
        var own = MachineAddresses().ToList();
        var advertise = plan.Cluster.Advertise.Length > 0 ? IPAddress.Parse(plan.Cluster.Advertise)
            : own.FirstOrDefault(address => !IPAddress.IsLoopback(address) && address.AddressFamily == AddressFamily.InterNetwork)
            ?? own.FirstOrDefault(address => !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal)
            ?? throw new StartException("Cluster:Advertise: this machine has no address of its own; set the IP address by which the other processes reach it.");
        return new ClusterAddress
        {
            ClusterId = plan.Cluster.Id, SiloPort = plan.Cluster.SiloPort, GatewayPort = plan.Cluster.GatewayPort, Advertise = advertise,
            // Behind a translation of addresses it listens on all.
            Listen = IPAddress.IsLoopback(advertise) || own.Contains(advertise) ? advertise : null,
        };
    }

    private static IEnumerable<IPAddress> MachineAddresses() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus == OperationalStatus.Up || network.NetworkInterfaceType == NetworkInterfaceType.Loopback)
        .SelectMany(network => network.GetIPProperties().UnicastAddresses).Select(address => address.Address);
}
