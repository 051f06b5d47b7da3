using Angarium.Contracts.Telemetry;
using Prometheus;

namespace Angarium.Ingress;

/// <summary>Why a command or a message was refused: the label of a counter.</summary>
internal enum Rejection
{
    Syntax, Sequence, Relay, Recipient, Limit, Content, Loop, Storage, Admission, Overload, Shutdown, Timeout, Early, Tls, Login, Sender, Quota,
}

/// <summary>The metrics of the ingress role. No label names a domain, an address or a client; of tenants those that are counted most.</summary>
internal static class IngressInstruments
{
    public static readonly Counter Accepted = Metrics.CreateCounter("angarium_messages_accepted_total", "Messages that were answered 250.");
    public static readonly Counter AcceptedRecipients = Metrics.CreateCounter("angarium_recipients_accepted_total", "Recipients of messages that were answered 250.");
    public static readonly Counter AcceptedBytes = Metrics.CreateCounter("angarium_accepted_bytes_total", "Octets of content that was answered 250.");
    public static readonly Counter Connections = Metrics.CreateCounter("angarium_ingress_connections_total", "SMTP connections taken in.");
    public static readonly Counter ProxyHeaders = Metrics.CreateCounter(
        "angarium_ingress_proxy_headers_total", "Connections from `Ingress:ProxyNetworks`, by what their PROXY header was: relayed, local (the proxy's own), unknown (no address), or closed for it: malformed, late, closed, overload.", "result");

    public static readonly Gauge OpenConnections = Metrics.CreateGauge("angarium_ingress_connections", "SMTP connections open.");
    public static readonly Counter TlsHandshakes = Metrics.CreateCounter("angarium_ingress_tls_handshakes_total", "TLS handshakes completed.");
    public static readonly Gauge GatheredMemory = Metrics.CreateGauge("angarium_ingress_gathered_memory_bytes", "Memory taken by content that is arriving.");
    public static readonly Gauge GatheredScratch = Metrics.CreateGauge("angarium_ingress_gathered_scratch_bytes", "Scratch file space taken by content that is arriving.");
    public static readonly Gauge WorkingSet = Metrics.CreateGauge("angarium_ingress_working_set_bytes", "Memory in use as the process's control group counts it, without page cache that the kernel would give up; of its heap, where that is nearer to its limit.");
    public static readonly Gauge WorkingSetLimit = Metrics.CreateGauge("angarium_ingress_working_set_limit_bytes", "Memory in use above which new mail is refused (Ingress:MaxWorkingSet of what the process or its heap may use); 0 = without a limit.");
    public static readonly Counter HandedOver = Metrics.CreateCounter("angarium_handover_recipients_total", "Recipients that their queues took right after the commit.");
    public static readonly Counter LeftToSweep = Metrics.CreateCounter("angarium_handover_left_to_sweep_total", "Recipients that no queue took right after the commit: the sweep offers them.");
    public static readonly Gauge Refused = Metrics.CreateGauge("angarium_handover_refused_recipients", "Recipients refused by full queues in the last ten minutes; above 100,000 new mail is answered 451.");

    public static readonly Histogram Commit = Metrics.CreateHistogram("angarium_ingress_commit_seconds", "From the end of a message's content to its reply.",
        new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.0005, 2, 16) });

    private static readonly Counter Rejections = Metrics.CreateCounter(
        "angarium_ingress_rejections_total", $"Replies of class 4 and 5, by reason: {string.Join(", ", Enum.GetNames<Rejection>()).ToLowerInvariant()}.", "reason");

    private static readonly Counter ByTenant = Metrics.CreateCounter(
        "angarium_tenant_accepted_recipients_total", "Recipients made durable, those of notices too, by tenant: the 50 tenants of a process that are counted most, and `other`.", "tenant");

    private static readonly TopNames s_tenants = new(50, name => ByTenant.RemoveLabelled(name));

    private static readonly Counter.Child[] ByReason = [.. Enum.GetNames<Rejection>().Select(name => Rejections.WithLabels(name.ToLowerInvariant()))];

    public static void Committed(string tenant, int recipients) => ByTenant.WithLabels(s_tenants.Count(tenant, recipients)).Inc(recipients);

    public static Counter.Child Rejected(Rejection reason) => ByReason[(int)reason];
}
