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

    public static readonly Counter CorruptEntries = Metrics.CreateCounter("angarium_egress_corrupt_entries_total", "Entries that could not be sent because their checksum failed.");

    public static readonly Counter EndedLeases = Metrics.CreateCounter("angarium_egress_stale_grants_total", "Grants that were not carried, or were broken off, because their lease had ended.");

    public static readonly Counter PollFailures = Metrics.CreateCounter("angarium_egress_poll_failures_total", "Polls of the pool that were refused or not answered.");
}
