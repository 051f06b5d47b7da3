using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>
/// The seam of the queue index (design rules 12 to 18): recipients by due time, in lanes, with a wake-up per domain. Disposable: all of it may vanish or
/// roll back at any time. Each call is one step (one script) for one domain or partition; entry, lane and wake-up change in it together. Any thread.
/// One contract suite runs against every provider. Every call throws <see cref="IOException"/> when the index cannot be reached.
/// </summary>
public interface IQueueIndex
{
    /// <summary>Fixed for ever: partition = last octet of the domain's hash.</summary>
    const int Partitions = 256;

    /// <summary>About as many rows as one reading returns in all.</summary>
    const int MaxRead = 20_000;

    /// <summary>Rows of each lane that one reading returns: what was asked, and fewer where many lanes share it.</summary>
    static int PerLane(int asked, int lanes) => Math.Min(asked, Math.Max(8, MaxRead / Math.Max(1, lanes)));

    /// <summary>Writes the owner token of a new activation over whatever was there.</summary>
    ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken);

    /// <summary>
    /// The owner ends: its token goes, if it still is its own, so that a domain without mail leaves nothing behind. To everybody a missing token means what another's
    /// means (design rule 14), so this is safe at any time, however late it is carried out.
    /// </summary>
    ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken);

    /// <summary>
    /// Under the token and the run id of <paramref name="owner"/>: removes, then puts (a put of a member that is there moves it), then sets lane and wake-up to what is
    /// there now. With no changes it confirms the token. Full: what was to be removed is gone, and some of what was new is not there.
    /// </summary>
    ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken);

    /// <summary>Under the token: the earliest rows with a due time up to <paramref name="until"/>, at most <paramref name="perLane"/> of each lane (<see cref="PerLane"/>).</summary>
    ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken);

    /// <summary>Without a token, for people and for judging: rows with a due time from <paramref name="from"/> on, earliest first.</summary>
    ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken);

    /// <summary>Which of these members are there, without a token: what the judge of a swept offer reads (design rule 12).</summary>
    ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken);

    /// <summary>For the sweep: which members are there; of those that are, lane and wake-up are set to no later than their due time, in the same step.</summary>
    ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken);

    /// <summary>The partition's birth mark (a random value written if missing) and run id, as they are now.</summary>
    ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken);

    /// <summary>The same of many partitions, in their order, in as few calls as the index allows.</summary>
    async ValueTask<IReadOnlyList<IndexStamp>> StampsAsync(IReadOnlyList<int> partitions, CancellationToken cancellationToken)
    {
        var stamps = new IndexStamp[partitions.Count];
        for (var i = 0; i < stamps.Length; i++) stamps[i] = await StampAsync(partitions[i], cancellationToken);
        return stamps;
    }

    /// <summary>Domains of a partition whose wake-up is at or before <paramref name="until"/>, earliest first.</summary>
    ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken);

    /// <summary>The same of many partitions, in as few calls as the index allows; <paramref name="limit"/> is for each.</summary>
    async ValueTask<IReadOnlyList<IndexWake>> WakesAsync(IReadOnlyList<int> partitions, StoreTime until, int limit, CancellationToken cancellationToken)
    {
        var wakes = new List<IndexWake>();
        foreach (var partition in partitions) wakes.AddRange(await WakesAsync(partition, until, limit, cancellationToken));
        return wakes;
    }

    ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken);

    /// <summary>Domains with queued recipients and how many, largest first; beyond a bound of each provider, of those that are due first.</summary>
    ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken);
}

/// <summary>An activation's random token and the run id under which it was written (design rule 14).</summary>
public readonly record struct IndexOwner(ulong Token, ulong Run);

/// <summary>What came in a reply: the index's run id and the partition's birth mark. A change of either means that something may be missing.</summary>
public readonly record struct IndexStamp(ulong Run, ulong Birth);

/// <summary>One queued recipient.</summary>
public readonly record struct IndexRow(Lane Lane, IndexMember Member, StoreTime Due, int Attempts);

/// <summary>One change of <see cref="IQueueIndex.WriteAsync"/>: a put, or a removal (due and attempts then mean nothing).</summary>
public readonly record struct IndexChange(IndexRow Row, bool Remove);

/// <summary>A member that the sweep looks for.</summary>
public readonly record struct IndexSight(Lane Lane, IndexMember Member);

/// <summary>A domain and when it has something due.</summary>
public readonly record struct IndexWake(string Domain, StoreTime Due);

/// <summary>What became of a write to the index.</summary>
public enum IndexWriteStatus
{
    Done,

    /// <summary>The token is missing or another's, or the run id changed: never re-take it; the activation ends.</summary>
    Deposed,

    /// <summary>There is no room for what is new.</summary>
    Full,
}

/// <param name="Rows">Lane by lane, earliest due first in each.</param>
/// <param name="More">When the earliest row that was not returned is due; null = there is none.</param>
public readonly record struct IndexRead(bool Deposed, IReadOnlyList<IndexRow> Rows, StoreTime? More);

/// <param name="Found">Parallel to the sights.</param>
public readonly record struct IndexSeen(IndexStamp Stamp, bool[] Found);
