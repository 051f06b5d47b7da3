using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Angarium.Grains.Index;
using Angarium.TestKit.Servers;
using static Angarium.Contract.Index.QueueIndexContract;

namespace Angarium.Contract.Index;

/// <summary>What the index in Redis makes of a Redis that is full, gone, back, another's, or not there yet: never a false *done*, and no operator.</summary>
public sealed class RedisIndexFaultTests
{
    private const string Domain = "example.net";

    [Fact]
    public async Task Restart_WithTheSameData_DeposesEveryOwnerByTheRunId()
    {
        await using var server = await RedisServer.StartAsync();
        await using var index = RedisIndexes.New(server.Address);
        var (owner, stamp) = await TakeAsync(index, 5);
        await PutAsync(index, owner, 1, 2, 3);
        await server.SendAsync("SAVE");
        await server.KillAsync();
        await Assert.ThrowsAsync<IOException>(async () => await index.WriteAsync(Domain, owner, [], default));
        await server.StartAsync();

        Assert.Equal(IndexWriteStatus.Deposed, await Waiting.AnswerAsync(() => index.WriteAsync(Domain, owner, [], default)));
        Assert.True((await index.ReadDueAsync(Domain, owner, At(10), 10, default)).Deposed);
        var now = await index.StampAsync(IndexPartition.Of(Domain), default);
        Assert.Equal(stamp.Birth, now.Birth);
        Assert.NotEqual(stamp.Run, now.Run);
        var (next, _) = await TakeAsync(index, 6);
        Assert.Equal(3, (await index.ReadDueAsync(Domain, next, At(10), 10, default)).Rows.Count);
    }

    [Fact]
    public async Task FailOver_ToAReplica_IsFoundByItself_AndDeposesEveryOwner()
    {
        await using var first = await RedisServer.StartAsync();
        await using var second = await RedisServer.StartAsync("--replicaof", "127.0.0.1", $"{first.Port}");
        await using var index = RedisIndexes.New($"{first.Address},{second.Address}");
        var (owner, _) = await TakeAsync(index, 5);
        await PutAsync(index, owner, 1, 2);
        await Waiting.UntilAsync(async () => await second.SendAsync("DBSIZE") is long keys && keys == (long)(await first.SendAsync("DBSIZE"))! && keys > 0);
        await first.KillAsync();
        await Assert.ThrowsAsync<IOException>(async () => await index.WriteAsync(Domain, owner, [], default));
        await second.SendAsync("REPLICAOF", "NO", "ONE");

        Assert.Equal(IndexWriteStatus.Deposed, await Waiting.AnswerAsync(() => index.WriteAsync(Domain, owner, [], default)));
        var (next, _) = await TakeAsync(index, 6);
        Assert.Equal(2, (await index.ReadDueAsync(Domain, next, At(10), 10, default)).Rows.Count);
    }

    [Fact]
    public async Task Primary_ThatBecameAReplica_ConfirmsNothing_AndTheNewOneIsFound()
    {
        await using var first = await RedisServer.StartAsync();
        await using var second = await RedisServer.StartAsync("--replicaof", "127.0.0.1", $"{first.Port}");
        await using var index = RedisIndexes.New($"{first.Address},{second.Address}");
        var (owner, _) = await TakeAsync(index, 5);
        await PutAsync(index, owner, 1);
        await Waiting.UntilAsync(async () => await second.SendAsync("DBSIZE") is long keys && keys == (long)(await first.SendAsync("DBSIZE"))! && keys > 0);
        await second.SendAsync("REPLICAOF", "NO", "ONE");
        await first.SendAsync("REPLICAOF", "127.0.0.1", $"{second.Port}");

        // Run id and token are still those that the owner knows, on a server that is nobody's truth any more.
        var refused = await Assert.ThrowsAsync<IOException>(async () => await index.WriteAsync(Domain, owner, [], default));
        Assert.Contains("READONLY", refused.Message, StringComparison.Ordinal);
        Assert.Equal(IndexWriteStatus.Deposed, await Waiting.AnswerAsync(() => index.WriteAsync(Domain, owner, [], default)));
        Assert.Equal(1, await index.CountAsync(Domain, default));
    }

