using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Angarium.Mail;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Angarium.Grains.Index;

/// <summary>
/// The index of a cluster, in Redis: one script and one round trip a call. Redis is disposable, so nothing is asked of its persistence; it must run `noeviction` (a key
/// that is evicted is found missing by the hourly look of the sweep only). A write that was not answered may have happened or not, which the seam allows: puts and
/// removals are repeated, a token of unknown fate is never used. Any thread; no state but the connection.
/// </summary>
internal sealed partial class RedisQueueIndex : IQueueIndex, IIndexTotals, IAsyncDisposable
{
    private readonly RedisKeys _keys;
    private readonly RedisLink _link;
    private readonly Func<ulong> _draw;
    private volatile bool _onePartitionACall;

    /// <param name="configuration">Where Redis is.</param>
    /// <param name="cluster">What every key begins with: clusters may share a Redis.</param>
    /// <param name="draw">Random 64-bit numbers: birth marks.</param>
    public RedisQueueIndex(ConfigurationOptions configuration, string cluster, Func<ulong> draw, ILogger<RedisQueueIndex> log)
    {
        _keys = new RedisKeys(cluster);
        _link = new RedisLink(configuration, log);
        _draw = draw;
    }

    public ValueTask DisposeAsync() => _link.DisposeAsync();

