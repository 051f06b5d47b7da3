using System.Globalization;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Sites;
using Angarium.Grains.Tenants;
using Angarium.Mail.Addresses;
using Angarium.Spool.Time;

namespace Angarium.Grains.Control;

/// <summary>Says where a domain's mail goes and what bounds it, with the setting that each limit comes from: those of the silo that answers, which has to have the same as the others. Any thread; no state.</summary>
internal sealed class DomainExplainer(IRouteResolver routes, ISettings<SiteOptions> sites, ISettings<GrainsOptions> queues, TenantPools pools, Suspensions suspensions, IStoreClock clock, IGrainFactory grains)
{
    /// <summary>Pools whose sites are looked at.</summary>
    private const int MostPools = 20;

    /// <summary>Null = it is no domain.</summary>
    public async Task<DomainExplanation?> ExplainAsync(string text, CancellationToken cancellationToken)
    {
        if (!QueueDomain.TryParse(text, out var domain)) return null;
        var route = await routes.ExplainAsync(domain.Value, cancellationToken);
        string[] names = [.. (pools.Current?.Pools ?? []).Order(StringComparer.Ordinal).Prepend(PoolName.Default).Take(MostPools)];
        var looked = names.Select(pool => grains.GetGrain<ISite>($"{pool}|{PoolName.SiteIn(pool, route.Site.Site)}").Look().AsTask());
        var queue = await grains.GetGrain<IDomainQueueAdmin>(domain.Value).Show(0);
        // A queue that has nothing to send has not asked where to.
        var ordered = names.Select(pool => suspensions.Current?.OfSite(PoolName.SiteIn(pool, route.Site.Site), clock.Now)).OfType<Suspension>();
        return new DomainExplanation
        {
            Domain = domain.Value, Site = route.Site.Site, From = route.From, Hosts = [.. route.Hosts], Trouble = route.Trouble?.ToString(),
            Queue = queue with { Suspensions = [.. queue.Suspensions.Concat(ordered).DistinctBy(one => (one.Kind, one.Name))] },
            Sites = await Task.WhenAll(looked), Limits = [.. Limits(route)],
        };
    }

    private IEnumerable<LimitView> Limits(RouteExplanation route)
    {
        var (site, queue, unset, unsetQueue) = (sites.Current, queues.Current, new SiteOptions(), new GrainsOptions());
        var limits = SiteLimits.From(site, queue.RetrySchedule, route.Site.IsRoute, route.Site.MaxConnections);
        if (limits.IsRoute)
        {
            yield return route.Site.MaxConnections is null
                ? Of("connections", limits.Connections, "Egress:Site:RouteConnections", site.RouteConnections == unset.RouteConnections) : new LimitView("connections", Text(limits.Connections), $"connections= of {route.From}");
        }
        else
        {
            yield return Of("connections", limits.Connections, "Egress:Site:Connections", site.Connections == unset.Connections);
            yield return site.InitialConnections > site.Connections
                ? new LimitView("connections at first", Text(limits.Initial), "Egress:Site:Connections, which is less than Egress:Site:InitialConnections")
                : Of("connections at first", limits.Initial, "Egress:Site:InitialConnections", site.InitialConnections == unset.InitialConnections);
            yield return Of("new connections a minute", limits.ConnectionsPerMinute, "Egress:Site:ConnectionsPerMinute", site.ConnectionsPerMinute == unset.ConnectionsPerMinute);
            yield return Of("messages a second", site.MessagesPerSecond, "Egress:Site:MessagesPerSecond", site.MessagesPerSecond == unset.MessagesPerSecond);
            yield return Of("messages a connection", limits.MessagesPerConnection, "Egress:Site:MessagesPerConnection", site.MessagesPerConnection == unset.MessagesPerConnection);
        }

        yield return Of("idle connection", limits.Idle, "Egress:Site:Idle", site.Idle == unset.Idle);
        yield return limits.FirstSuspension < site.Suspension
            ? new LimitView("first pause after failures", Text(limits.FirstSuspension), "Retry:Schedule, whose first delay is shorter than Egress:Site:Suspension")
            : Of("first pause after failures", limits.FirstSuspension, "Egress:Site:Suspension", site.Suspension == unset.Suspension);
        yield return limits.MaxSuspension < site.MaxSuspension
            ? new LimitView("longest pause after failures", Text(limits.MaxSuspension), "Retry:Schedule, whose longest delay is shorter than Egress:Site:MaxSuspension")
            : Of("longest pause after failures", limits.MaxSuspension, "Egress:Site:MaxSuspension", site.MaxSuspension == unset.MaxSuspension);
        yield return Of("retries after", string.Join(", ", queue.RetrySchedule.Select(Text)), "Retry:Schedule", queue.RetrySchedule.SequenceEqual(unsetQueue.RetrySchedule));
        yield return Of("given up after", queue.RetryExpire, "Retry:Expire", queue.RetryExpire == unsetQueue.RetryExpire);
        yield return Of("messages in memory", queue.Window, "Queue:Window", queue.Window == unsetQueue.Window);
    }

    private static LimitView Of(string name, object value, string setting, bool isDefault) =>
        new(name, value is TimeSpan time ? Text(time) : Convert.ToString(value, CultureInfo.InvariantCulture)!, isDefault ? setting + " (default)" : setting);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>As settings have it.</summary>
    private static string Text(TimeSpan time)
    {
        foreach (var (unit, length) in ((string, TimeSpan)[])[("d", TimeSpan.FromDays(1)), ("h", TimeSpan.FromHours(1)), ("m", TimeSpan.FromMinutes(1)), ("s", TimeSpan.FromSeconds(1))])
            if (time >= length && time.Ticks % length.Ticks == 0) return string.Create(CultureInfo.InvariantCulture, $"{time.Ticks / length.Ticks}{unit}");
        return string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds}ms");
    }
}
