using Prometheus;

namespace Angarium.Grains.Sweep;

/// <summary>Metrics of the sweep. Any thread.</summary>
internal static class SweepInstruments
{
    public static readonly Counter Offered = Metrics.CreateCounter("angarium_sweep_offered_total", "Recipients that were unfinished and in no queue, offered to their queue by the sweep.");
}
