using System.Globalization;
using Angarium.Chaos.Processes;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>An idle cluster is measured; then Redis is wiped, stopped and killed while fresh mail flows and deferred mail waits. Receivers of sites 1 to 3 defer, those of 4 to 9 take what comes.</summary>
public sealed class RedisFails : Scenario
{
    private const int PerSecond = 10;

    internal override Tuning Tuning => new() { LogsStorage = true };

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string> { ["Retry:Schedule"] = isFull ? "2m" : "25s" };

    internal override async Task RunAsync(Stage stage)
    {
        await stage.StepAsync("Should_ask_little_of_storage_and_Redis_when_idle", () => IdleAsync(stage));
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(PerSecond, i => Post.Domain(4 + (int)(i % 6), (int)(i / 6 % 20)), over.Token);
        await stage.StepAsync("Should_queue_everything_again_after_FLUSHALL", () => FlushAsync(stage));
        await stage.StepAsync("Should_go_on_while_Redis_hangs", () => AwayAsync(stage, "redis-stop", r => r.Primary.SendAsync(Signal.Stop), r => r.Primary.SendAsync(Signal.Continue)));
        await stage.StepAsync("Should_go_on_while_Redis_is_dead", () => AwayAsync(stage, "redis-kill", r => r.CrashAsync(), async r =>
        {
            await r.RestartAsync();
            await r.FollowAsync();
        }));
        await over.CancelAsync();
        await flow;
        await stage.StepAsync("Should_have_lost_and_doubled_nothing", async () =>
        {
            await stage.SettledAsync();
            Stage.Require(stage.Post.Refusals.Count == 0 && stage.Post.Unanswered == 0, $"refused: {string.Join("; ", stage.Post.Refusals.Take(5))}; unanswered: {stage.Post.Unanswered}");
            return await stage.AccountAsync();
        });
    }

    private static async Task<string> IdleAsync(Stage stage)
    {
        // What a start leaves to do is done by then; a rate needs a time to be measured over.
        await Task.Delay(TimeSpan.FromSeconds(stage.IsFull ? 90 : 10));
        var length = TimeSpan.FromSeconds(stage.IsFull ? 300 : 20);
        var (storage, redis) = (StorageRequests(stage), await RedisCommandsAsync(stage));
        await Task.Delay(length);
        var hours = length.TotalHours;
        var (storagePerHour, redisPerHour) = ((StorageRequests(stage) - storage) / hours, (await RedisCommandsAsync(stage) - redis) / hours);
        var figures = string.Create(CultureInfo.InvariantCulture, $"{storagePerHour:f0} storage requests and {redisPerHour:f0} Redis commands an hour (3 silos, 2 ingress, 2 egress, api)");
        // Measured: 17,000 and 250,000.
        Stage.Require(storagePerHour is > 0 and < 35_000, figures);
        Stage.Require(redisPerHour is > 0 and < 500_000, figures);
        return figures;
    }

    private static async Task<string> FlushAsync(Stage stage)
    {
        var count = stage.IsFull ? 50_000 : 10_000;
        Defer(stage, 1);
        var deferred = await stage.Post.BulkAsync("acme", count, i => Post.Domain(1 + (i % 3), i / 3 % 20));
        stage.Say($"{count} accepted");
        await stage.TriedAsync(deferred);
        stage.Say("all of them were tried");
        await Stage.UntilAsync(async () => await stage.QueuedAsync() >= count, Stage.Patience, () => "deferred mail is not in the index");
        var silos = await Stage.ActiveSilosAsync();
        Stage.Require(silos.Count == 3, $"silos: {string.Join(' ', silos)}");
        var start = DateTimeOffset.UtcNow;
        await stage.Cluster.Redis!.FlushAsync();
        stage.Note("redis-flush", "redis", "", start);
        long queued = 0;
        var told = start;
        var took = await Stage.UntilAsync(async () =>
        {
            var now = await Stage.ActiveSilosAsync();
            Stage.Require(now.SequenceEqual(silos), $"membership changed: {string.Join(' ', silos)}; {string.Join(' ', now)}");
            queued = await stage.QueuedAsync();
            if (DateTimeOffset.UtcNow - told > TimeSpan.FromSeconds(10))
            {
                told = DateTimeOffset.UtcNow;
                stage.Say($"{queued} of {count} are queued again");
            }

            return queued >= count;
        }, Stage.Patience, () => $"{queued} of {count} are queued again");
        foreach (var silo in stage.Cluster.With("grains")) Stage.Require(await Stage.NeighboursAsync(silo) == 2, $"{silo.Name} does not hold connections to both others");
        var passage = stage.PassageOf(start, DateTimeOffset.UtcNow, IsFresh);
        passage.Require(TimeSpan.FromSeconds(10));
        Defer(stage, 0);
        var settled = await stage.SettledAsync();
        return string.Create(CultureInfo.InvariantCulture, $"{count} deferred, all queued again {took.TotalSeconds:f1} s after FLUSHALL, all delivered {settled.TotalSeconds:f1} s after their receivers took mail; meanwhile {passage}");
    }

