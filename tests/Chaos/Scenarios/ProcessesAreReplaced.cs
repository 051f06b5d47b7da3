using System.Globalization;
using Angarium.Chaos.Processes;

namespace Angarium.Chaos.Scenarios;

/// <summary>Every process is replaced in order under load; silos and egress are killed while a slow site is at its limit; then most of them are taken away with a full queue, in order and at once.</summary>
public sealed class ProcessesAreReplaced : Scenario
{
    private const int PerSecond = 15, Limit = 10;

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string>
    {
        ["Retry:Schedule"] = "1s,2s,5s,10s",
        ["Egress:Site:Connections"] = Limit.ToString(CultureInfo.InvariantCulture),
        // At the limit from the start: a site's allowance would grow to it only with connections made and mail that goes through.
        ["Egress:Site:InitialConnections"] = Limit.ToString(CultureInfo.InvariantCulture),
    };

    internal override async Task RunAsync(Stage stage)
    {
        await stage.StepAsync("Should_lose_double_and_refuse_nothing_in_a_rolling_restart", () => RollAsync(stage));
        await stage.StepAsync("Should_keep_a_sites_limit_under_kills", () => LimitAsync(stage));
        await stage.StepAsync("Should_deliver_a_full_queue_after_scaling_in_by_SIGTERM", () => ShrinkAsync(stage, 1, "scale-in", "", async n =>
        {
            var code = await n.StopAsync();
            Stage.Require(code == 0, $"{n.Name} ended with code {code} after SIGTERM");
        }));
        await Task.WhenAll(stage.Cluster.Relays.Where(n => !n.IsRunning).Select(n => n.StartAsync()));
        await stage.StepAsync("Should_deliver_a_full_queue_after_scaling_in_by_kill", () => ShrinkAsync(stage, 4, "scale-in-kill", "*", n => n.KillAsync()));
        if (!stage.IsFull) return;
        await Task.WhenAll(stage.Cluster.Relays.Where(n => !n.IsRunning).Select(n => n.StartAsync()));
        await stage.StepAsync("Should_deliver_what_a_silo_owned_that_answers_and_has_lost_the_store", () => LoseTheStoreAsync(stage));
    }

    private static async Task<string> RollAsync(Stage stage)
    {
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(PerSecond, i => Post.Domain(4 + (int)(i % 6), (int)(i / 6 % 20)), over.Token);
        var start = DateTimeOffset.UtcNow;
        foreach (var node in stage.Cluster.Relays)
        {
            var code = await node.StopAsync();
            Stage.Require(code == 0, $"{node.Name} ended with code {code} after SIGTERM");
            await node.StartAsync();
        }

        var took = DateTimeOffset.UtcNow - start;
        await over.CancelAsync();
        await flow;
        var passage = stage.PassageOf(start, DateTimeOffset.UtcNow, _ => true);
        await stage.SettledAsync();
        Stage.Require(stage.Post.Refusals.Count == 0, $"refused twice: {string.Join("; ", stage.Post.Refusals.Take(5))}");
        Stage.Require(stage.Post.Unanswered == 0, $"{stage.Post.Unanswered} messages never answered");
        var account = await stage.AccountAsync();
        return string.Create(CultureInfo.InvariantCulture, $"{stage.Cluster.Relays.Count} processes in {took.TotalSeconds:f0} s; {stage.Post.FirstRefusals} refused once, none twice; {passage}; {account}");
    }

