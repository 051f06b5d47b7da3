using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Unit.Grains.Sweep;

/// <summary>An index that may be exchanged for an empty one, and whose partitions' marks may be changed.</summary>
internal sealed class Reborn(Func<IQueueIndex> index) : IQueueIndex
{
    public Dictionary<int, ulong> Marks { get; } = [];

    public ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken) => index().TakeAsync(domain, token, cancellationToken);

    public ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken) => index().LeaveAsync(domain, owner, cancellationToken);

    public ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken) => index().WriteAsync(domain, owner, changes, cancellationToken);

    public ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken) => index().ReadDueAsync(domain, owner, until, perLane, cancellationToken);

    public ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken) => index().ListAsync(domain, from, limit, cancellationToken);

    public ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken) => index().ContainsAsync(domain, sights, cancellationToken);

    public async ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        var seen = await index().SeeAsync(domain, sights, cancellationToken);
        return seen with { Stamp = Marked(IndexPartition.Of(domain), seen.Stamp) };
    }

    public async ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken) => Marked(partition, await index().StampAsync(partition, cancellationToken));

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken) => index().WakesAsync(partition, until, limit, cancellationToken);

    public ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken) => index().CountAsync(domain, cancellationToken);

    public ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken) => index().DomainsAsync(limit, cancellationToken);

    private IndexStamp Marked(int partition, IndexStamp stamp) => Marks.TryGetValue(partition, out var mark) ? stamp with { Birth = mark } : stamp;
}
