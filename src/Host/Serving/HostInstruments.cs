using System.Reflection;
using Angarium.Egress;
using Angarium.Grains;
using Angarium.Host.Configuration;
using Angarium.Ingress;
using Angarium.Spool;
using Angarium.Spool.Time;
using Prometheus;

namespace Angarium.Host.Serving;

/// <summary>What a process says of itself as a whole, asked when metrics are collected. Any thread.</summary>
internal static class HostInstruments
{
    private static readonly Gauge s_ready = Metrics.CreateGauge("angarium_ready", "1 = the process is ready, as `/readyz` says, for each role that it runs; else 0.", "runs");
    private static readonly Gauge s_settled = Metrics.CreateGauge("angarium_clock_settled", "1 = the store's time is known and has not jumped; 0 = the process grants, tries and expires nothing until it is.");
    private static readonly Gauge s_offset = Metrics.CreateGauge("angarium_clock_offset_seconds", "By how much the store's time is ahead of the machine's clock; known to about a second.");

    public static void Watch(ProcessPlan plan, Readiness readiness, IStoreClock clock, TimeProvider time)
    {
        // What this process may count is there from the start: a series that begins with 1 has not risen.
        _ = MetricReference.Collectors([typeof(SpoolOptions).Assembly, typeof(HostInstruments).Assembly, .. Assemblies(plan)]);
        string[] roles = [.. RelayOptions.AllRoles.Where(plan.Options.Runs)];
        Metrics.DefaultRegistry.AddBeforeCollectCallback(() =>
        {
            var isReady = readiness.Trouble is null ? 1 : 0;
            foreach (var role in roles) s_ready.WithLabels(role).Set(isReady);
            s_settled.Set(clock.IsSettled ? 1 : 0);
            s_offset.Set((clock.Now.ToDateTimeOffset() - time.GetUtcNow()).TotalSeconds);
        });
    }

    private static IEnumerable<Assembly> Assemblies(ProcessPlan plan)
    {
        if (plan.RunsIngress) yield return typeof(IngressOptions).Assembly;
        if (plan.IsSilo) yield return typeof(GrainsServices).Assembly;
        if (plan.RunsEgress) yield return typeof(EgressOptions).Assembly;
    }
}
