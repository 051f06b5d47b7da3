using System.Globalization;
using Angarium.Chaos.Processes;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Faults;

/// <summary>
/// Every kind of fault. They may overlap, but for two at the same process, which would each undo the other. One thing is never done, for no design survives it: acknowledged
/// octets are not taken from the blob store (its emulator keeps its tables in memory for seconds, so it is stopped or ended in order, never killed).
/// </summary>
internal static class FaultKinds
{
    public static IReadOnlyList<Fault> All { get; } =
    [
        new("kill-ingress", (a, r, s) => KillAsync(a, a.Cluster.With("ingress"), r, s)),
        new("kill-silo", (a, r, s) => KillAsync(a, a.Cluster.With("grains"), r, s)),
        new("kill-egress", (a, r, s) => KillAsync(a, a.Cluster.With("egress"), r, s)),
        new("kill-api", (a, r, s) => KillAsync(a, a.Cluster.With("api"), r, s)),
        new("kill-dns", (a, r, s) => KillAsync(a, [a.Cluster.Dns], r, s)),
        new("stop-ingress", (a, r, s) => StopAsync(a, a.Cluster.With("ingress"), r, s)),
        new("stop-silo", (a, r, s) => StopAsync(a, a.Cluster.With("grains"), r, s)),
        new("stop-egress", (a, r, s) => StopAsync(a, a.Cluster.With("egress"), r, s)),
        new("stop-api", (a, r, s) => StopAsync(a, a.Cluster.With("api"), r, s)),
        new("redis-crash", RedisCrashAsync, InClusterOnly: true),
        new("redis-flush", RedisFlushAsync, InClusterOnly: true),
        new("redis-failover", RedisFailOverAsync, InClusterOnly: true),
        new("azurite-down", AzuriteDownAsync, InClusterOnly: true),
        new("azurite-slow", AzuriteSlowAsync, InClusterOnly: true),
        new("disk-full", DiskFullAsync),
        new("sink-down", SinkDownAsync),
        new("cut", CutAsync, InClusterOnly: true),
        new("unplug", UnplugAsync),
        new("clock", ClockAsync),
        new("rolling", RollingAsync),
    ];

    /// <summary>The kinds that a list of names or of their beginnings (`kill,redis-flush`) chooses; for one process with all roles without those that need others.</summary>
    public static IReadOnlyList<Fault> Choose(string list, bool isAlone = false)
    {
        if (list == "none") return [];
        if (isAlone) return Choose(list).Where(f => !f.InClusterOnly).ToList() is { Count: > 0 } possible ? possible : throw new ArgumentException($"`{list}` names nothing that could strike a process that is alone");
        if (list == "all") return All;
        var chosen = new List<Fault>();
        foreach (var name in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var matching = All.Where(f => f.Name == name || f.Name.StartsWith(name + "-", StringComparison.Ordinal)).ToList();
            if (matching.Count == 0) throw new ArgumentException($"no fault `{name}`; there are {string.Join(", ", All.Select(f => f.Name))}");
            chosen.AddRange(matching);
        }

        return chosen;
    }

    /// <summary>Whose attempts a process' trouble may double: an egress its own, a silo (it holds leases and the records) anyone's, the others none.</summary>
    private static string Doubles(Node node) => node.Role switch { "egress" => node.Name, "grains" or "all" or "azurite" => "*", _ => "" };

    private static async Task<bool> WithAsync(IEnumerable<Node> candidates, Random random, Func<Node, Task> act)
    {
        if (Arena.Take(candidates, random) is not { } node) return false;
        try
        {
            await act(node);
            return true;
        }
        finally
        {
            node.Gate.Release();
        }
    }

    private static Task<bool> KillAsync(Arena arena, IEnumerable<Node> candidates, Random random, Action<Struck> struck) => WithAsync(candidates, random, async node =>
    {
        await node.KillAsync();
        struck(new(node.Name, Doubles(node)));
        await arena.HoldAsync(random, 0, 8);
        await node.StartAsync();
    });

    /// <summary>Longer than a lease (20 s) and any detection: when it wakes it is dead to the others, and says things that were true.</summary>
    private static Task<bool> StopAsync(Arena arena, IEnumerable<Node> candidates, Random random, Action<Struck> struck) => WithAsync(candidates, random, async node =>
    {
        using (arena.Isolate(node.Name))
        {
            try
            {
                await node.SendAsync(Signal.Stop);
                for (var i = 0; i < 200 && !node.IsFrozen; i++) await Task.Delay(20);
                if (!node.IsFrozen) throw new InvalidOperationException($"{node.Name} does not stop");
                struck(new(node.Name, Doubles(node)));
                await arena.HoldAsync(random, 25, 45);
            }
            finally
            {
                await node.SendAsync(Signal.Continue);
            }
        }

        await node.ReadyAsync();
    });

