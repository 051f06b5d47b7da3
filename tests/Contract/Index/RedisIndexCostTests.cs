using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.TestKit.Servers;
using static Angarium.Contract.Index.QueueIndexContract;

namespace Angarium.Contract.Index;

/// <summary>What the index in Redis costs and leaves there: commands, keys, octets.</summary>
public sealed class RedisIndexCostTests : IAsyncLifetime
{
    private const string Domain = "example.net";

    private RedisServer _server = null!;
    private RedisQueueIndex _index = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _index = RedisIndexes.New(_server.Address, "acme");
    }

    public async ValueTask DisposeAsync()
    {
        await _index.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Call_OfAnyKind_IsOneCommand()
    {
        var owner = new IndexOwner(5, (await _index.TakeAsync(Domain, 5, default)).Run);
        var rows = Enumerable.Range(1, 1_000).Select(i => Row(i, i)).ToArray();
        var sights = rows.Select(r => new IndexSight(r.Lane, r.Member)).ToArray();
        (string Name, Func<Task> Call)[] calls =
        [
            ("take", async () => await _index.TakeAsync(Domain, 5, default)),
            ("confirm", async () => await _index.WriteAsync(Domain, owner, [], default)),
            ("write 1,000", async () => await _index.WriteAsync(Domain, owner, [.. rows.Select(r => new IndexChange(r, Remove: false))], default)),
            ("read 1,000", async () => Assert.Equal(1_000, (await _index.ReadDueAsync(Domain, owner, At(2_000), 1_000, default)).Rows.Count)),
            ("see 1,000", async () => Assert.DoesNotContain(false, (await _index.SeeAsync(Domain, sights, default)).Found)),
            ("contains 1,000", async () => Assert.DoesNotContain(false, await _index.ContainsAsync(Domain, sights, default))),
            ("list", async () => await _index.ListAsync(Domain, default, 100, default)),
            ("count", async () => await _index.CountAsync(Domain, default)),
            ("stamp", async () => await _index.StampAsync(3, default)),
            ("stamps of all", async () => await _index.StampsAsync(IndexPartition.All, default)),
            ("wakes of all", async () => await _index.WakesAsync(IndexPartition.All, At(0), 64, default)),
            ("totals of all", async () => await _index.TotalsAsync(IndexPartition.All, default)),
            ("remove 1,000", async () => await _index.WriteAsync(Domain, owner, [.. rows.Select(r => new IndexChange(r, Remove: true))], default)),
            ("leave", async () => await _index.LeaveAsync(Domain, owner, default)),
        ];
        foreach (var (_, call) in calls) await call();
        await _index.TakeAsync(Domain, owner.Token, default);
        foreach (var (name, call) in calls)
        {
            await _server.SendAsync("CONFIG", "RESETSTAT");
            await call();
            Assert.Equal((name, 1, 0, 0), (name, await _server.CallsAsync("evalsha"), await _server.CallsAsync("eval"), await _server.CallsAsync("script|load")));
            TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {(await _server.InfoAsync("commandstats"))["cmdstat_evalsha"]}");
        }
    }

    [Fact]
    public async Task Call_AfterScriptsWereForgotten_CostsOneCommandMoreOnce()
    {
        await _index.TakeAsync(Domain, 5, default);
        await _server.SendAsync("SCRIPT", "FLUSH");
        await _server.SendAsync("CONFIG", "RESETSTAT");
        await _index.TakeAsync(Domain, 5, default);
        await _index.TakeAsync(Domain, 5, default);
        Assert.Equal((2, 1), (await _server.CallsAsync("evalsha"), await _server.CallsAsync("eval")));
    }

    [Fact]
    public async Task Keys_OfADomain_AreThoseOfTheLayoutAndGoWithIt()
    {
        var owner = new IndexOwner(5, (await _index.TakeAsync(Domain, 5, default)).Run);
        await _index.WriteAsync(Domain, owner, [new IndexChange(Row(1, 10), Remove: false), new IndexChange(Row(2, 20), Remove: false)], default);
        // printf example.net | sha256sum: the first 32 digits, of which the last octet is the partition.
        var d = string.Concat(Convert.FromHexString("3daab7cff97925bbd07d11df5dc3b0e3").Select(o => (char)o));
        const string p = "acme:{p227}:";
        Assert.Equal([p + "born", p + "l:" + d, p + "n", p + "o:" + d, p + "q:" + d + ":acme:0", p + "wake"], await KeysAsync());
        Assert.Equal(["acme:0", $"{1_700_000_010L * 256}"], (object?[])(await _server.SendAsync("ZRANGE", p + "l:" + d, "0", "-1", "WITHSCORES"))!);
        Assert.Equal([Domain, $"{1_700_000_010L * 256}"], (object?[])(await _server.SendAsync("ZRANGE", p + "wake", "0", "-1", "WITHSCORES"))!);
        Assert.Equal("2", await _server.SendAsync("GET", p + "n"));
        var octets = new byte[IndexMember.Size];
        Row(1, 10).Member.Write(octets);
        var member = string.Concat(octets.Select(o => (char)o));
        Assert.Equal([member, $"{1_700_000_010L * 256}"], (object?[])(await _server.SendAsync("ZRANGE", p + "q:" + d + ":acme:0", "0", "0", "WITHSCORES"))!);

        await _index.WriteAsync(Domain, owner, [new IndexChange(Row(1, 10), Remove: true), new IndexChange(Row(2, 20), Remove: true)], default);
        Assert.Equal([p + "born", p + "o:" + d], await KeysAsync());
        await _index.LeaveAsync(Domain, owner, default);
        Assert.Equal([p + "born"], await KeysAsync());
    }

    [Fact]
    public async Task Clusters_ThatShareARedis_SeeNothingOfEachOther()
    {
        await using var other = RedisIndexes.New(_server.Address, "beta");
        var owner = new IndexOwner(5, (await _index.TakeAsync(Domain, 5, default)).Run);
        await _index.WriteAsync(Domain, owner, [new IndexChange(Row(1, 10), Remove: false)], default);
        Assert.Equal(IndexWriteStatus.Deposed, await other.WriteAsync(Domain, owner, [], default));
        Assert.Empty(await other.WakesAsync(IndexPartition.All, At(100), 10, default));
        Assert.Empty(await other.DomainsAsync(10, default));
        Assert.Equal(0, (await other.TotalsAsync(IndexPartition.All, default)).Queued);
    }

    [Fact]
    public async Task Lane_ThatPromisesWhatItsQueueHasNot_IsSetRightByTheNextReading()
    {
        var owner = new IndexOwner(5, (await _index.TakeAsync(Domain, 5, default)).Run);
        await _index.WriteAsync(Domain, owner, [new IndexChange(Row(1, 10), Remove: false)], default);
        await _server.SendAsync("DEL", (await KeysAsync()).Single(k => k.Contains("}:q:", StringComparison.Ordinal)));
        Assert.Single(await _index.WakesAsync(IndexPartition.All, At(10), 10, default));
        Assert.Empty((await _index.ReadDueAsync(Domain, owner, At(10), 10, default)).Rows);
        Assert.Empty(await _index.WakesAsync(IndexPartition.All, At(10), 10, default));
    }

    [Fact]
    public async Task See_OfAMemberWhoseLaneAndWakeUpAreGone_SetsBoth_AndNeverLater()
    {
        var owner = new IndexOwner(5, (await _index.TakeAsync(Domain, 5, default)).Run);
        await _index.WriteAsync(Domain, owner, [.. new[] { 30, 10, 20 }.Select(n => new IndexChange(Row(n, n), Remove: false))], default);
        foreach (var key in (await KeysAsync()).Where(k => k.EndsWith(":wake", StringComparison.Ordinal) || k.Contains("}:l:", StringComparison.Ordinal))) await _server.SendAsync("DEL", key);
        Assert.Empty(await _index.WakesAsync(IndexPartition.All, At(100), 10, default));

        var seen = await SeeAsync(30, 7, 20);
        Assert.Equal([true, false, true], seen.Found);
        Assert.Equal(At(20), Assert.Single(await _index.WakesAsync(IndexPartition.All, At(100), 10, default)).Due);
        await SeeAsync(30);
        Assert.Equal(At(20), Assert.Single(await _index.WakesAsync(IndexPartition.All, At(100), 10, default)).Due);
        Assert.Equal(3, (await _index.ReadDueAsync(Domain, owner, At(100), 10, default)).Rows.Count);
        await SeeAsync(10);
        Assert.Equal(At(10), Assert.Single(await _index.WakesAsync(IndexPartition.All, At(100), 10, default)).Due);

        async Task<IndexSeen> SeeAsync(params int[] ordinals) =>
            await _index.SeeAsync(Domain, [.. ordinals.Select(n => new IndexSight(Row(n, n).Lane, Row(n, n).Member))], default);
    }

    [Fact]
    public async Task Batch_OfMoreThanLuaTakesAtOnce_IsAllThere()
    {
        var owner = new IndexOwner(5, (await _index.TakeAsync(Domain, 5, default)).Run);
        var rows = Enumerable.Range(1, IQueueIndex.MaxRead).Select(i => Row(i, i)).ToArray();
        Assert.Equal(IndexWriteStatus.Done, await _index.WriteAsync(Domain, owner, [.. rows.Select(r => new IndexChange(r, Remove: false))], default));
        Assert.Equal(rows, (await _index.ReadDueAsync(Domain, owner, At(30_000), 30_000, default)).Rows);
        Assert.DoesNotContain(false, (await _index.SeeAsync(Domain, [.. rows.Select(r => new IndexSight(r.Lane, r.Member))], default)).Found);
        Assert.Equal(IndexWriteStatus.Done, await _index.WriteAsync(Domain, owner, [.. rows.Skip(1).Select(r => new IndexChange(r, Remove: true))], default));
        Assert.Equal(new IndexTotals(1, At(1)), await _index.TotalsAsync(IndexPartition.All, default));
    }

    [Fact]
    public async Task AHundredThousandRecipientsOfAThousandDomains_CostAtMost300OctetsEach()
    {
        const int domains = 1_000;
        const int each = 100;
        var before = long.Parse((await _server.InfoAsync("memory"))["used_memory"]);
        await Parallel.ForAsync(0, domains, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (d, _) =>
        {
            var name = $"domain-{d}.example";
            var owner = new IndexOwner((ulong)d, (await _index.TakeAsync(name, (ulong)d, default)).Run);
            await _index.WriteAsync(name, owner, [.. Enumerable.Range(0, each).Select(i => new IndexChange(
                new IndexRow(new Lane("acme", MessageClass.Bulk), new IndexMember(new RecipientKey((ulong)Random.Shared.NextInt64(), (uint)i, 0), (uint)i * 1_000, 1_000, 0), At(d + i), 1),
                Remove: false))], default);
        });
        var octets = (long.Parse((await _server.InfoAsync("memory"))["used_memory"]) - before) / (double)(domains * each);
        Assert.Equal(domains * each, (await _index.TotalsAsync(IndexPartition.All, default)).Queued);
        Assert.Equal(domains, (await _index.DomainsAsync(10_000, default)).Count);
        Assert.InRange(octets, 24, 300);
        TestContext.Current.TestOutputHelper?.WriteLine($"{octets:f0} octets a recipient");
    }

    private async Task<string[]> KeysAsync() => [.. ((object?[])(await _server.SendAsync("KEYS", "*"))!).Select(k => (string)k!).Order(StringComparer.Ordinal)];
}
