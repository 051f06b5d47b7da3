using System.Text.Json;
using Angarium.Chaos.Accounting;
using Angarium.Chaos.Faults;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Traffic;

namespace Angarium.Chaos.Running;

/// <summary>
/// One seed: everything is started, loaded and struck; then all faults end, what is due is waited for, and the account is made from the books. One task; the folder keeps
/// books and logs, everything else ends with the process.
/// </summary>
internal static class ChaosRun
{
    private const int ConnectionsPerSite = 10;

    /// <summary>Short waits of every kind, so that minutes show what takes days. The sink's slowest reply takes 20 s: half a minute more and it is not coming.</summary>
    private static readonly Dictionary<string, string> settings = new()
    {
        ["Retry:Schedule"] = "1s,2s,5s,10s",
        ["Retry:Expire"] = "1d",
        ["Dns:Timeout"] = "2s",
        ["Egress:Site:Connections"] = ConnectionsPerSite.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["Egress:Site:ConnectionsPerMinute"] = "6000",
        ["Egress:Site:MessagesPerSecond"] = "1000",
        ["Egress:Site:Suspension"] = "1s",
        ["Egress:Site:MaxSuspension"] = "5s",
        ["Egress:Timeouts:Connect"] = "5s",
        ["Egress:Timeouts:Greeting"] = "20s",
        ["Egress:Timeouts:Ehlo"] = "20s",
        ["Egress:Timeouts:Mail"] = "20s",
        ["Egress:Timeouts:Rcpt"] = "20s",
        ["Egress:Timeouts:Data"] = "20s",
        ["Egress:Timeouts:Block"] = "20s",
        ["Egress:Timeouts:Dot"] = "50s",
    };

    private static readonly string[] clockRoles = ["grains", "ingress", "egress"];

    public static string ResultFile(string folder) => Path.Combine(folder, "result.json");

    public static async Task<int> RunAsync(RunOptions options, IReadOnlyList<Fault> kinds)
    {
        var folder = Directory.CreateDirectory(options.Folder).FullName;
        var began = DateTimeOffset.UtcNow;
        void Say(string line)
        {
            line = $"{(DateTimeOffset.UtcNow - began).TotalSeconds,6:f1}  {line}";
            lock (settings)
            {
                Console.WriteLine(line);
                File.AppendAllText(Path.Combine(folder, "run.log"), line + "\n");
            }
        }

        Say($"seed {options.Seed}: {string.Join(' ', options.Arguments)}");
        var world = new World(options.Seed);
        using var books = new Books(folder);
        Cluster? cluster = null;
        Arena? arena = null;
        Meters meters;
        Storm storm;
        Clients clients;
        Sink sink;
        try
        {
            var clock = kinds.Any(k => k.Name == "clock") ? clockRoles[options.Seed % clockRoles.Length] : null;
            cluster = await Cluster.StartAsync(options.IsAlone ? Shape.Alone : Shape.Usual, world, folder, settings, clock);
            sink = new Sink(world, books, address => Arena.PeerAt(address, cluster, arena));
            meters = new Meters(cluster.Relays);
            Say($"started: {string.Join(' ', cluster.All.Select(n => n.Name))}");

            using var load = new CancellationTokenSource();
            using var over = new CancellationTokenSource();
            arena = new Arena(cluster, sink, load.Token);
            clients = new Clients(world, books, cluster.With("ingress").Select(n => (n.Name, n.Address)).ToList(), senders: 32);
            storm = new Storm(kinds, options.Seed, options.Every, books, Say);
            var metering = meters.RunAsync(over.Token);
            var sending = clients.RunAsync(options.Rate, load.Token);
            var storming = storm.RunAsync(arena, TimeSpan.FromMinutes(options.Minutes));
            await ProgressAsync(clients, sink, TimeSpan.FromMinutes(options.Minutes), Say);
            await load.CancelAsync();
            await storming;
            await sending;
            Say($"load and faults are over: {clients.Acknowledged} acknowledged, {sink.Arrivals} arrived");
            await SettleAsync(clients, sink, TimeSpan.FromSeconds(options.Patience), Say);
            // Nothing tells that no second copy will come: a lease and its hold-off are over by then.
            await Task.Delay(TimeSpan.FromSeconds(options.Linger));
            await over.CancelAsync();
            await metering;
            await meters.ReadAsync();
        }
        catch (Exception e) when (e is TimeoutException or InvalidOperationException)
        {
            Say(e.Message);
            foreach (var node in cluster?.All ?? []) Console.WriteLine(node.Tail());
            return 2;
        }

        var (sends, arrivals, bounces, strikes) = Books.Read(folder);
        var account = Account.Of(sends, arrivals, bounces, strikes, await cluster.DeliveredAsync(arrivals), cluster.Waits(arrivals));
        var asked = await AskAsync(cluster, account);
        var report = new Report(options, account, strikes, storm, sink, meters, cluster, ConnectionsPerSite, asked);
        var isClean = report.Print(folder);
        await File.WriteAllTextAsync(ResultFile(folder), JsonSerializer.Serialize(new Result(options.Seed, account.Acknowledged, account.Delivered, account.Bounced, account.Unknown,
            account.Lost.Count, account.Doubled.Count, account.Doubled.Count(d => d.Fault is not null), storm.Counts.ToDictionary(), isClean)));
        return isClean ? 0 : 1;
    }

    private static async Task ProgressAsync(Clients clients, Sink sink, TimeSpan length, Action<string> say)
    {
        var end = DateTimeOffset.UtcNow + length;
        while (end - DateTimeOffset.UtcNow is { TotalMilliseconds: >= 1 } left)
        {
            await Task.Delay(left < TimeSpan.FromSeconds(10) ? left : TimeSpan.FromSeconds(10));
            say($"{clients.Acknowledged} acknowledged, {sink.Arrivals} arrived");
        }
    }

    /// <summary>Until every acknowledged recipient is accounted for, or nothing has arrived for so long that the rest will not.</summary>
    private static async Task SettleAsync(Clients clients, Sink sink, TimeSpan patience, Action<string> say)
    {
        var missing = clients.AcknowledgedRecipients.ToList();
        var (arrived, since, told) = (sink.Arrivals, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow);
        while (true)
        {
            missing.RemoveAll(sink.IsSettled);
            if (missing.Count == 0 || DateTimeOffset.UtcNow - since > patience) break;
            await Task.Delay(200);
            if (sink.Arrivals != arrived) (arrived, since) = (sink.Arrivals, DateTimeOffset.UtcNow);
            if (DateTimeOffset.UtcNow - told < TimeSpan.FromSeconds(10)) continue;
            told = DateTimeOffset.UtcNow;
            say($"{missing.Count} still due, {sink.Arrivals} arrived");
        }

        say($"{missing.Count} still due at the end");
    }

    /// <summary>What the relay says of what is lost: no part of the account, but the first thing that one wants to know.</summary>
    private static async Task<IReadOnlyList<string>> AskAsync(Cluster cluster, Account account)
    {
        var answers = new List<string>();
        foreach (var (send, recipient) in account.Lost.Take(5))
        {
            var id = send.Reply[^Math.Min(send.Reply.Length, 23)..];
            string[][] commands = [["trace", id], ["queue", "show", recipient.Split('@')[1]]];
            foreach (var command in commands)
            {
                var (_, output) = await cluster.CommandAsync(command);
                answers.Add($"{string.Join(' ', command)}: {output}");
            }
        }

        return answers;
    }
}
