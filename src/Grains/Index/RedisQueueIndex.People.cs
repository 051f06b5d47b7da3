using System.Runtime.CompilerServices;
using Angarium.Mail;
using StackExchange.Redis;

namespace Angarium.Grains.Index;

// What people and gauges ask.
internal sealed partial class RedisQueueIndex
{
    /// <summary>Domains that are counted of each partition: 256,000 in all. Beyond that the list of the largest is one of those that are due first.</summary>
    private const int CountedDomains = 1_000;

    /// <summary>Domains whose lanes are looked at in one call: Redis does nothing else meanwhile.</summary>
    private const int LookedAt = 16;

    public TimeSpan SampleEvery => TimeSpan.FromSeconds(30);

    // What has no room stays with its domain, whose answers tell the ingress (design rule 23).
    public bool IsFull => false;

    public async ValueTask<IndexTotals> TotalsAsync(IReadOnlyList<int> partitions, CancellationToken cancellationToken)
    {
        var replies = await OverAsync(RedisScripts.Totals, partitions, p => [_keys.Wake(p), _keys.Count(p)], _ => [], cancellationToken);
        var earliest = replies.Select(r => (long)r[1]).Where(s => s >= 0).DefaultIfEmpty(-1).Min();
        return new IndexTotals(replies.Sum(r => (long)r[0]), Due(earliest));
    }

    public async ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken)
    {
        var of = _keys.Of(domain);
        var reply = (RedisResult[])(await _link.EvaluateAsync(RedisScripts.List, [of.Lanes], [IndexScore.Of(from, 0), limit, of.Queues], cancellationToken))!;
        var rows = new IndexRow[reply.Length / 3];
        for (var i = 0; i < rows.Length; i++) rows[i] = Row(RedisKeys.Lane((byte[])reply[3 * i]!), reply[3 * i + 1], reply[3 * i + 2]);
        return rows;
    }

    public async ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken)
    {
        var of = _keys.Of(domain);
        return (long)((RedisResult[])(await _link.EvaluateAsync(RedisScripts.Counts, [of.Lanes], [of.Queues], cancellationToken))!)[0];
    }

    public async ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken)
    {
        var largest = new PriorityQueue<(string Domain, long Queued), long>();
        // A thousand domains at a time: mail goes on meanwhile, and what moves within the order of waking may come twice.
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (var partition in IndexPartition.All)
        for (var (from, full) = (0, true); full; from += CountedDomains)
        {
            var names = (RedisResult[])(await _link.EvaluateAsync(RedisScripts.Domains, [_keys.Wake(partition)], [from, from + CountedDomains - 1], cancellationToken))!;
            full = names.Length == CountedDomains;
            var domains = names.Select(n => (string)n!).Where(seen.Add).Select(_keys.Of).ToList();
            if (domains.Count == 0) continue;
            var counts = (RedisResult[])(await _link.EvaluateAsync(
                RedisScripts.Counts, [.. domains.Select(d => d.Lanes)], [.. domains.Select(d => (RedisValue)d.Queues)], cancellationToken))!;
            for (var i = 0; i < domains.Count; i++)
            {
                var queued = (long)counts[i];
                if (queued == 0) continue;
                largest.Enqueue((domains[i].Name, queued), queued);
                if (largest.Count > limit) largest.Dequeue();
            }
        }

        return [.. largest.UnorderedItems.Select(i => i.Element).OrderByDescending(d => d.Queued).ThenBy(d => d.Domain, StringComparer.Ordinal)];
    }

    public async IAsyncEnumerable<IndexLane> LanesAsync(IReadOnlyList<int> partitions, string? domain, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var partition in partitions)
        {
            HashSet<string> seen = new(StringComparer.Ordinal);
            for (var (from, full) = (0, true); full; from += CountedDomains)
            {
                var names = domain is not null ? [domain]
                    : ((RedisResult[])(await _link.EvaluateAsync(RedisScripts.Domains, [_keys.Wake(partition)], [from, from + CountedDomains - 1], cancellationToken))!).Select(n => (string)n!).ToArray();
                full = names.Length == CountedDomains;
                foreach (var some in names.Where(seen.Add).Select(_keys.Of).Chunk(LookedAt))
                {
                    var reply = (RedisResult[])(await _link.EvaluateAsync(RedisScripts.Lanes, [.. some.Select(d => d.Lanes)],
                        [IndexLane.MostOfLane, IndexLane.MostOfDomain, IndexLane.LeastOfLane, .. some.Select(d => (RedisValue)d.Queues)], cancellationToken))!;
                    for (var i = 0; i + 3 < reply.Length; i += 4)
                    {
                        var born = (RedisResult[])reply[i + 3]!;
                        yield return new IndexLane(some[(int)reply[i] - 1].Name, RedisKeys.Lane((byte[])reply[i + 1]!), (long)reply[i + 2],
                            [.. Enumerable.Range(0, born.Length / 2).Select(at => (IndexMember.Read((byte[])born[2 * at]!).Key, (int)born[2 * at + 1]))]);
                    }
                }
            }

            // It is in one of them, and was asked for.
            if (domain is not null) yield break;
        }
    }
}
