using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Angarium.Chaos.Processes;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// Deferred mail over many domains of sites 1 to 11: what it costs, and how soon a cluster whose silos all died works again. Then one tenant's backlog at one domain of site 10, with one connection,
/// and another tenant's single message there. Site 12 takes everything.
/// </summary>
public sealed class TheBacklogIsLarge : Scenario
{
    private const int DeferringSites = 11, ClosedSite = 11, LaneSite = 10, FreshSite = 12, Batch = 16, Quantum = 10;

    private static readonly TimeSpan s_leavesMemory = TimeSpan.FromSeconds(80);

    internal override Shape Shape => new(1, 3, 1);

    internal override int DomainsPerSite(bool isFull) => isFull ? 910 : 91;

    internal override Tuning Tuning => new()
    {
        // The socket through which a collection can be ordered.
        Environment = role => role == "grains" ? new Dictionary<string, string> { ["DOTNET_EnableDiagnostics"] = "1" } : new Dictionary<string, string>(),
        // Nobody kills it here, and a store that is silent (for 20 s once it has a million blobs) is no part of what is measured.
        StorageSavesEvery = TimeSpan.FromDays(1),
    };

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string>
    {
        ["Retry:Schedule"] = "6h",
        ["Egress:Site:Connections"] = "20",
        ["Egress:Batch"] = Batch.ToString(CultureInfo.InvariantCulture),
        [$"Egress:Routes:{LaneDomain}"] = $"10.99.10.{LaneSite}:25?connections=1",
    };

    private static string LaneDomain => Post.Domain(LaneSite, 0);

    internal override async Task RunAsync(Stage stage)
    {
        for (var i = 1; i <= DeferringSites; i++) stage.Sink.Behave($"site{i}", s => s with { Deferred = 1 });
        await stage.StepAsync("Should_keep_little_of_deferred_mail_in_memory", () => FillAsync(stage));
        // A short run has other clusters beside it: it sees that mail flows again by itself, a full one, which is alone, how soon.
        await stage.StepAsync("Should_deliver_soon_after_all_silos_were_killed", () => RestartAsync(stage, 0, _ => { }, stage.IsFull ? 10 : 60));
        await stage.StepAsync("Should_deliver_soon_after_all_silos_came_back_at_new_addresses", () => RestartAsync(stage, 1, Move, stage.IsFull ? 30 : 90));
        await stage.StepAsync("Should_send_another_tenants_message_among_the_next", () => ShareAsync(stage));
    }

    private static async Task<string> FillAsync(Stage stage)
    {
        var domains = Enumerable.Range(0, DeferringSites * (stage.IsFull ? 910 : 91)).Select(i => Post.Domain(1 + (i % DeferringSites), i / DeferringSites)).Where(d => d != LaneDomain).ToList();
        var (least, most) = (stage.IsFull ? 10_000 : domains.Count, stage.IsFull ? 1_000_000 : 100_000);
        var memory = await RedisMemoryAsync(stage);
        var few = await HeapWithAsync(stage, least, domains);
        stage.Say($"{least} queued: heaps {few >> 10} KiB");
        var started = DateTimeOffset.UtcNow;
        var many = await HeapWithAsync(stage, most - least, domains);
        var took = DateTimeOffset.UtcNow - started;
        var perRecipient = (await RedisMemoryAsync(stage) - memory) / (double)most;
        var figures = string.Create(CultureInfo.InvariantCulture,
            $"heaps of the silos together {few / 1048576.0:f1} MiB with {least} queued, {many / 1048576.0:f1} MiB with {most} over the same {domains.Count} domains (x {(double)many / few:f2}); Redis {perRecipient:f0} bytes a recipient; the rest came in {took.TotalSeconds:f0} s");
        Stage.Require(many <= few * 1.5, figures);
        Stage.Require(perRecipient <= 300, figures);
        return figures;
    }

    private static async Task<long> HeapWithAsync(Stage stage, int count, List<string> domains)
    {
        var before = await stage.QueuedAsync();
        var sent = await stage.Post.BulkAsync("acme", count, i => domains[i % domains.Count], sessions: 64);
        Stage.Require(stage.Post.Refusals.Count == 0 && stage.Post.Unanswered == 0, $"refused: {string.Join("; ", stage.Post.Refusals.Take(5))}; unanswered: {stage.Post.Unanswered}");
        var patience = TimeSpan.FromMinutes(stage.IsFull ? 40 : 5);
        await stage.TriedAsync(sent, patience);
        await Stage.UntilAsync(async () => await stage.QueuedAsync() >= before + count, patience, () => "not all of it is in the index");
        // What was just tried leaves memory within 75 s: an activation ends 30 s after its last call, what its workers were answered is kept for a minute. Both times the heap without it counts.
        var heap = long.MaxValue;
        for (var began = Stopwatch.GetTimestamp(); ;)
        {
            var now = (await Task.WhenAll(stage.Cluster.With("grains").Select(HeapProbe.LiveAsync))).Sum();
            stage.Say($"heaps {now >> 10} KiB");
            var waited = Stopwatch.GetElapsedTime(began);
            if (now > heap * 0.99 && waited > s_leavesMemory || waited > 2 * s_leavesMemory) return Math.Min(now, heap);
            heap = Math.Min(heap, now);
            await Task.Delay(TimeSpan.FromSeconds(5));
        }
    }

