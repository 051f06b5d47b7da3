using Prometheus;

namespace Angarium.Spool;

/// <summary>The metrics of the stores. Process-wide; any thread.</summary>
internal static class SpoolInstruments
{
    private static readonly GaugeConfiguration s_ofSome = new() { SuppressInitialValue = true };
    private static readonly Counter Commits = Metrics.CreateCounter("angarium_spool_commits_total", "Packs made durable.");
    private static readonly Counter Bytes = Metrics.CreateCounter("angarium_spool_committed_bytes_total", "Octets of the packs made durable.");
    private static readonly Histogram Seconds = Metrics.CreateHistogram(
        "angarium_spool_commit_seconds", "Time from taking a pack's messages to their being durable.", new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.0005, 2, 16) });
    private static readonly Histogram Messages = Metrics.CreateHistogram(
        "angarium_spool_commit_messages", "Messages in a pack.", new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(1, 2, 12) });
    private static readonly Counter Corruptions = Metrics.CreateCounter("angarium_spool_corruptions_total", "Stored records that failed their checksum.");

    public static readonly Counter LedgerAppends = Metrics.CreateCounter("angarium_ledger_appends_total", "Appends made durable in the ledger.");
    public static readonly Counter LedgerRecords = Metrics.CreateCounter("angarium_ledger_records_total", "Records made durable in the ledger.");
    public static readonly Counter LedgerFailures = Metrics.CreateCounter("angarium_ledger_failures_total", "Appends to the ledger that failed.");
    public static readonly Counter StorageRequests = Metrics.CreateCounter(
        "angarium_storage_requests_total", "Requests to blob storage, repeated ones too, by container, by operation (write = create or append, read, list, delete) and by class of the answer (none = there was none).",
        "container", "operation", "answer");
    public static readonly Histogram StorageSeconds = Metrics.CreateHistogram(
        "angarium_storage_seconds", "Time from a request to blob storage to its answer, by operation.",
        new HistogramConfiguration { LabelNames = ["operation"], Buckets = Histogram.ExponentialBuckets(0.002, 2, 14) });
    public static readonly Gauge StorageKeyEnds = Metrics.CreateGauge(
        "angarium_storage_key_expires_seconds", "When the key ends by which this process reaches a container (`Spool:Containers:<container>`), in seconds of Unix time; none for an account or an identity.", "container");
    public static readonly Gauge FreeBytes = Metrics.CreateGauge("angarium_spool_free_bytes", "Free octets of the file system under Data; none where the process keeps nothing there.", s_ofSome);
    public static readonly Gauge LeastBytes = Metrics.CreateGauge("angarium_spool_min_free_bytes", "Free octets under Data below which new mail is answered 452 (Spool:MinFree).", s_ofSome);
    public static readonly Gauge Packs = Metrics.CreateGauge("angarium_spool_packs", "Packs that exist.");

    public static void Committed(int messages, long bytes, TimeSpan elapsed)
    {
        Commits.Inc();
        Bytes.Inc(bytes);
        Seconds.Observe(elapsed.TotalSeconds);
        Messages.Observe(messages);
    }

    public static void Corrupt() => Corruptions.Inc();
}
