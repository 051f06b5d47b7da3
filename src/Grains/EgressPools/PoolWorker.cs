using Angarium.Contracts.EgressPools;
using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.EgressPools;

/// <summary>What a pool knows of one worker. On the pool's turn; the worker declares it again after a crash of the pool.</summary>
internal sealed class PoolWorker(string id)
{
    public readonly string Id = id;

    /// <summary>Orders for its next answer.</summary>
    public readonly LinkedList<SiteOrder> Outbox = [];

    /// <summary>Orders in answers that it has not shown to have received.</summary>
    public readonly Dictionary<ulong, GivenOrder> Given = [];

    public readonly HashSet<ulong> Permits = [];

    /// <summary>Its number in the pool's document is durable: only then does it get permits (design rule 21).</summary>
    public bool Registered;

    public long Number;
    public StoreTime HeardAt;

    /// <summary>Sessions that it could still open, less those that it was told to open meanwhile.</summary>
    public int Free;

    public LinkedListNode<PoolWorker>? Heard;
}

/// <summary>An order given in the answer to poll <paramref name="Number"/>.</summary>
internal readonly record struct GivenOrder(SiteOrder Order, long Number, StoreTime At);

/// <summary>A permit as its pool knows it: waiting for a worker, or held by one. On the pool's turn.</summary>
internal sealed class PoolPermit(ulong id, string site)
{
    public readonly ulong Id = id;
    public readonly string Site = site;
    public required string Domain;
    public PoolWorker? Worker;

    /// <summary>Opens that wait for a worker: the order, its place in the lanes and in the order of arrival.</summary>
    public SiteOrder? Waiting;

    /// <summary>Connections that its site may have, as said with the order; 0 = not said.</summary>
    public int Most;

    public LinkedListNode<PoolPermit>? LanePlace;

    /// <summary>The lane it is charged to; null = none (idle, waiting, or declared after a restart).</summary>
    public Lane? Lane;

    public StoreTime Since;
    public bool Idle;
    public bool Closing;

    /// <summary>Its worker has shown that it holds it.</summary>
    public bool Declared;

    /// <summary>Its place among the waiting, the idle or the serving, oldest first.</summary>
    public LinkedListNode<PoolPermit>? Place;
}
