using System.Runtime.CompilerServices;
using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>
/// The embedded index: in memory, gone with the process, filled again by the sweep. A lock per partition; any thread. Bounded by a number of recipients, beyond which
/// nothing new is put. Costs some 60 octets a recipient (<see cref="LaneRows"/>).
/// </summary>
internal sealed class MemoryQueueIndex : IQueueIndex, IIndexTotals
{
    private readonly Partition[] _partitions;
    private readonly Func<long> _maxRecipients;
    private readonly ulong _run;
    private long _count;

    public MemoryQueueIndex(Func<long> maxRecipients, Func<ulong> draw)
    {
        _maxRecipients = maxRecipients;
        _run = draw();
        _partitions = new Partition[IQueueIndex.Partitions];
        for (var i = 0; i < _partitions.Length; i++) _partitions[i] = new Partition(draw());
    }

    /// <summary>Queued recipients in all domains.</summary>
    public long Count => Volatile.Read(ref _count);

    public bool IsFull => Count >= _maxRecipients();

    public ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            partition.Domain(domain).Token = token;
            return new(new IndexStamp(_run, partition.Birth));
        }
    }

    public ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            if (Owns(partition, domain, owner, out var rows)) partition.Leave(rows);
            return default;
        }
    }

    public ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            if (!Owns(partition, domain, owner, out var rows)) return new(IndexWriteStatus.Deposed);
            foreach (var change in changes)
            {
                if (change.Remove) Interlocked.Add(ref _count, rows.Remove(change.Row.Lane, change.Row.Member.Key) ? -1 : 0);
            }

            var status = IndexWriteStatus.Done;
            foreach (var change in changes)
            {
                if (change.Remove) continue;
                if (rows.Put(change.Row, mayAdd: !IsFull, out var added)) Interlocked.Add(ref _count, added ? 1 : 0);
                else status = IndexWriteStatus.Full;
            }

            partition.SetWake(rows, rows.Earliest());
            return new(status);
        }
    }

    public ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            if (!Owns(partition, domain, owner, out var rows)) return new(new IndexRead(true, [], null));
            var found = new List<IndexRow>();
            long? more = null;
            var bound = IndexScore.DueBy(until);
            perLane = IQueueIndex.PerLane(perLane, rows.Lanes.Count);
            foreach (var (lane, set) in rows.Lanes)
            {
                var taken = 0;
                foreach (var (score, member) in set.From(long.MinValue))
                {
                    if (score > bound || taken == perLane)
                    {
                        more = more is { } m ? Math.Min(m, score) : score;
                        break;
                    }

                    found.Add(ToRow(lane, score, member));
                    taken++;
                }
            }

            return new(new IndexRead(false, found, more is { } next ? IndexScore.Due(next) : null));
        }
    }

    public ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            if (!partition.Domains.TryGetValue(domain, out var rows)) return new([]);
            return new(rows.Lanes
                .SelectMany(l => l.Value.From(IndexScore.Of(from, 0)).Take(limit).Select(r => ToRow(l.Key, r.Score, r.Member)).ToList())
                .OrderBy(r => r.Due).Take(limit).ToList());
        }
    }

    public ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            var found = new bool[sights.Count];
            if (partition.Domains.TryGetValue(domain, out var rows))
            {
                for (var i = 0; i < found.Length; i++) found[i] = rows.Find(sights[i].Lane, sights[i].Member.Key) is not null;
            }

            return new(found);
        }
    }

    public ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition)
        {
            var found = new bool[sights.Count];
            if (partition.Domains.TryGetValue(domain, out var rows))
            {
                long? earliest = rows.Wake;
                for (var i = 0; i < found.Length; i++)
                {
                    if (rows.Find(sights[i].Lane, sights[i].Member.Key) is not { } score) continue;
                    found[i] = true;
                    earliest = earliest is { } e ? Math.Min(e, score) : score;
                }

                partition.SetWake(rows, earliest);
            }

            return new(new IndexSeen(new IndexStamp(_run, partition.Birth), found));
        }
    }

    public ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken) => new(new IndexStamp(_run, _partitions[partition].Birth));

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken)
    {
        var p = _partitions[partition];
        lock (p)
        {
            var bound = IndexScore.DueBy(until);
            return new(p.Wakes.TakeWhile(w => w.Score <= bound).Take(limit).Select(w => new IndexWake(w.Domain, IndexScore.Due(w.Score))).ToList());
        }
    }

    public ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken)
    {
        var partition = PartitionOf(domain);
        lock (partition) return new(partition.Domains.TryGetValue(domain, out var rows) ? rows.Count : 0);
    }

    public ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken)
    {
        var largest = new PriorityQueue<(string Domain, long Queued), long>();
        foreach (var partition in _partitions)
        {
            lock (partition)
            {
                foreach (var rows in partition.Domains.Values)
                {
                    if (rows.Count == 0) continue;
                    largest.Enqueue((rows.Name, rows.Count), rows.Count);
                    if (largest.Count > limit) largest.Dequeue();
                }
            }
        }

        return new(largest.UnorderedItems.Select(i => i.Element).OrderByDescending(d => d.Queued).ThenBy(d => d.Domain, StringComparer.Ordinal).ToList());
    }

    public async IAsyncEnumerable<IndexLane> LanesAsync(IReadOnlyList<int> partitions, string? domain, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        foreach (var partition in partitions)
        {
            var found = new List<IndexLane>();
            lock (_partitions[partition])
            {
                foreach (var rows in _partitions[partition].Domains.Values.Where(rows => domain is null || rows.Name == domain))
                {
                    var most = Math.Max(IndexLane.LeastOfLane, Math.Min(IndexLane.MostOfLane, IndexLane.MostOfDomain / Math.Max(1, rows.Lanes.Count)));
                    foreach (var (lane, set) in rows.Lanes.Where(l => l.Value.Count > 0))
                        found.Add(new IndexLane(rows.Name, lane, set.Count, [.. set.Some(most).GroupBy(key => key.PackId).Select(pack => (pack.First(), pack.Count()))]));
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            foreach (var one in found) yield return one;
        }
    }

    public TimeSpan SampleEvery => TimeSpan.FromSeconds(2);

    public ValueTask<IndexTotals> TotalsAsync(IReadOnlyList<int> partitions, CancellationToken cancellationToken)
    {
        long? oldest = null;
        foreach (var partition in _partitions)
        {
            lock (partition)
            {
                if (partition.Wakes.Count > 0) oldest = oldest is { } o ? Math.Min(o, partition.Wakes.Min.Score) : partition.Wakes.Min.Score;
            }
        }

        return new(new IndexTotals(Count, oldest is { } score ? IndexScore.Due(score) : null));
    }

    private static IndexRow ToRow(Lane lane, long score, IndexMember member) => new(lane, member, IndexScore.Due(score), IndexScore.Attempts(score));

    private Partition PartitionOf(string domain) => _partitions[IndexPartition.Of(domain)];

    private bool Owns(Partition partition, string domain, IndexOwner owner, out DomainRows rows) =>
        partition.Domains.TryGetValue(domain, out rows!) && rows.Token == owner.Token && owner.Run == _run;

    /// <summary>One partition: its domains, their wake-ups in order, its birth mark. Used under its own lock.</summary>
    private sealed class Partition(ulong birth)
    {
        public readonly ulong Birth = birth;
        public readonly Dictionary<string, DomainRows> Domains = [];
        public readonly SortedSet<(long Score, string Domain)> Wakes = new(Comparer<(long Score, string Domain)>.Create(
            (a, b) => a.Score != b.Score ? a.Score.CompareTo(b.Score) : string.CompareOrdinal(a.Domain, b.Domain)));

        private int _pruneAt = 1024;

        public DomainRows Domain(string name)
        {
            if (Domains.TryGetValue(name, out var rows)) return rows;
            Prune();
            return Domains[name] = new DomainRows(name);
        }

        public void SetWake(DomainRows rows, long? score)
        {
            if (rows.Wake == score) return;
            if (rows.Wake is { } old) Wakes.Remove((old, rows.Name));
            rows.Wake = score;
            if (score is { } s) Wakes.Add((s, rows.Name));
        }

        public void Leave(DomainRows rows)
        {
            rows.Token = null;
            if (rows.Count == 0) Domains.Remove(rows.Name);
        }

        // A domain that once had mail leaves an empty name with a token. An owner whose token went with it deactivates and loses nothing.
        private void Prune()
        {
            if (Domains.Count < _pruneAt) return;
            foreach (var rows in Domains.Values.Where(r => r.Count == 0).ToList()) Domains.Remove(rows.Name);
            _pruneAt = Math.Max(1024, Domains.Count * 2);
        }
    }

    /// <summary>What one domain has queued.</summary>
    private sealed class DomainRows(string name)
    {
        public readonly string Name = name;
        public readonly Dictionary<Lane, LaneRows> Lanes = [];
        public ulong? Token;
        public long? Wake;

        public long Count
        {
            get
            {
                long count = 0;
                foreach (var lane in Lanes.Values) count += lane.Count;
                return count;
            }
        }

        public long? Find(Lane lane, RecipientKey key) => Lanes.TryGetValue(lane, out var set) ? set.Find(key) : null;

        public bool Put(IndexRow row, bool mayAdd, out bool added)
        {
            added = false;
            if (!Lanes.TryGetValue(row.Lane, out var set))
            {
                if (!mayAdd) return false;
                Lanes[row.Lane] = set = new LaneRows();
            }

            if (!mayAdd && set.Find(row.Member.Key) is null) return false;
            added = set.Put(IndexScore.Of(row.Due, row.Attempts), row.Member);
            return true;
        }

        public bool Remove(Lane lane, RecipientKey key)
        {
            if (!Lanes.TryGetValue(lane, out var set) || !set.Remove(key)) return false;
            if (set.Count == 0) Lanes.Remove(lane);
            return true;
        }

        public long? Earliest()
        {
            long? earliest = null;
            foreach (var lane in Lanes.Values) earliest = earliest is { } e ? Math.Min(e, lane.Earliest) : lane.Earliest;
            return earliest;
        }
    }
}
