using Prometheus;

namespace Angarium.Host.Cluster;

/// <summary>What a process has seen of the cluster's membership. Any thread.</summary>
internal static class MembershipInstruments
{
    private static readonly Gauge s_silos = Metrics.CreateGauge(
        "angarium_cluster_silos", "Silos that are active by the newest membership document that this process has seen; none outside of a cluster.", new GaugeConfiguration { SuppressInitialValue = true });

    public static void Seen(MembershipDocument document) => s_silos.Set(document.Silos.Count(silo => silo.Status == SiloStatus.Active));
}
