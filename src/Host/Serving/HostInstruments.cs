using Angarium.Spool.Time;
using Prometheus;

namespace Angarium.Host.Serving;

/// <summary>What a process says of itself as a whole, asked when metrics are collected. Any thread.</summary>
internal static class HostInstruments
{
    private static readonly Gauge s_ready = Metrics.CreateGauge("angarium_ready", "1 = the process is ready, as `/readyz` says, for each role that it runs; else 0.", "runs");
    private static readonly Gauge s_settled = Metrics.CreateGauge("angarium_clock_settled", "1 = the store's time is known and has not jumped; 0 = the process grants, tries and expires nothing until it is.");
    private static readonly Gauge s_offset = Metrics.CreateGauge("angarium_clock_offset_seconds", "By how much the store's time is ahead of the machine's clock; known to about a second.");

    public static void Watch(IReadOnlyList<string> roles, Readiness readiness, IStoreClock clock, TimeProvider time) => Metrics.DefaultRegistry.AddBeforeCollectCallback(() =>
    {
        var isReady = readiness.Trouble is null ? 1 : 0;
        foreach (var role in roles) s_ready.WithLabels(role).Set(isReady);
        s_settled.Set(clock.IsSettled ? 1 : 0);
        s_offset.Set((clock.Now.ToDateTimeOffset() - time.GetUtcNow()).TotalSeconds);
    });
}
