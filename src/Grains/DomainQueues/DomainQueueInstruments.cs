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

    public static void Count(LedgerKind kind)
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
        if (outcome is not null) Deliveries.WithLabels(outcome).Inc();
    }
}
