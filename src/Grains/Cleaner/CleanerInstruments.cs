using Prometheus;

namespace Angarium.Grains.Cleaner;

/// <summary>Metrics of the cleaner. Any thread.</summary>
internal static class CleanerInstruments
{
    public static readonly Counter MovedBytes = Metrics.CreateCounter("angarium_cleaner_moved_bytes_total", "Octets of unfinished mail copied out of old packs.");

    public static readonly Counter Passes = Metrics.CreateCounter("angarium_cleaner_passes_total", "Passes of the cleaner over the packs.");
}
