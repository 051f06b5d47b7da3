using System.Globalization;
using System.Text;
using Angarium.Chaos.Network;

namespace Angarium.Chaos.Processes;

/// <summary>
/// Two Redis servers behind one floating address: a primary that writes its log every second, and a replica. What a crash takes with it is cut off the log by hand, since
/// the kernel of this machine never loses a page. One fault at a time.
/// </summary>
internal sealed class RedisPair
{
    public const string FloatingAddress = "10.99.2.10";

    private readonly Lan lan;
    private Node primary, replica;

    private RedisPair(Lan lan, Node primary, Node replica)
    {
        this.lan = lan;
        this.primary = primary;
        this.replica = replica;
    }

    public SemaphoreSlim Gate { get; } = new(1, 1);

    public IEnumerable<Node> Nodes => [primary, replica];

    public static async Task<RedisPair> StartAsync(Lan lan, string folder)
    {
        var nodes = new List<Node>();
        for (var i = 1; i <= 2; i++)
        {
            var (name, address) = ($"redis{i}", $"10.99.2.{i}");
            await lan.AddAsync(name, address);
            var own = Path.Combine(folder, name);
            nodes.Add(new Node(name, "redis", address, own, ["nice", "-n", "-5", "redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--port", "6379", "--dir", own, "--appendonly", "yes",
                "--appendfsync", "everysec", "--aof-timestamp-enabled", "yes", "--save", "", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", "--repl-timeout", "60"],
                new Dictionary<string, string>(), async stop => await Probes.RedisAsync(address, "PING", stop) == "+PONG"));
        }

        await Task.WhenAll(nodes.Select(n => n.StartAsync()));
        await lan.MoveAsync(FloatingAddress, null, nodes[0].Name);
        var pair = new RedisPair(lan, nodes[0], nodes[1]);
        await pair.FollowAsync();
        return pair;
    }

    /// <summary>kill -9 of the primary, and what it had written in its last second is gone. The octets lost.</summary>
    public async Task<long> CrashAsync()
    {
        await primary.KillAsync();
        return Forget(primary.Folder, DateTimeOffset.UtcNow.AddSeconds(-1));
    }

    public Task RestartAsync() => primary.StartAsync();

    public Node Primary => primary;

    public async Task FlushAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var reply = await Probes.RedisAsync(primary.Address, "FLUSHALL", limit.Token);
        if (reply != "+OK") throw new InvalidOperationException($"FLUSHALL: {reply}");
    }

    /// <summary>The replica stops hearing of the primary, which then dies: the replica takes its place as of <paramref name="lag"/> ago.</summary>
    public async Task FailOverAsync(TimeSpan lag)
    {
        await lan.CutAsync(primary.Name, replica.Name);
        try
        {
            await Task.Delay(lag);
        }
        finally
        {
            await primary.KillAsync();
            await CommandAsync(replica, "REPLICAOF NO ONE");
            await lan.MoveAsync(FloatingAddress, primary.Name, replica.Name);
            await lan.HealAsync(primary.Name, replica.Name);
            (primary, replica) = (replica, primary);
        }
    }

    /// <summary>The dead one comes back as the other's replica and catches up.</summary>
    public async Task FollowAsync()
    {
        if (!replica.IsRunning) await replica.StartAsync();
        await CommandAsync(replica, $"REPLICAOF {primary.Address} 6379");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!(await Probes.RedisAsync(replica.Address, "INFO replication", limit.Token)).Contains("master_link_status:up", StringComparison.Ordinal)) await Task.Delay(100, limit.Token);
    }

    private static async Task CommandAsync(Node node, string command)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var reply = await Probes.RedisAsync(node.Address, command, limit.Token);
        if (!reply.StartsWith("+OK", StringComparison.Ordinal)) throw new InvalidOperationException($"{node.Name}: {command}: {reply}");
    }

    /// <summary>Cuts the log at the last of Redis' own marks (`#TS:`, one before the first command of a second) that is not after <paramref name="until"/>: a mark never stands within a transaction.</summary>
    internal static long Forget(string folder, DateTimeOffset until)
    {
        var file = Directory.GetFiles(Path.Combine(folder, "appendonlydir"), "*.incr.aof").OrderBy(f => f.Length).ThenBy(f => f, StringComparer.Ordinal).Last();
        var log = File.ReadAllBytes(file).AsSpan();
        var mark = "#TS:"u8;
        for (var end = log.Length; end > 0;)
        {
            var at = log[..end].LastIndexOf(mark);
            if (at < 0) break;
            var line = log[(at + mark.Length)..];
            var length = Math.Max(line.IndexOf((byte)'\r'), 0);
            if (long.TryParse(Encoding.ASCII.GetString(line[..length]), CultureInfo.InvariantCulture, out var seconds) && seconds <= until.ToUnixTimeSeconds())
            {
                using var open = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
                RandomAccess.SetLength(open, at);
                return log.Length - at;
            }

            end = at;
        }

        return 0;
    }
}
