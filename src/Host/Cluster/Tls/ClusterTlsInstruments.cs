using Prometheus;

namespace Angarium.Host.Cluster.Tls;

/// <summary>What TLS between processes counts. Any thread.</summary>
internal static class ClusterTlsInstruments
{
    public static readonly Counter Refusals = Metrics.CreateCounter(
        "angarium_cluster_tls_refusals_total", "Connections between processes that came to nothing in TLS, by side: accepted (this silo refused a peer), opened (a silo is no member, or refused this process).", "side");
}