    /// <summary>Each reply takes a second: there is always work for one connection more.</summary>
    private static async Task<string> LimitAsync(Stage stage)
    {
        stage.Sink.Behave("site10", s => s with { Slow = 1, Slowest = TimeSpan.FromSeconds(1) });
        var count = stage.IsFull ? 3_000 : 450;
        var sending = stage.Post.BulkAsync("acme", count, i => Post.Domain(10, i % 20), sessions: 8);
        await Stage.UntilAsync(() => Task.FromResult(stage.Sink.MostConnections[0].Most >= Limit), Stage.Patience, () => $"the site never had its {Limit} connections");
        var kills = stage.IsFull ? 12 : 4;
        for (var i = 0; i < kills; i++)
        {
            var nodes = stage.Cluster.With(i % 2 == 0 ? "egress" : "grains");
            var node = nodes[i / 2 % nodes.Count];
            var start = DateTimeOffset.UtcNow;
            await node.KillAsync();
            stage.Note("kill", node.Name, node.Role == "egress" ? node.Name : "*", start);
            await node.StartAsync();
            // The next when work goes on.
            var arrived = stage.Sink.Arrivals;
            await Stage.UntilAsync(() => Task.FromResult(stage.Sink.Arrivals > arrived + 10 || stage.Sink.Arrivals >= stage.Post.Acknowledged.Count), Stage.Patience, () => $"nothing arrives after {node.Name} was killed");
        }

        await sending;
        stage.Sink.Behave("site10", s => s);
        await stage.SettledAsync();
        var (site, most, was) = stage.Sink.MostConnections[0];
        Stage.Require(most <= Limit, $"{most} connections to {site} {was}");
        return $"{kills} kills; at most {most} connections to {site} at once (limit {Limit}); {await stage.AccountAsync()}";
    }

    /// <summary>With three sites of its own: those of the step before are all where they were left.</summary>
    private static async Task<string> ShrinkAsync(Stage stage, int site, string kind, string doubles, Func<Node, Task> end)
    {
        for (var i = 0; i < 3; i++) stage.Sink.Behave($"site{site + i}", s => s with { Deferred = 1 });
        var count = stage.IsFull ? 20_000 : 600;
        await stage.TriedAsync(await stage.Post.BulkAsync("acme", count, i => Post.Domain(site + (i % 3), i / 3 % 20)));
        var going = stage.Cluster.With("grains").Take(2).Concat(stage.Cluster.With("egress").Take(1)).ToList();
        var start = DateTimeOffset.UtcNow;
        await Task.WhenAll(going.Select(end));
        stage.Note(kind, string.Join(' ', going.Select(n => n.Name)), doubles, start);
        for (var i = 0; i < 3; i++) stage.Sink.Behave($"site{site + i}", s => s);
        var settled = await stage.SettledAsync();
        var account = await stage.AccountAsync();
        return string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', going.Select(n => n.Name))} gone; {count} deferred, all delivered {settled.TotalSeconds:f1} s later; {account}");
    }

    /// <summary>Nobody but the others' look at its row finds it: it answers their probes, and Redis serves it.</summary>
    private static async Task<string> LoseTheStoreAsync(Stage stage)
    {
        for (var i = 0; i < 3; i++) stage.Sink.Behave($"site{7 + i}", s => s with { Deferred = 1 });
        await stage.TriedAsync(await stage.Post.BulkAsync("acme", 600, i => Post.Domain(7 + (i % 3), i / 3 % 20)));
        var (silo, store) = (stage.Cluster.With("grains")[0], stage.Cluster.Azurite!);
        var start = DateTimeOffset.UtcNow;
        await stage.Cluster.Lan.CutAsync(silo.Name, store.Name);
        for (var i = 0; i < 3; i++) stage.Sink.Behave($"site{7 + i}", s => s);
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(PerSecond, i => Post.Domain(7 + (int)(i % 3), (int)(i / 3 % 20)), over.Token);
        var declared = await Stage.UntilAsync(async () => (await Stage.ActiveSilosAsync()).Count == 2, Stage.Patience, () => $"{silo.Name} is still active to all");
        await over.CancelAsync();
        await flow;
        await stage.SettledAsync();
        var settled = DateTimeOffset.UtcNow - start;
        stage.Note("lost-store", silo.Name, "*", start);
        await stage.Cluster.Lan.HealAsync(silo.Name, store.Name);
        var account = await stage.AccountAsync();
        return string.Create(CultureInfo.InvariantCulture, $"{silo.Name} declared dead after {declared.TotalSeconds:f1} s, all delivered after {settled.TotalSeconds:f1} s; it {(silo.IsRunning ? "runs" : "ended")}; {account}");
    }
}
