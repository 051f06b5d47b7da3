using System.Collections.Concurrent;
using Angarium.Contracts.Telemetry;
using Prometheus;

namespace Angarium.Grains.Sites;

/// <summary>What sites and pools count. Any thread; starts at zero with the process.</summary>
internal static class SiteInstruments
{
    private const int MostSites = 50;

    private static readonly Counter s_suspensions = Metrics.CreateCounter("angarium_site_suspensions_total", "Times that a site was suspended, or its probe failed, because its connections failed.");
    private static readonly Gauge s_sites = Metrics.CreateGauge("angarium_sites_suspended", "Sites of this silo that wait for their next probe.");
    private static readonly Gauge s_permits = Metrics.CreateGauge("angarium_egress_permits", "Permits for connections that are held or ordered, by pool.", "pool");
    private static readonly Gauge s_workers = Metrics.CreateGauge("angarium_egress_workers", "Egress workers that poll, by pool.", "pool");
    private static readonly Gauge s_waiting = Metrics.CreateGauge("angarium_egress_orders_waiting", "Orders for connections that wait for a worker with a free session, by pool.", "pool");

    private static readonly Gauge s_longest = Metrics.CreateGauge("angarium_sites_suspended_longest_seconds", "How long the site of this silo that is suspended longest has been so without a break; 0 = none is.");
    private static readonly Gauge s_due = Metrics.CreateGauge("angarium_site_waiting_messages", "Messages that are due and wait for connections, by site: the 50 of this silo with most of them, and `other`.", "site");

    /// <summary>By pool and site.</summary>
    private static readonly ConcurrentDictionary<string, SiteFigures> s_figures = new(StringComparer.Ordinal);

    static SiteInstruments() => Metrics.DefaultRegistry.AddBeforeCollectCallback(Collect);

    public static void Begin(string key, SiteFigures figures) => s_figures[key] = figures;

    public static void End(string key, SiteFigures figures) => s_figures.TryRemove(KeyValuePair.Create(key, figures));

    /// <summary>As the queue's metrics name it: the key without its pool, which a site of any but the first pool has in its name.</summary>
    private static string NameOf(string key) => key[(key.IndexOf('|', StringComparison.Ordinal) + 1)..];

    private static void Collect()
    {
        var sites = s_figures.ToArray();
        s_longest.Set(sites.Select(s => s.Value.SuspendedFor.TotalSeconds).DefaultIfEmpty().Max());
        var waiting = sites.Where(s => s.Value.Waiting > 0).OrderByDescending(s => s.Value.Waiting).Select(s => (Name: NameOf(s.Key), s.Value.Waiting)).ToArray();
        var named = waiting.Take(MostSites).ToDictionary(s => s.Name, s => s.Waiting, StringComparer.Ordinal);
        if (waiting.Length > MostSites) named[TopNames.Other] = waiting.Skip(MostSites).Sum(s => s.Waiting);
        foreach (var labels in s_due.GetAllLabelValues()) if (!named.ContainsKey(labels[0])) s_due.RemoveLabelled(labels);
        foreach (var (name, messages) in named) s_due.WithLabels(name).Set(messages);
    }

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