    [Fact]
    public async Task Primary_WithoutTheReplicasItNeeds_ConfirmsNothing()
    {
        await using var server = await RedisServer.StartAsync();
        await using var index = RedisIndexes.New(server.Address);
        var (owner, _) = await TakeAsync(index, 5);
        await server.SendAsync("CONFIG", "SET", "min-replicas-to-write", "1");
        await Assert.ThrowsAsync<IOException>(async () => await index.WriteAsync(Domain, owner, [], default));
        await Assert.ThrowsAsync<IOException>(async () => await index.ReadDueAsync(Domain, owner, At(1), 1, default));
        await Assert.ThrowsAsync<IOException>(async () => await index.SeeAsync(Domain, [], default));
        Assert.Empty(await index.ListAsync(Domain, default, 10, default));
    }

    [Fact]
    public async Task Full_RemovesAndMovesAndReads_AndRefusesWhatIsNew()
    {
        await using var server = await RedisServer.StartAsync();
        await using var index = RedisIndexes.New(server.Address);
        var (owner, stamp) = await TakeAsync(index, 5);
        await PutAsync(index, owner, 1, 2, 3);
        await server.SendAsync("CONFIG", "SET", "maxmemory", "1");

        Assert.Equal(IndexWriteStatus.Full, await index.WriteAsync(
            Domain, owner, [new IndexChange(Row(9, 9), Remove: false), new IndexChange(Row(1, 0), Remove: true), new IndexChange(Row(2, 40), Remove: false)], default));
        var read = await index.ReadDueAsync(Domain, owner, At(100), 10, default);
        Assert.Equal([3, 2], read.Rows.Select(r => (int)r.Member.Key.Ordinal));
        Assert.Equal(IndexWriteStatus.Done, await index.WriteAsync(Domain, owner, [new IndexChange(Row(3, 50), Remove: false)], default));
        Assert.Equal(At(40), Assert.Single(await index.WakesAsync(IndexPartition.All, At(100), 10, default)).Due);
        Assert.Equal(stamp, (await index.SeeAsync(Domain, [new IndexSight(Row(2, 0).Lane, Row(2, 0).Member)], default)).Stamp);
        // Its successor can take over, else nothing would ever be removed; and the sweep gets an answer from a partition without a mark.
        var (next, _) = await TakeAsync(index, 6);
        await index.StampsAsync(IndexPartition.All, default);
        Assert.Equal(IndexWriteStatus.Done, await index.WriteAsync(Domain, next, [new IndexChange(Row(2, 0), Remove: true), new IndexChange(Row(3, 0), Remove: true)], default));
        Assert.Equal(new IndexTotals(0, null), await index.TotalsAsync(IndexPartition.All, default));
        await server.SendAsync("CONFIG", "SET", "maxmemory", "0");
        await PutAsync(index, next, 9);
    }

