using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.Sites;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

// What the sites are told, one for each pool: how much of which lane is due here (design rule 22).
internal sealed partial class DomainQueue
{
    private static readonly TimeSpan DemandInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan DemandSpacing = TimeSpan.FromMilliseconds(100);

    /// <summary>The site's state has changed: suspended, failed again, recovered.</summary>
    public void SiteChanged(string site, SiteState state)
    {
        if (PoolAt(site) is not { } pool) return;
        if (pool.State?.LastFailure != state.LastFailure) _expiryDue = true;
        pool.State = state;
        Tick();
    }

    /// <summary>
    /// A worker found that the mail goes elsewhere than where we ask for connections: DNS was in trouble when we looked, or has changed, or tells it otherwise. It connects where it finds the domain,
    /// so there we ask for them, for as long as it may believe that; then we look again.
    /// </summary>
    /// <param name="site">As the worker's pool names it; the route names its own without a pool.</param>
    public void SiteMoved(string site, SiteRoute route)
    {
        // A host that a tenant named is not found, and does not move: only a worker of a version that knows of none says so.
        if (PoolAt(site) is not { } pool || InboundRoute.OfSite(pool.Route!.Site) is not null || route.Site == pool.Route.Site || route.Site is not { Length: > 0 and <= SiteRoute.MaxName } || route.MaxConnections < 1
            || PoolName.SiteOf(route.Site) != route.Site) return;
        var validFor = route.ValidFor < SiteRoute.Least ? SiteRoute.Least : route.ValidFor > SiteRoute.Most ? SiteRoute.Most : route.ValidFor;
        pool.Moved = route with { ValidFor = validFor };
        Tick();
    }

    private QueuePool? PoolAt(string site)
    {
        foreach (var pool in _pools) if (pool.Site == site) return pool;
        return null;
    }

    private void SendDemand(StoreTime now)
    {
        for (var i = 0; i < _pools.Count; i++) SendDemand(_pools[i], now);
    }

    // At once when demand appears or goes elsewhere, within 100 ms when it grows to double or vanishes; otherwise every 30 s while there is some.
    private void SendDemand(QueuePool pool, StoreTime now)
    {
        var isResting = IsResting(pool, now);
        var count = MayGrant && !isResting ? pool.Ready : 0;
        if (pool.IsTelling || _deposed || (count == 0 && pool.DemandSent == 0))
        {
            if (count == 0) pool.DemandDue = Never;
            return;
        }

        var appears = count > 0 && (pool.DemandSent == 0 || pool.RanDry || pool.Moved is not null);
        var urgent = count == 0 || count >= pool.DemandSent * 2;
        pool.DemandDue = StoreTime.Max(pool.DemandRetryAt, pool.DemandSentAt + (appears ? TimeSpan.Zero : urgent ? DemandSpacing : DemandInterval));
        if (now >= pool.DemandDue) Run(SendDemandAsync(pool, count));
    }

    private async Task SendDemandAsync(QueuePool pool, int count)
    {
        pool.IsTelling = true;
        try
        {
            var isNamed = _seams.Routes.MayBeNamed(_domain);
            // What a worker found before a tenant said otherwise counts no more.
            if (isNamed != pool.WasNamed) pool.Moved = null;
            if (pool.Route is null || Now >= pool.RouteUntil || pool.Moved is not null || isNamed != pool.WasNamed)
            {
                var route = pool.Moved ?? await _seams.Routes.ResolveSiteAsync(_domain, CancellationToken.None);
                pool.Moved = null;
                if (pool.Route is { } old && old.Site != route.Site) await _seams.Sites.DemandAsync(pool.Site!, new SiteDemand { Domain = _domain, SentAt = Now });
                pool.WasNamed = isNamed;
                pool.MoveTo(route, Now);
                // Where that is suspended, nothing is asked for; the others who ask there are not told of it by us.
                if (IsSuspended(pool)) count = 0;
            }

            (pool.DemandSent, pool.DemandSentAt, pool.RanDry) = (count, Now, false);
            pool.DemandDue = count > 0 ? pool.DemandSentAt + DemandInterval : Never;
            var state = await _seams.Sites.DemandAsync(pool.Site!, new SiteDemand
            {
                Domain = _domain, Lanes = count > 0 ? ReadyLanes.Demand(pool) : [], IsRoute = pool.Route!.IsRoute, MaxConnections = pool.Route.MaxConnections, SentAt = Now,
            });
            if (pool.State?.LastFailure != state.LastFailure) _expiryDue = true;
            pool.State = state;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A site that cannot be reached (moving, overloaded) is told again: a lost demand is harmless.
            LogSiteUnreachable(_domain, e.Message);
            (pool.DemandSent, pool.DemandSentAt) = (0, Now);
            pool.DemandDue = pool.DemandRetryAt = Now + TimeSpan.FromSeconds(1);
        }
        finally
        {
            pool.IsTelling = false;
        }

        // What changed while the site was being told.
        SendDemand(pool, Now);
    }
}
