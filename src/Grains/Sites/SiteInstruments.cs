using Prometheus;

namespace Angarium.Grains.Sites;

/// <summary>What sites and pools count. Any thread; starts at zero with the process.</summary>
internal static class SiteInstruments
{
    private static readonly Counter s_suspensions = Metrics.CreateCounter("angarium_site_suspensions_total", "Times that a site was suspended, or its probe failed, because its connections failed.");
    private static readonly Gauge s_sites = Metrics.CreateGauge("angarium_sites_suspended", "Sites of this silo that wait for their next probe.");
    private static readonly Gauge s_permits = Metrics.CreateGauge("angarium_egress_permits", "Permits for connections that are held or ordered, by pool.", "pool");
    private static readonly Gauge s_workers = Metrics.CreateGauge("angarium_egress_workers", "Egress workers that poll, by pool.", "pool");
    private static readonly Gauge s_waiting = Metrics.CreateGauge("angarium_egress_orders_waiting", "Orders for connections that wait for a worker with a free session, by pool.", "pool");

    public static void OnSuspended() => s_suspensions.Inc();

    public static void OnSuspendedSites(int change) => s_sites.Inc(change);

    public static void OnPool(string pool, int permits, int workers, int waiting)
    {
        s_permits.WithLabels(pool).Set(permits);
        s_workers.WithLabels(pool).Set(workers);
        s_waiting.WithLabels(pool).Set(waiting);
    }

    /// <summary>It is another silo's from now on, which tells of it.</summary>
    public static void OnPoolGone(string pool)
    {
        s_permits.RemoveLabelled(pool);
        s_workers.RemoveLabelled(pool);
        s_waiting.RemoveLabelled(pool);
    }
}
