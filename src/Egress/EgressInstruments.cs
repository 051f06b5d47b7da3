using Prometheus;

namespace Angarium.Egress;

/// <summary>What egress counts. Any thread.</summary>
internal static class EgressInstruments
{
    public static readonly Gauge Sessions = Metrics.CreateGauge("angarium_egress_sessions", "Sessions under way, from their order to their end.");

    public static readonly Counter Connections = Metrics.CreateCounter(
        "angarium_egress_connections_total", "Connections tried, by result: opened, unreachable, proxy (it cannot be used), timeout, refused (by a reply), tls, broken.", "result");

    public static readonly Counter TlsConnections = Metrics.CreateCounter("angarium_egress_tls_connections_total", "Connections opened, by protection: none, unvalidated, validated.", "tls");

    public static readonly Histogram Attempts = Metrics.CreateHistogram(
        "angarium_egress_attempts_seconds", "Time of a transaction from its MAIL to its outcome, by outcome.",
        new HistogramConfiguration { LabelNames = ["outcome"], Buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000] });

    public static readonly Counter SourceConnections = Metrics.CreateCounter(
        "angarium_egress_source_connections_total", "Connections tried, by pool, own source address (`system` = the system chose it) and result, as angarium_egress_connections_total has it.", "pool", "source", "result");

    public static readonly Counter SourceAttempts = Metrics.CreateCounter(
        "angarium_egress_source_attempts_total", "Recipients of transactions that ended, by pool, own source address and outcome.", "pool", "source", "outcome");

    public static readonly Gauge Sources = Metrics.CreateGauge("angarium_egress_sources", "Source addresses of the pool that this process is to send from; one where the system chooses.", "pool");

    public static readonly Gauge UsableSources = Metrics.CreateGauge("angarium_egress_sources_usable", "Source addresses of the pool that this process can send from now; at 0 it takes none of the pool's mail.", "pool");

    public static readonly Counter CorruptEntries = Metrics.CreateCounter("angarium_egress_corrupt_entries_total", "Entries that could not be sent because their checksum failed.");

    public static readonly Counter EndedLeases = Metrics.CreateCounter("angarium_egress_stale_grants_total", "Grants that were not carried, or were broken off, because their lease had ended.");

    public static readonly Counter PollFailures = Metrics.CreateCounter("angarium_egress_poll_failures_total", "Polls of the pool that were refused or not answered.");
}
