using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.Sites;

/// <summary>What a site knows of one domain behind it: its demand, the sessions that serve it, its places in the lanes. On the site's turn; told again by the domain after a crash.</summary>
internal sealed class SiteDomain(string name)
{
    public readonly string Name = name;

    /// <summary>Its place in each lane in which it waits.</summary>
    public readonly Dictionary<Lane, LinkedListNode<SiteDomain>> Places = [];

    /// <summary>Its place in the order of last word.</summary>
    public LinkedListNode<SiteDomain>? Heard;

    public LaneDemand[] Lanes = [];
    public long Messages;
    public int Sessions;

    /// <summary>Sessions that it would make use of now.</summary>
    public long Wanted;

    public StoreTime HeardAt;

    /// <summary>Which of all demands its last one was.</summary>
    public long HeardAs;

    /// <summary>When its demand appeared.</summary>
    public StoreTime WaitsSince;

    /// <summary>When it is looked at again without being told.</summary>
    public StoreTime RevisitAt;

    public StoreTime LastServed;

    /// <summary>A session found it dry although it had told of demand: it is not asked again before this, unless it speaks.</summary>
    public StoreTime RestUntil;

    public TimeSpan Rest;

    public bool IsHungry => Messages > 0 && Sessions < Wanted && RestUntil == default;
}

/// <summary>The right to one connection, given to a worker; it counts until the worker is done with it. On the site's turn; declared again by the worker after a crash.</summary>
internal sealed class SitePermit(ulong id)
{
    public readonly ulong Id = id;
    public string? Worker;

    /// <summary>Whom it serves; null = idle.</summary>
    public SiteDomain? Domain;

    /// <summary>The lane it is charged to; null = to none (idle, or adopted).</summary>
    public Lane? Lane;

    public StoreTime Since;
    public StoreTime ServingSince;

    /// <summary>Demands that the site had heard when it was given to the domain that it serves.</summary>
    public long ServingAfter;
    public bool Connected;
    public long Sent;

    /// <summary>Its place among the idle or among the serving, oldest first.</summary>
    public LinkedListNode<SitePermit>? Place;
}