    private static async Task<bool> WithRedisAsync(Arena arena, Func<RedisPair, Task> act)
    {
        var redis = arena.Cluster.Redis!;
        if (!redis.Gate.Wait(0)) return false;
        try
        {
            await act(redis);
            return true;
        }
        finally
        {
            redis.Gate.Release();
        }
    }

    private static Task<bool> RedisCrashAsync(Arena arena, Random random, Action<Struck> struck) => WithRedisAsync(arena, async redis =>
    {
        var lost = await redis.CrashAsync();
        struck(new(string.Create(CultureInfo.InvariantCulture, $"{redis.Primary.Name} ({lost} octets gone)"), ""));
        await arena.HoldAsync(random, 1, 10);
        await redis.RestartAsync();
        await redis.FollowAsync();
    });

    private static Task<bool> RedisFlushAsync(Arena arena, Random random, Action<Struck> struck) => WithRedisAsync(arena, async redis =>
    {
        await redis.FlushAsync();
        struck(new(redis.Primary.Name, ""));
    });

    private static Task<bool> RedisFailOverAsync(Arena arena, Random random, Action<Struck> struck) => WithRedisAsync(arena, async redis =>
    {
        var lag = TimeSpan.FromSeconds(3 + (random.NextDouble() * 7));
        await redis.FailOverAsync(lag);
        struck(new(string.Create(CultureInfo.InvariantCulture, $"{redis.Primary.Name} ({lag.TotalSeconds:f1} s behind)"), ""));
        await redis.FollowAsync();
    });

    private static Task<bool> AzuriteDownAsync(Arena arena, Random random, Action<Struck> struck) => WithAsync([arena.Cluster.Azurite!], random, async azurite =>
    {
        // Either nothing answers, or nothing listens.
        if (random.Next(2) == 0)
        {
            await azurite.SendAsync(Signal.Stop);
            struck(new("azurite (hangs)", "*"));
            await arena.HoldAsync(random, 5, 25);
            await azurite.SendAsync(Signal.Continue);
        }
        else
        {
            var code = await azurite.StopAsync(20);
            if (code == 137) throw new InvalidOperationException("azurite did not end in order: what it had acknowledged may be gone");
            struck(new("azurite (refuses)", "*"));
            await arena.HoldAsync(random, 5, 20);
            await azurite.StartAsync();
        }

        await azurite.ReadyAsync();
    });

    /// <summary>It runs for 100 ms of each second or so: every answer is late, and none is wrong.</summary>
    private static Task<bool> AzuriteSlowAsync(Arena arena, Random random, Action<Struck> struck) => WithAsync([arena.Cluster.Azurite!], random, async azurite =>
    {
        struck(new("azurite", "*"));
        for (var i = 0; i < 25 && !arena.LoadEnds.IsCancellationRequested; i++)
        {
            await azurite.SendAsync(Signal.Stop);
            await arena.HoldAsync(random, 0.3, 1.2);
            await azurite.SendAsync(Signal.Continue);
            await arena.HoldAsync(random, 0.05, 0.15);
        }
    });

    /// <summary>Where large messages gather there is no room for one.</summary>
    private static Task<bool> DiskFullAsync(Arena arena, Random random, Action<Struck> struck) => WithAsync(arena.Cluster.With("ingress"), random, async node =>
    {
        var filler = Path.Combine(Cluster.DataOf(node), "filler");
        try
        {
            await using (var file = new FileStream(filler, FileMode.Create, FileAccess.Write, FileShare.None, 0))
            {
                var block = new byte[64 * 1024];
                try
                {
                    while (true) await file.WriteAsync(block, CancellationToken.None);
                }
                catch (IOException)
                {
                    // No space left on device.
                }
            }

            struck(new(node.Name, node.Role == "all" ? "*" : ""));
            await arena.HoldAsync(random, 10, 25);
        }
        finally
        {
            File.Delete(filler);
        }

        await node.ReadyAsync();
    });

    private static async Task<bool> SinkDownAsync(Arena arena, Random random, Action<Struck> struck)
    {
        // One site, or the whole world.
        var sites = arena.Sink.World.Sites.Select(s => s.Name).ToList();
        if (random.Next(3) > 0) sites = [sites[random.Next(sites.Count)]];
        foreach (var site in sites) arena.Sink.Close(site);
        // A reset can overtake a reply that was noted as sent.
        struck(new(sites.Count == 1 ? sites[0] : "every site", "*"));
        await arena.HoldAsync(random, 8, 25);
        foreach (var site in sites) arena.Sink.Reopen(site);
        return true;
    }