    private static async Task<string> AwayAsync(Stage stage, string kind, Func<RedisPair, Task> end, Func<RedisPair, Task> begin)
    {
        var count = stage.IsFull ? 5_000 : 200;
        Defer(stage, 1);
        await stage.TriedAsync(await stage.Post.BulkAsync("beta", count, i => Post.Domain(1 + (i % 3), i / 3 % 20)));
        var start = DateTimeOffset.UtcNow;
        await end(stage.Cluster.Redis!);
        // These are deferred while it is away, but for a few: what a session had not begun when it ended, or was not leased within 30 s, is no longer fresh and waits for the index (design rule 11).
        var burst = await stage.Post.BulkAsync("gamma", count, i => Post.Domain(1 + (i % 3), i / 3 % 20));
        var until = start + TimeSpan.FromSeconds(60);
        if (DateTimeOffset.UtcNow + TimeSpan.FromSeconds(30) is var fresh && fresh > until) until = fresh;
        await Task.Delay(until - DateTimeOffset.UtcNow);
        var tried = burst.Count(r => stage.Sink.Attempts(r) > 0);
        Stage.Require(tried >= 0.95 * count, $"{tried} of {count} were tried while it was away");
        var away = DateTimeOffset.UtcNow;
        await begin(stage.Cluster.Redis!);
        stage.Note(kind, "redis", "", start);
        Defer(stage, 0);
        var passage = stage.PassageOf(start, away, IsFresh);
        passage.Require(TimeSpan.FromSeconds(10));
        var settled = await stage.SettledAsync();
        return string.Create(CultureInfo.InvariantCulture, $"away for {(away - start).TotalSeconds:f1} s: {passage}; {count * 2} deferred, {tried} of {count} tried meanwhile, all delivered {settled.TotalSeconds:f1} s after its return");
    }

    private static bool IsFresh(string recipient) => !recipient.EndsWith(".site1.test", StringComparison.Ordinal) && !recipient.EndsWith(".site2.test", StringComparison.Ordinal)
        && !recipient.EndsWith(".site3.test", StringComparison.Ordinal);

    private static void Defer(Stage stage, double share)
    {
        for (var i = 1; i <= 3; i++) stage.Sink.Behave($"site{i}", s => s with { Deferred = share });
    }

    private static int StorageRequests(Stage stage)
    {
        using var file = new FileStream(stage.Cluster.Azurite!.Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd().Split('\n').Count(l => l.Contains($"/{Cluster.Account}/", StringComparison.Ordinal));
    }

    /// <summary>Without those of replication and of this question.</summary>
    private static async Task<long> RedisCommandsAsync(Stage stage)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var text = await Probes.RedisAsync(stage.Cluster.Redis!.Primary.Address, "INFO commandstats", limit.Token);
        return text.Split('\n').Where(l => l.StartsWith("cmdstat_", StringComparison.Ordinal) && !l.StartsWith("cmdstat_replconf", StringComparison.Ordinal) && !l.StartsWith("cmdstat_info", StringComparison.Ordinal))
            .Sum(l => long.Parse(l.Split("calls=")[1].Split(',')[0], CultureInfo.InvariantCulture));
    }
}