    private static async Task<string> RestartAsync(Stage stage, int domain, Action<Node> change, double mostForFresh)
    {
        var due = Post.Domain(ClosedSite, domain);
        stage.Sink.Close($"site{ClosedSite}");
        var (code, output) = await stage.Cluster.CommandAsync("queue", "retry", due);
        Stage.Require(code == 0, output);
        var silos = stage.Cluster.With("grains");
        await Task.WhenAll(silos.Select(s => s.KillAsync()));
        stage.Sink.Behave($"site{ClosedSite}", s => s);
        stage.Sink.Reopen($"site{ClosedSite}");
        foreach (var silo in silos) change(silo);
        var start = DateTimeOffset.UtcNow;
        var starting = Task.WhenAll(silos.Select(s => s.StartAsync()));
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(5, i => Post.Domain(FreshSite, (int)(i % 20)), over.Token);
        var fresh = TimeSpan.Zero;
        var deferred = TimeSpan.Zero;
        await Stage.UntilAsync(() =>
        {
            if (fresh == default && First(stage, start, $".site{FreshSite}.test") is { } f) fresh = f;
            if (deferred == default && First(stage, start, "@" + due) is { } d) deferred = d;
            return Task.FromResult(fresh != default && deferred != default);
        }, Stage.Patience, () => $"fresh after {fresh.TotalSeconds:f1} s, deferred after {deferred.TotalSeconds:f1} s (0 = never)");
        await starting;
        await over.CancelAsync();
        await flow;
        // All of it, or what is late would be taken for the first of the next flow.
        await stage.SettledAsync(r => r.EndsWith($".site{FreshSite}.test", StringComparison.Ordinal));
        var figures = string.Create(CultureInfo.InvariantCulture, $"first fresh delivered {fresh.TotalSeconds:f1} s after the silos were started again, first deferred {deferred.TotalSeconds:f1} s");
        Stage.Require(fresh.TotalSeconds <= mostForFresh && deferred.TotalSeconds <= (stage.IsFull ? 90 : 150), figures);
        stage.Sink.Behave($"site{ClosedSite}", s => s with { Deferred = 1 });
        return figures;
    }

    /// <summary>Other ports are other addresses: nobody at the old ones says that they are gone.</summary>
    private static void Move(Node silo)
    {
        var file = Cluster.ConfigOf(silo);
        var settings = JsonNode.Parse(File.ReadAllText(file))!;
        settings["Cluster:SiloPort"] = "11112";
        settings["Cluster:GatewayPort"] = "30001";
        File.WriteAllText(file, settings.ToJsonString());
    }

    private static TimeSpan? First(Stage stage, DateTimeOffset start, string domain) => stage.Arrivals().FirstOrDefault(a => a.Recipient.EndsWith(domain, StringComparison.Ordinal) && a.Dot >= start)?.Dot - start;

    private static async Task<string> ShareAsync(Stage stage)
    {
        // Up to a second a message, one connection.
        stage.Sink.Behave($"site{LaneSite}", s => s with { Slow = 1, Slowest = TimeSpan.Zero });
        // More than a domain's window in any case.
        var count = stage.IsFull ? 1_000_000 : 5_000;
        await stage.Post.BulkAsync("acme", count, _ => LaneDomain, sessions: 64);
        int Sent() => stage.Arrivals().Count(a => a.Recipient.EndsWith("@" + LaneDomain, StringComparison.Ordinal));
        Stage.Require(stage.Post.Refusals.Count == 0, $"refused: {string.Join("; ", stage.Post.Refusals.Take(5))}");
        await Stage.UntilAsync(() => Task.FromResult(Sent() > 10), Stage.Patience, () => "the first tenant's mail does not flow");
        var before = Sent();
        var single = (await stage.Post.BulkAsync("beta", 1, _ => LaneDomain))[0];
        await Stage.UntilAsync(() => Task.FromResult(stage.Sink.IsSettled(single)), Stage.Patience, () => $"the other tenant's message did not arrive; {Sent() - before} of the first tenant's did");
        var between = stage.Arrivals().TakeWhile(a => a.Recipient != single).Count(a => a.Recipient.EndsWith("@" + LaneDomain, StringComparison.Ordinal)) - before;
        // Two lanes; and what the one connection had leased when it came: a batch on the wire and the next.
        const int Bound = (2 * Quantum) + (2 * Batch);
        var figures = $"{count} of one tenant queued to one domain; {between} of them were sent before another tenant's single message (bound {Bound}: 2 lanes x quantum {Quantum} and two batches of {Batch} that were leased already)";
        Stage.Require(between <= Bound, figures);
        return figures;
    }

    private static async Task<long> RedisMemoryAsync(Stage stage)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var text = await Probes.RedisAsync(stage.Cluster.Redis!.Primary.Address, "INFO memory", limit.Token);
        return long.Parse(text.Split('\n').First(l => l.StartsWith("used_memory:", StringComparison.Ordinal)).Split(':')[1], CultureInfo.InvariantCulture);
    }
}
