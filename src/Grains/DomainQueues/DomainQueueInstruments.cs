using Angarium.Contracts.Telemetry;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Prometheus;

namespace Angarium.Grains.DomainQueues;

/// <summary>Metrics of the queues. Any thread.</summary>
internal static class DomainQueueInstruments
{
    public static readonly Counter PossibleDuplicates = Metrics.CreateCounter(
        "angarium_possible_duplicates_total", "Recipients whose attempt ended without a known result after it may have delivered: a second copy may follow.");

    public static readonly Gauge QueueRecipients = Metrics.CreateGauge("angarium_queue_recipients", "Recipients in the queue index.");

    public static readonly Gauge OldestDueSeconds = Metrics.CreateGauge("angarium_queue_oldest_due_seconds", "How long the recipient that is due longest has been due; 0 = none is.");

    private static readonly Counter Deliveries = Metrics.CreateCounter(
        "angarium_deliveries_total", "Outcomes recorded, by recipient: delivered, relayed, deferred, failed, expired, dropped, stale.", "outcome");

    private static readonly Counter s_tenants = Metrics.CreateCounter(
        "angarium_tenant_deliveries_total", "Outcomes recorded, by recipient, as angarium_deliveries_total has them, by tenant (the 50 of a silo that are counted most, and `other`) and egress pool.", "tenant", "pool", "outcome");

    private static readonly Counter s_replies = Metrics.CreateCounter(
        "angarium_delivery_replies_total",
        "Recipients by the reply that ended their attempt: class (2, 4, 5), subject of the enhanced status code (other, address, mailbox, system, network, protocol, content, policy; none = there is none) and in whose words (peer, own).",
        "class", "subject", "words");

    private static readonly Histogram s_deferred = Metrics.CreateHistogram(
        "angarium_deferred_age_seconds", "Ages of recipients that an attempt deferred, by site (pool and MX hosts or route; the 50 of a silo with most of them, and `other`).",
        new HistogramConfiguration { LabelNames = ["site"], Buckets = [60, 300, 600, 1200, 2400, 4800, 9600, 19_200, 43_200, 86_400, 172_800, 345_600] });

    private static readonly TopNames s_busiest = new(50, name => Forget(s_tenants, name)), s_sites = new(50, name => s_deferred.RemoveLabelled(name));

    private static readonly string[] s_subjects = ["other", "address", "mailbox", "system", "network", "protocol", "content", "policy"];

    /// <summary>Recipients whose outcome was recorded together.</summary>
    public static void Count(LedgerKind kind, int recipients, string tenant, string pool)
    {
        var outcome = kind switch
        {
            LedgerKind.Delivered => "delivered",
            LedgerKind.Relayed => "relayed",
            LedgerKind.Deferred => "deferred",
            LedgerKind.Failed => "failed",
            LedgerKind.Expired => "expired",
            LedgerKind.Dropped => "dropped",
            LedgerKind.StaleReport => "stale",
            _ => null,
        };
        if (outcome is null || recipients == 0) return;
        Deliveries.WithLabels(outcome).Inc(recipients);
        s_tenants.WithLabels(s_busiest.Count(tenant.Length > 0 ? tenant : TopNames.Other, recipients), pool, outcome).Inc(recipients);
    }

    /// <summary>The reply that ended an attempt of recipients that it was given for together.</summary>
    public static void CountReply(Reply reply, bool isOwn, int recipients) => s_replies.WithLabels(
        reply.Code switch { >= 200 and < 300 => "2", >= 500 and < 600 => "5", _ => "4" },
        reply.Status == default ? "none" : s_subjects[reply.Status.Subject < s_subjects.Length ? reply.Status.Subject : 0],
        isOwn ? "own" : "peer").Inc(recipients);

    public static void CountDeferred(string site, TimeSpan age, int recipients) => s_deferred.WithLabels(s_sites.Count(site, recipients)).Observe(Math.Max(0, age.TotalSeconds), recipients);

    private static void Forget(Counter counter, string first)
    {
        foreach (var labels in counter.GetAllLabelValues()) if (labels[0] == first) counter.RemoveLabelled(labels);
    }
}
