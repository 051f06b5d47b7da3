using Angarium.Contracts.Routing;
using Angarium.Grains.Sites;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

// What the site is told: how much of which lane is due here (design rule 22).
internal sealed partial class DomainQueue
{
    private static readonly TimeSpan DemandInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan DemandSpacing = TimeSpan.FromMilliseconds(100);

    private SiteRoute? _site;
    private StoreTime _siteUntil;
    private bool _wasNamed;
    private SiteRoute? _moved;
    private SiteState? _siteState;
    private StoreTime _demandSentAt;
    private StoreTime _demandDue = Never;
    private int _demandSent;
    private StoreTime _demandRetryAt;
    private bool _sendingDemand;

    /// <summary>A session was told that nothing is due here since the site last heard of us: it may idle while the site counts it as ours, so the next mail is told at once.</summary>
    private bool _ranDry;

    /// <summary>The site's state has changed: suspended, failed again, recovered.</summary>
    public void SiteChanged(string site, SiteState state)
    {
        if (_site?.Site != site) return;
        if (_siteState?.LastFailure != state.LastFailure) _expiryDue = true;
        _siteState = state;
        Tick();
    }

    /// <summary>
    /// A worker found that the mail goes elsewhere than where we ask for connections: DNS was in trouble when we looked, or has changed, or tells it otherwise. It connects where it finds the domain,
    /// so there we ask for them, for as long as it may believe that; then we look again.
    /// </summary>
    public void SiteMoved(string site, SiteRoute route)
    {
        // A host that a tenant named is not found, and does not move: only a worker of a version that knows of none says so.
        if (_site?.Site != site || InboundRoute.OfSite(site) is not null || route.Site == site || route.Site is not { Length: > 0 and <= SiteRoute.MaxName } || route.MaxConnections < 1) return;
        var validFor = route.ValidFor < SiteRoute.Least ? SiteRoute.Least : route.ValidFor > SiteRoute.Most ? SiteRoute.Most : route.ValidFor;
        _moved = route with { ValidFor = validFor };
        Tick();
    }

    // At once when demand appears or goes elsewhere, within 100 ms when it grows to double or vanishes; otherwise every 30 s while there is some.
    private void SendDemand(StoreTime now)
    {
        var count = MayGrant ? _ready.Count : 0;
        if (_sendingDemand || _deposed || (count == 0 && _demandSent == 0))
        {
            if (count == 0) _demandDue = Never;
            return;
        }

        var appears = count > 0 && (_demandSent == 0 || _ranDry || _moved is not null);
        var urgent = count == 0 || count >= _demandSent * 2;
        _demandDue = StoreTime.Max(_demandRetryAt, _demandSentAt + (appears ? TimeSpan.Zero : urgent ? DemandSpacing : DemandInterval));
        if (now >= _demandDue) Run(SendDemandAsync(count));
    }

    private async Task SendDemandAsync(int count)
    {
        _sendingDemand = true;
        try
        {
            var isNamed = _seams.Routes.MayBeNamed(_domain);
            // What a worker found before a tenant said otherwise counts no more.
            if (isNamed != _wasNamed) _moved = null;
            if (_site is null || Now >= _siteUntil || _moved is not null || isNamed != _wasNamed)
            {
                var route = _moved ?? await _seams.Routes.ResolveSiteAsync(_domain, CancellationToken.None);
                _moved = null;
                if (_site is { } old && old.Site != route.Site) await _seams.Sites.DemandAsync(old.Site, new SiteDemand { Domain = _domain, SentAt = Now });
                (_site, _wasNamed) = (route, isNamed);
                _siteUntil = Now + route.ValidFor;
            }

            (_demandSent, _demandSentAt, _ranDry) = (count, Now, false);
            _demandDue = count > 0 ? _demandSentAt + DemandInterval : Never;
            var state = await _seams.Sites.DemandAsync(_site.Site, new SiteDemand
            {
                Domain = _domain, Lanes = count > 0 ? _ready.Demand() : [], IsRoute = _site.IsRoute, MaxConnections = _site.MaxConnections, SentAt = Now,
            });
            if (_siteState?.LastFailure != state.LastFailure) _expiryDue = true;
            _siteState = state;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A site that cannot be reached (moving, overloaded) is told again: a lost demand is harmless.
            LogSiteUnreachable(_domain, e.Message);
            (_demandSent, _demandSentAt) = (0, Now);
            _demandDue = _demandRetryAt = Now + TimeSpan.FromSeconds(1);
        }
        finally
        {
            _sendingDemand = false;
        }

        // What changed while the site was being told.
        SendDemand(Now);
    }
}
