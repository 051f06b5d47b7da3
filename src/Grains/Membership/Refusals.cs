using Prometheus;

namespace Angarium.Grains.Membership;

/// <summary>Counts what a silo refused because whoever sent it, or the activation that got it, acts on what is no longer so. Any thread.</summary>
internal static class Refusals
{
    private static readonly Counter Stale = Metrics.CreateCounter(
        "angarium_stale_refused_total",
        "Refused as out of date, by what: write (of the index, under an owner token that is another's), exchange, renewal, offer, poll (sent too long ago, by another clock, or to an owner that is none any more), order (of a site or pool that has a successor).",
        "what");

    public static void Write() => Stale.WithLabels("write").Inc();

    public static void Exchange() => Stale.WithLabels("exchange").Inc();

    public static void Renewal() => Stale.WithLabels("renewal").Inc();

    public static void Offer() => Stale.WithLabels("offer").Inc();

    public static void Poll() => Stale.WithLabels("poll").Inc();

    public static void Order() => Stale.WithLabels("order").Inc();
}
