using Prometheus;

namespace Angarium.Grains.Membership;

/// <summary>Counts what a silo refused because whoever sent it, or the activation that got it, acts on what is no longer so. Any thread.</summary>
internal static class StaleInstruments
{
    private static readonly Counter Stale = Metrics.CreateCounter(
        "angarium_stale_refused_total",
        "Refused as out of date, by what: write (of the index, under an owner token that is another's), exchange, renewal, offer, poll (sent too long ago, by another clock, or to an owner that is none any more), order (of a site or pool that has a successor).",
        "what");

    /// <summary>All of them from the start: what is there for the first time with 1 has not risen.</summary>
    private static readonly Counter.Child s_write = Stale.WithLabels("write"), s_exchange = Stale.WithLabels("exchange"), s_renewal = Stale.WithLabels("renewal"), s_offer = Stale.WithLabels("offer"),
        s_poll = Stale.WithLabels("poll"), s_order = Stale.WithLabels("order");

    public static void Write() => s_write.Inc();

    public static void Exchange() => s_exchange.Inc();

    public static void Renewal() => s_renewal.Inc();

    public static void Offer() => s_offer.Inc();

    public static void Poll() => s_poll.Inc();

    public static void Order() => s_order.Inc();
}
