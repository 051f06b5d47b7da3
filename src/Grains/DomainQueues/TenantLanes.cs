using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>What one tenant has ready in one domain, a lane for each class, and its place in the round of its pool. On the domain's turn; gone as soon as it is empty.</summary>
internal sealed class TenantLanes(string name, QueuePool pool)
{
    public readonly string Name = name;
    public readonly LinkedList<QueueEntry>[] Lanes = [new(), new()];
    public readonly int[] Ready = new int[2];
    public QueuePool Pool = pool;
    public int Deficit;
    public LinkedListNode<TenantLanes>? Node;

    /// <summary>Until when an operator had suspended it.</summary>
    public StoreTime RestedUntil;

    /// <summary>Transactional before bulk.</summary>
    public QueueEntry? Peek() => (Lanes[0].First ?? Lanes[1].First)?.Value;
}
