using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>An index that cannot be reached when the test says so, and whose answers are late enough for other things to happen first.</summary>
internal sealed class AwayIndex(IQueueIndex index) : IQueueIndex
{
    public bool IsAway { get; set; }

    public int Calls { get; private set; }

    /// <summary>Until it ends, no write does.</summary>
    public Task Pause { get; set; } = Task.CompletedTask;

    /// <summary>Called when the index has found out what it contains, before the answer is heard.</summary>
    public Action? BeforeContained { get; set; }

    private IQueueIndex Index
    {
        get
        {
            Calls++;
            return IsAway ? throw new IOException("the index is away") : index;
        }
    }

    public ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken) => Index.TakeAsync(domain, token, cancellationToken);

    public ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken) => Index.LeaveAsync(domain, owner, cancellationToken);

    public async ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken)
    {
        await Pause;
        return await Index.WriteAsync(domain, owner, changes, cancellationToken);
    }

    /// <summary>How often what is due was read.</summary>
    public int Readings { get; private set; }

    public ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken)
    {
        Readings++;
        return Index.ReadDueAsync(domain, owner, until, perLane, cancellationToken);
    }

    public ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken) => Index.ListAsync(domain, from, limit, cancellationToken);

    public async ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        var found = await Index.ContainsAsync(domain, sights, cancellationToken);
        BeforeContained?.Invoke();
        return found;
    }

    public ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken) => Index.SeeAsync(domain, sights, cancellationToken);

    public ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken) => Index.StampAsync(partition, cancellationToken);

    public ValueTask<IReadOnlyList<IndexStamp>> StampsAsync(IReadOnlyList<int> partitions, CancellationToken cancellationToken) => Index.StampsAsync(partitions, cancellationToken);

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken) => Index.WakesAsync(partition, until, limit, cancellationToken);

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(IReadOnlyList<int> partitions, StoreTime until, int limit, CancellationToken cancellationToken) => Index.WakesAsync(partitions, until, limit, cancellationToken);

    public ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken) => Index.CountAsync(domain, cancellationToken);

    public ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken) => Index.DomainsAsync(limit, cancellationToken);
}
