using Angarium.Grains.Index;
using Angarium.TestKit.Servers;
using static Angarium.Contract.Index.QueueIndexContract;

namespace Angarium.Contract.Index;

/// <summary>A Redis cluster of two shards of which one dies: the domains of the other are woken meanwhile.</summary>
public sealed class RedisShardsTests
{
    [Fact]
    public async Task ShardThatIsAway_HidesNothingOfTheOthers()
    {
        await using var low = await StartAsync("0", "8191");
        await using var high = await StartAsync("8192", "16383");
        await low.SendAsync("CLUSTER", "MEET", "127.0.0.1", $"{high.Port}", $"{high.ClusterPort}");
        foreach (var server in new[] { low, high })
            await Waiting.UntilAsync(async () => ((string)(await server.SendAsync("CLUSTER", "INFO"))!).Contains("cluster_slots_assigned:16384", StringComparison.Ordinal));
        await using var index = RedisIndexes.New($"{low.Address},{high.Address}");
        string[] domains = [.. Enumerable.Range(0, 40).Select(i => $"d{i}.test")];
        foreach (var domain in domains) await Waiting.AnswerAsync(async () => await PutAsync(index, domain));
        Assert.Equal(domains.Length, (await WakesAsync(index)).Count);

        await high.KillAsync();
        await Waiting.UntilAsync(async () => await FailsAsync(() => index.StampsAsync(IndexPartition.All, default)));
        var meanwhile = await WakesAsync(index);
        Assert.InRange(meanwhile.Count, 1, domains.Length - 1);
        Assert.All(meanwhile, d => Assert.Contains(d, domains));

        await low.KillAsync();
        await Waiting.UntilAsync(async () => await FailsAsync(() => index.WakesAsync(IndexPartition.All, At(100), 64, default)));
    }

    private static async Task<RedisServer> StartAsync(string first, string last)
    {
        var server = await RedisServer.StartAsync(
            "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "1000", "--cluster-allow-reads-when-down", "yes");
        await server.SendAsync("CLUSTER", "ADDSLOTSRANGE", first, last);
        return server;
    }

    private static async ValueTask<bool> PutAsync(RedisQueueIndex index, string domain)
    {
        var owner = new IndexOwner(7, (await index.TakeAsync(domain, 7, default)).Run);
        return await index.WriteAsync(domain, owner, [new IndexChange(Row(1, 10), Remove: false)], default) == IndexWriteStatus.Done;
    }

    private static async Task<HashSet<string>> WakesAsync(RedisQueueIndex index) =>
        [.. (await index.WakesAsync(IndexPartition.All, At(100), 64, default)).Select(w => w.Domain)];

    private static async Task<bool> FailsAsync<T>(Func<ValueTask<T>> call)
    {
        try
        {
            await call();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