    public async ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken)
    {
        var of = _keys.Of(domain);
        var reply = (RedisResult[])(await _link.EvaluateAsync(RedisScripts.Take, [of.Owner, of.Born, of.Wake], [Token(token), Mark()], cancellationToken))!;
        return Stamp(reply[0], reply[1]);
    }

    public async ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken) =>
        await _link.EvaluateAsync(RedisScripts.Leave, [_keys.Of(domain).Owner], [Token(owner.Token), Run(owner.Run)], cancellationToken);

    public async ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken)
    {
        var of = _keys.Of(domain);
        var lanes = Group(changes, c => c.Row.Lane);
        var keys = new List<RedisKey>(4 + lanes.Count) { of.Owner, of.Lanes, of.Wake, of.Count };
        var values = new List<RedisValue>(3 + 3 * lanes.Count + 2 * changes.Count) { Token(owner.Token), Run(owner.Run), domain };
        var members = Members(changes.Count, i => changes[i].Row.Member);
        foreach (var (lane, indexes) in lanes)
        {
            var name = RedisKeys.Lane(lane);
            var removals = indexes.Count(i => changes[i].Remove);
            keys.Add(of.Queue(name));
            values.AddRange([name, removals, 2 * (indexes.Count - removals)]);
        }

        foreach (var index in lanes.SelectMany(l => l.Indexes).Where(i => changes[i].Remove)) values.Add(members(index));
        foreach (var index in lanes.SelectMany(l => l.Indexes).Where(i => !changes[i].Remove))
        {
            values.Add(IndexScore.Of(changes[index].Row.Due, changes[index].Row.Attempts));
            values.Add(members(index));
        }

        return (int)await _link.EvaluateAsync(RedisScripts.Write, [.. keys], [.. values], cancellationToken) switch
        {
            0 => IndexWriteStatus.Done,
            1 => IndexWriteStatus.Full,
            _ => IndexWriteStatus.Deposed,
        };
    }

    public async ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken)
    {
        var of = _keys.Of(domain);
        var reply = (RedisResult[])(await _link.EvaluateAsync(
            RedisScripts.ReadDue, [of.Owner, of.Lanes, of.Wake],
            [Token(owner.Token), Run(owner.Run), domain, IndexScore.DueBy(until), perLane, of.Queues, IQueueIndex.MaxRead], cancellationToken))!;
        if ((long)reply[0] == -2) return new IndexRead(true, [], null);
        var rows = new List<IndexRow>();
        for (var i = 1; i < reply.Length; i += 2)
        {
            var lane = RedisKeys.Lane((byte[])reply[i]!);
            var part = (RedisResult[])reply[i + 1]!;
            for (var j = 0; j < part.Length; j += 2) rows.Add(Row(lane, part[j], part[j + 1]));
        }

        return new IndexRead(false, rows, Due((long)reply[0]));
    }

    public async ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        if (sights.Count == 0) return [];
        var of = _keys.Of(domain);
        var lanes = Group(sights, s => s.Lane);
        var members = Members(sights.Count, i => sights[i].Member);
        var reply = await _link.EvaluateAsync(
            RedisScripts.Contains, [.. lanes.Select(l => of.Queue(RedisKeys.Lane(l.Lane)))],
            [.. lanes.Select(l => (RedisValue)l.Indexes.Count), .. lanes.SelectMany(l => l.Indexes).Select(members)], cancellationToken);
        return Found(lanes, sights.Count, reply);
    }

    public async ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        var of = _keys.Of(domain);
        var lanes = Group(sights, s => s.Lane);
        var members = Members(sights.Count, i => sights[i].Member);
        var named = lanes.Select(l => (Name: RedisKeys.Lane(l.Lane), l.Indexes)).ToList();
        var reply = (RedisResult[])(await _link.EvaluateAsync(
            RedisScripts.See, [of.Born, of.Lanes, of.Wake, .. named.Select(l => of.Queue(l.Name))],
            [Mark(), domain, .. named.SelectMany(l => new RedisValue[] { l.Name, l.Indexes.Count }), .. lanes.SelectMany(l => l.Indexes).Select(members)], cancellationToken))!;
        return new IndexSeen(Stamp(reply[0], reply[1]), Found(lanes, sights.Count, reply[2]));
    }

    public async ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken) => (await StampsAsync([partition], cancellationToken))[0];

    public async ValueTask<IReadOnlyList<IndexStamp>> StampsAsync(IReadOnlyList<int> partitions, CancellationToken cancellationToken)
    {
        var replies = await OverAsync(RedisScripts.Stamps, partitions, p => [_keys.Born(p)], part => [.. part.Select(_ => Mark())], cancellationToken);
        return [.. replies.SelectMany(r => r[1..].Select(birth => Stamp(r[0], birth)))];
    }

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken) =>
        WakesAsync([partition], until, limit, cancellationToken);

    // The shards of a cluster that answer name their domains, whatever the others do: the waker comes again for those.
    public async ValueTask<IReadOnlyList<IndexWake>> WakesAsync(IReadOnlyList<int> partitions, StoreTime until, int limit, CancellationToken cancellationToken)
    {
        var replies = await OverAsync(RedisScripts.Wakes, partitions, p => [_keys.Wake(p)], _ => [IndexScore.DueBy(until), limit], cancellationToken, someDo: true);
        var wakes = new List<IndexWake>();
        foreach (var part in replies.SelectMany(r => r).Select(p => (RedisResult[])p!))
        {
            for (var i = 0; i < part.Length; i += 2) wakes.Add(new IndexWake((string)part[i]!, IndexScore.Due((long)part[i + 1])));
        }

        return wakes;
    }

    // One call for all partitions where one server has them all. Where keys live in slots, one for each partition, all on their way at once.
    private async ValueTask<IReadOnlyList<RedisResult[]>> OverAsync(
        RedisScript script, IReadOnlyList<int> partitions, Func<int, RedisKey[]> keys, Func<IReadOnlyList<int>, RedisValue[]> values, CancellationToken cancellationToken,
        bool someDo = false)
    {
        if (partitions.Count == 0) return [];
        if (!_onePartitionACall || partitions.Count == 1)
        {
            try
            {
                return [(RedisResult[])(await _link.EvaluateAsync(script, [.. partitions.SelectMany(keys)], values(partitions), cancellationToken))!];
            }
            catch (RedisSlotsException) when (partitions.Count > 1)
            {
                _onePartitionACall = true;
            }
        }

        var calls = partitions.Select(async p => (RedisResult[])(await _link.EvaluateAsync(script, keys(p), values([p]), cancellationToken))!).ToArray();
        try
        {
            return await Task.WhenAll(calls);
        }
        catch (IOException) when (someDo && calls.Any(c => c.IsCompletedSuccessfully))
        {
            return [.. calls.Where(c => c.IsCompletedSuccessfully).Select(c => c.Result)];
        }
    }

    private static List<(Lane Lane, List<int> Indexes)> Group<T>(IReadOnlyList<T> items, Func<T, Lane> laneOf)
    {
        var lanes = new Dictionary<Lane, List<int>>();
        for (var i = 0; i < items.Count; i++)
        {
            ref var indexes = ref CollectionsMarshal.GetValueRefOrAddDefault(lanes, laneOf(items[i]), out _);
            (indexes ??= []).Add(i);
        }

        return [.. lanes.Select(l => (l.Key, l.Value))];
    }

    // All members in one block of memory.
    private static Func<int, RedisValue> Members(int count, Func<int, IndexMember> memberOf)
    {
        var octets = new byte[count * IndexMember.Size];
        for (var i = 0; i < count; i++) memberOf(i).Write(octets.AsSpan(i * IndexMember.Size));
        return i => octets.AsMemory(i * IndexMember.Size, IndexMember.Size);
    }

    private static bool[] Found(List<(Lane Lane, List<int> Indexes)> lanes, int count, RedisResult reply)
    {
        var found = new bool[count];
        var octets = (byte[])reply!;
        var at = 0;
        foreach (var index in lanes.SelectMany(l => l.Indexes)) found[index] = octets[at++] == '1';
        return found;
    }

    private static IndexRow Row(Lane lane, RedisResult member, RedisResult score)
    {
        var value = (long)score;
        return new IndexRow(lane, IndexMember.Read((byte[])member!), IndexScore.Due(value), IndexScore.Attempts(value));
    }

    private static StoreTime? Due(long score) => score < 0 ? null : IndexScore.Due(score);

    // As a signed number: Redis then keeps it within the object, without a string beside it.
    private static RedisValue Token(ulong token) => (long)token;

    private RedisValue Mark() => (long)_draw();

    private static RedisValue Run(ulong run) => run.ToString("x16", CultureInfo.InvariantCulture);

    private static IndexStamp Stamp(RedisResult run, RedisResult birth) =>
        new(ulong.Parse((string)run!, NumberStyles.HexNumber, CultureInfo.InvariantCulture), (ulong)(long)birth);
}