    /// <summary>Two processes that need each other hear nothing of each other; all others hear both.</summary>
    private static async Task<bool> CutAsync(Arena arena, Random random, Action<Struck> struck)
    {
        var cluster = arena.Cluster;
        var silos = cluster.With("grains");
        var pairs = silos.SelectMany(s => cluster.Relays.Where(r => r.Role != "grains" || string.CompareOrdinal(s.Name, r.Name) < 0).Select(r => (One: s, Other: r)))
            .Concat(cluster.Relays.Where(r => r.Role != "api").Select(r => (One: r, Other: cluster.Azurite!)))
            .Concat(silos.Select(s => (One: s, Other: cluster.Redis!.Primary))).ToArray();
        random.Shuffle(pairs);
        foreach (var (one, other) in pairs)
        {
            var gate = other.Role == "redis" ? cluster.Redis!.Gate : other.Gate;
            if (!one.Gate.Wait(0)) continue;
            if (!gate.Wait(0))
            {
                one.Gate.Release();
                continue;
            }

            try
            {
                var address = other.Role == "redis" ? RedisPair.FloatingAddress : null;
                using (arena.Isolate(one.Name, other.Name))
                {
                    await cluster.Lan.CutAsync(one.Name, other.Name, address);
                    var egress = new[] { one, other }.FirstOrDefault(n => n.Role == "egress");
                    struck(new($"{one.Name} from {other.Name}", egress?.Name ?? (other.Role == "redis" || one.Role == "ingress" || other.Role == "ingress" || other.Role == "api" ? "" : "*")));
                    await arena.HoldAsync(random, 10, 40);
                    await cluster.Lan.HealAsync(one.Name, other.Name, address);
                }

                if (one.IsRelay) await one.ReadyAsync();
                if (other.IsRelay) await other.ReadyAsync();
                return true;
            }
            finally
            {
                gate.Release();
                one.Gate.Release();
            }
        }

        return false;
    }

    private static Task<bool> UnplugAsync(Arena arena, Random random, Action<Struck> struck) => WithAsync(arena.Cluster.Relays.Where(r => r.Role != "api"), random, async node =>
    {
        using (arena.Isolate(node.Name))
        {
            await arena.Cluster.Lan.UnplugAsync(node.Name);
            struck(new(node.Name, Doubles(node)));
            await arena.HoldAsync(random, 10, 40);
            await arena.Cluster.Lan.PlugAsync(node.Name);
        }

        await node.ReadyAsync();
    });

    private static IEnumerable<Node> Clocks(Arena arena) => arena.Cluster.Relays.Where(r => File.Exists(Cluster.ClockOf(r)));

    private static Task<bool> ClockAsync(Arena arena, Random random, Action<Struck> struck) => WithAsync(Clocks(arena), random, async node =>
    {
        var seconds = (random.Next(2) == 0 ? -1 : 1) * (int)Math.Pow(10, 1 + (random.NextDouble() * 4.5));
        await SetClockAsync(node, seconds);
        struck(new(string.Create(CultureInfo.InvariantCulture, $"{node.Name} ({seconds:+0;-0} s)"), Doubles(node)));
        await arena.HoldAsync(random, 15, 40);
        await SetClockAsync(node, 0);
        await node.ReadyAsync();
    });

    /// <summary>Replaced whole: the library reads the file at any moment.</summary>
    private static async Task SetClockAsync(Node node, int seconds)
    {
        var file = Cluster.ClockOf(node);
        await File.WriteAllTextAsync(file + ".new", string.Create(CultureInfo.InvariantCulture, $"{seconds:+0;-0;+0}\n"));
        File.Move(file + ".new", file, overwrite: true);
    }

    /// <summary>Every process of the relay is asked to end and comes back, one after the other. Nothing may be doubled by that.</summary>
    private static async Task<bool> RollingAsync(Arena arena, Random random, Action<Struck> struck)
    {
        struck(new("all", ""));
        var failures = new List<string>();
        foreach (var node in arena.Cluster.Relays)
        {
            // Whose fault it is now gives it back once it is ready again, or fails by itself: after the time that a start has, and its own.
            if (!await node.Gate.WaitAsync(TimeSpan.FromMinutes(5))) throw new TimeoutException($"rolling restart: {node.Name} is still another fault's");
            try
            {
                var code = await node.StopAsync();
                if (code != 0) failures.Add($"{node.Name} ended with code {code} after SIGTERM\n{node.Tail()}");
                await node.StartAsync();
            }
            finally
            {
                node.Gate.Release();
            }
        }

        if (failures.Count > 0) throw new InvalidOperationException(string.Join('\n', failures));
        return true;
    }
}
