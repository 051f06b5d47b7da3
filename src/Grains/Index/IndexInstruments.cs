using System.Diagnostics;
using Prometheus;

namespace Angarium.Grains.Index;

/// <summary>Metrics of the index in Redis. Any thread.</summary>
internal static class IndexInstruments
{
    private static readonly Histogram s_calls = Metrics.CreateHistogram(
        "angarium_redis_seconds", "Time of a call to Redis, one script with all it is about, by result: answered, failed (refused, not reached, or not answered within 5 s).",
        new HistogramConfiguration { LabelNames = ["result"], Buckets = Histogram.ExponentialBuckets(0.0005, 2, 14) });

    private static readonly Histogram.Child s_answered = s_calls.WithLabels("answered"), s_failed = s_calls.WithLabels("failed");

    public static void Answered(long began) => s_answered.Observe(Stopwatch.GetElapsedTime(began).TotalSeconds);

    public static void Failed(long began) => s_failed.Observe(Stopwatch.GetElapsedTime(began).TotalSeconds);
}
