using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.Sites;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// What one domain's queue has to do with one egress pool: the tenants whose mail goes out by it, in their round; how much of the window they hold; and what the pool's site was told. On the domain's
/// turn. Nothing survives a crash.
/// </summary>
internal sealed class QueuePool(string name)
{
    public readonly string Name = name;

    /// <summary>Tenants that have something ready, in the order of their turns.</summary>
    public readonly LinkedList<TenantLanes> Round = [];

    /// <summary>Entries of them that are ready.</summary>
    public int Ready;

    /// <summary>Leases that sessions of it hold.</summary>
    public int Leased;

    /// <summary>Since when something of it is due in the index for which there was no room here.</summary>
    public StoreTime Unread = DomainQueue.Never;

    /// <summary>Where it asks for connections; null = nowhere yet.</summary>
    public SiteRoute? Route;

    public StoreTime RouteUntil;

    /// <summary>Whether a tenant may have named it, when it was resolved.</summary>
    public bool WasNamed;

    /// <summary>The site as the pool's sessions know it.</summary>
    public string? Site;

    /// <summary>Where a worker found that the mail goes, if elsewhere.</summary>
    public SiteRoute? Moved;

    public SiteState? State;

    /// <summary>An operator had suspended it when that was last looked at, and until when it was so: its failures meanwhile were nobody's here.</summary>
    public bool Rests;

    public StoreTime RestedUntil;
    public StoreTime DemandSentAt;
    public StoreTime DemandDue = DomainQueue.Never;
    public int DemandSent;
    public StoreTime DemandRetryAt;
    public bool IsTelling;

    /// <summary>A session was told that nothing is due here since the site last heard of us: it may idle while the site counts it as ours, so the next mail is told at once.</summary>
    public bool RanDry;

    /// <summary>It takes part in sharing the window.</summary>
    public bool IsBusy => Ready + Leased > 0;

    public void MoveTo(SiteRoute route, StoreTime now)
    {
        if (Site is null || Route?.Site != route.Site) Site = PoolName.SiteIn(Name, route.Site);
        (Route, RouteUntil) = (route, now + route.ValidFor);
    }
}