    [Fact]
    public async Task Stopped_FailsWithinTheBound_AndGoesOnAfterwards()
    {
        await using var server = await RedisServer.StartAsync();
        await using var index = RedisIndexes.New(server.Address);
        var (owner, _) = await TakeAsync(index, 5);
        Process.Start("kill", ["-STOP", $"{server.ProcessId}"]).WaitForExit();
        var began = Stopwatch.GetTimestamp();
        var late = await Assert.ThrowsAsync<IOException>(async () => await index.WriteAsync(Domain, owner, [], default));
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 4, 8);
        Assert.Contains("did not answer", late.Message, StringComparison.Ordinal);
        Process.Start("kill", ["-CONT", $"{server.ProcessId}"]).WaitForExit();
        Assert.Equal(IndexWriteStatus.Done, await Waiting.AnswerAsync(() => index.WriteAsync(Domain, owner, [], default)));
    }

    [Fact]
    public async Task Cancelled_EndsAtOnce()
    {
        await using var server = await RedisServer.StartAsync();
        await using var index = RedisIndexes.New(server.Address);
        var (owner, _) = await TakeAsync(index, 5);
        using var cancel = new CancellationTokenSource();
        Process.Start("kill", ["-STOP", $"{server.ProcessId}"]).WaitForExit();
        var call = index.WriteAsync(Domain, owner, [], cancel.Token).AsTask();
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task NotThereYet_FailsWithoutItsPassword_AndWorksOnceItIsThere()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "");
        await server.KillAsync();
        await using var index = RedisIndexes.New(server.Address + ",password=" + "opensesame");
        var refused = await Assert.ThrowsAsync<IOException>(async () => await index.StampAsync(0, default));
        Assert.Contains("Redis", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("opensesame", refused.ToString(), StringComparison.Ordinal);
        await using var index2 = RedisIndexes.New(server.Address);
        await Assert.ThrowsAsync<IOException>(async () => await index2.StampAsync(0, default));
        await server.StartAsync();
        Assert.NotEqual(default, await Waiting.AnswerAsync(() => index2.StampAsync(0, default)));
    }

    [Fact]
    public async Task Down_FailsAtOnce_AndKeepsNothingForLater()
    {
        await using var server = await RedisServer.StartAsync();
        await using var index = RedisIndexes.New(server.Address);
        var (owner, _) = await TakeAsync(index, 5);
        await server.KillAsync();
        await Assert.ThrowsAsync<IOException>(async () => await index.WriteAsync(Domain, owner, [], default));
        var began = Stopwatch.GetTimestamp();
        var calls = Enumerable.Range(0, 1_000).Select(_ => index.WriteAsync(Domain, owner, [new IndexChange(Row(1, 1), Remove: false)], default).AsTask()).ToList();
        foreach (var call in calls) await Assert.ThrowsAsync<IOException>(() => call);
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 4);
        await server.StartAsync();
        await Waiting.AnswerAsync(() => index.StampAsync(0, default));
        Assert.InRange(await server.CallsAsync("evalsha"), 1, 20);
    }

    [Fact]
    public async Task TwoOwners_Racing_WriteOnlyWhileTheTokenIsTheirs()
    {
        await using var server = await RedisServer.StartAsync();
        await using var one = RedisIndexes.New(server.Address);
        await using var two = RedisIndexes.New(server.Address);
        // Redis learns the scripts: a call that has to send one again is overtaken by those behind it.
        await one.WriteAsync(Domain, default, [], default);
        for (var round = 0; round < 50; round++)
        {
            var (first, _) = await TakeAsync(one, (ulong)(2 * round + 1));
            var member = round + 1;
            var writes = Enumerable.Range(0, 20).Select(i => one.WriteAsync(Domain, first, [new IndexChange(Row(member, i), Remove: false)], default).AsTask()).ToList();
            var (second, _) = await TakeAsync(two, (ulong)(2 * round + 2));
            var seen = (await two.ListAsync(Domain, default, 1_000, default)).Where(r => r.Member.Key.Ordinal == member).ToList();
            Assert.Equal(IndexWriteStatus.Deposed, await one.WriteAsync(Domain, first, [new IndexChange(Row(member, 90), Remove: false)], default));
            var answers = await Task.WhenAll(writes);
            // In the order sent: those before the token changed, then none.
            Assert.Equal(answers.OrderBy(a => a == IndexWriteStatus.Deposed), answers);
            Assert.Equal(seen, (await two.ListAsync(Domain, default, 1_000, default)).Where(r => r.Member.Key.Ordinal == member));
            Assert.Equal(IndexWriteStatus.Done, await two.WriteAsync(Domain, second, [], default));
        }
    }

    [Fact]
    public async Task Server_ThatAnswersNonsense_IsAnIOException()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var accepting = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
            }
        });
        await using var index = RedisIndexes.New(listener.LocalEndpoint.ToString()!);
        await Assert.ThrowsAsync<IOException>(async () => await index.StampAsync(0, default));
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => accepting);
    }

    private static async Task<(IndexOwner Owner, IndexStamp Stamp)> TakeAsync(RedisQueueIndex index, ulong token)
    {
        var stamp = await index.TakeAsync(Domain, token, default);
        return (new IndexOwner(token, stamp.Run), stamp);
    }

    private static async Task PutAsync(RedisQueueIndex index, IndexOwner owner, params int[] ordinals) =>
        Assert.Equal(IndexWriteStatus.Done, await index.WriteAsync(Domain, owner, [.. ordinals.Select(o => new IndexChange(Row(o, o), Remove: false))], default));
}
