using System.Globalization;
using Angarium.Chaos.Accounting;
using Angarium.Chaos.Faults;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Traffic;
using Angarium.Host.Cluster;
using Azure.Storage.Blobs;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// What a scenario plays on: cluster, receivers and books, its steps, and waits on what can be seen from outside. Steps run one after the other; the rest from any thread.
/// </summary>
internal sealed class Stage(string folder, bool isFull)
{
    /// <summary>How long it takes until nothing of what a fault held up can still be sent: a lease, and the hold-off of an activation.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(400);

    private static readonly TimeSpan interval = TimeSpan.FromMilliseconds(200);
    private readonly DateTimeOffset began = DateTimeOffset.UtcNow;
    private readonly Lock gate = new();
    private Arena? arena;

    /// <summary>Those of every scenario.</summary>
    public static IReadOnlyDictionary<string, string> Settings { get; } = new Dictionary<string, string>
    {
        ["Retry:Expire"] = "1d",
        ["Dns:Timeout"] = "2s",
        ["Egress:Site:Connections"] = "10",
        ["Egress:Site:ConnectionsPerMinute"] = "6000",
        ["Egress:Site:MessagesPerSecond"] = "2000",
        ["Egress:Site:Suspension"] = "1s",
        ["Egress:Site:MaxSuspension"] = "5s",
        ["Egress:Timeouts:Connect"] = "5s",
        ["Egress:Timeouts:Dot"] = "50s",
    };

    public bool IsFull => isFull;

    public string Folder => folder;

    public World World { get; private set; } = null!;

    public Cluster Cluster { get; private set; } = null!;

    public Sink Sink { get; private set; } = null!;

    public Books Books { get; } = new(folder);

    public Post Post { get; private set; } = null!;

    public int Failures { get; private set; }

    public async Task OpenAsync(Scenario scenario)
    {
        World = new World(1, scenario.DomainsPerSite(isFull), isCalm: true);
        var settings = new Dictionary<string, string>(Settings);
        foreach (var (name, value) in scenario.Settings(isFull)) settings[name] = value;
        Cluster = await scenario.StartAsync(World, folder, settings);
        if (Cluster.Problems.Count > 0) throw new InvalidOperationException(string.Join('\n', Cluster.Problems));
        Sink = new Sink(World, Books, address => Arena.PeerAt(address, Cluster, arena));
        arena = new Arena(Cluster, Sink, CancellationToken.None);
        Post = new Post(World, Books, () => Cluster.With("ingress"));
        Say($"started: {string.Join(' ', Cluster.All.Select(n => n.Name))}");
    }

    /// <summary>One step; <paramref name="act"/> returns its figures and throws when what it shows is not so.</summary>
    public async Task StepAsync(string name, Func<Task<string>> act)
    {
        Say(name);
        try
        {
            Say($"{ScenarioRun.Pass}{name}: {await act()}");
        }
        catch (Exception e)
        {
            Failures++;
            Say($"{ScenarioRun.Fail}{name}: {(e is StepException or TimeoutException ? e.Message : e.ToString())}");
        }
    }

    public void Say(string line)
    {
        line = string.Create(CultureInfo.InvariantCulture, $"{(DateTimeOffset.UtcNow - began).TotalSeconds,6:f1}  {line}");
        lock (gate)
        {
            Console.WriteLine(line);
            File.AppendAllText(Path.Combine(folder, "run.log"), line + "\n");
        }
    }

    public void ShowLogs()
    {
        foreach (var node in Cluster?.All ?? []) Say(node.Tail(8));
    }

    public static void Require(bool isSo, string otherwise)
    {
        if (!isSo) throw new StepException(otherwise);
    }

    /// <summary>Until it is so; how long that took. Nothing tells of it from outside: looked at five times a second.</summary>
    public static async Task<TimeSpan> UntilAsync(Func<Task<bool>> isSo, TimeSpan within, Func<string> what)
    {
        var since = DateTimeOffset.UtcNow;
        while (true)
        {
            try
            {
                if (await isSo()) return DateTimeOffset.UtcNow - since;
            }
            catch (Exception e) when (e is IOException or HttpRequestException or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                // Not to be asked just now.
            }

            Require(DateTimeOffset.UtcNow - since < within, $"not within {within.TotalSeconds} s: {what()}");
            await Task.Delay(interval);
        }
    }

    /// <summary>Until every acknowledged recipient that <paramref name="counts"/> has arrived, or was named by a notice.</summary>
    public Task<TimeSpan> SettledAsync(Func<string, bool>? counts = null, TimeSpan? within = null)
    {
        var missing = Post.Acknowledged.Where(r => counts?.Invoke(r) ?? true).ToList();
        return UntilAsync(() => Task.FromResult(missing.RemoveAll(Sink.IsSettled) >= 0 && missing.Count == 0), within ?? Patience, () => $"{missing.Count} are still due: {string.Join(' ', missing.Take(5))}");
    }

    /// <summary>Until each of these was tried once at least.</summary>
    public Task<TimeSpan> TriedAsync(IReadOnlyList<string> recipients, TimeSpan? within = null)
    {
        var missing = recipients.ToList();
        return UntilAsync(() => Task.FromResult(missing.RemoveAll(r => Sink.Attempts(r) > 0) >= 0 && missing.Count == 0), within ?? Patience, () => $"{missing.Count} were not tried yet");
    }

    /// <summary>Recipients in the index, counted in Redis itself.</summary>
    public async Task<long> QueuedAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var reply = await Probes.RedisAsync(Cluster.Redis!.Primary.Address,
            "EVAL \"local s=0 for _,k in ipairs(redis.call('keys','*:q:*')) do s=s+redis.call('zcard',k) end return s\" 0", limit.Token);
        return reply.StartsWith(':') ? long.Parse(reply[1..], CultureInfo.InvariantCulture) : throw new IOException(reply);
    }

    /// <summary>Silos that the membership document calls active, in the order of their names.</summary>
    public static async Task<IReadOnlyList<string>> ActiveSilosAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var content = await new BlobClient(Cluster.Storage, "angarium-cluster", "membership").DownloadContentAsync(limit.Token);
        var document = MembershipDocument.Decode(content.Value.Content.ToMemory(), "chaos");
        return document.Silos.Where(s => s.Status == SiloStatus.Active).Select(s => s.Silo).Order(StringComparer.Ordinal).ToList();
    }

    /// <summary>Silos to which this one holds a connection on their ports for each other.</summary>
    public static async Task<int> NeighboursAsync(Node silo)
    {
        var (_, output) = await Integration.Harness.Child.RunAsync("ip", ["netns", "exec", silo.Name, "ss", "-tnH", "state", "established", "( sport = :11111 or dport = :11111 )"], TimeSpan.FromSeconds(20));
        return output.Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(f => f.Length >= 4).Select(f => f[3].Split(':')[0]).Where(a => a != silo.Address).Distinct().Count();
    }

    /// <summary>How the recipients that <paramref name="counts"/> went through between two moments.</summary>
    public Passage PassageOf(DateTimeOffset from, DateTimeOffset to, Func<string, bool> counts)
    {
        var (sends, arrivals, _, _) = Books.Read(folder);
        var answers = sends.Where(s => s.Outcome == SendOutcome.Acknowledged && counts(s.Recipients[0]) && s.Ended >= from && s.Ended <= to).ToList();
        var taken = arrivals.Where(a => a.Number > 0 && counts(a.Recipient)).ToLookup(a => a.Recipient, a => a.Dot);
        var dots = taken.SelectMany(t => t).Where(t => t >= from && t <= to).ToList();
        return new Passage(answers.Count, dots.Count, Pause(answers.Select(a => a.Ended)), Pause(dots),
            answers.Select(a => taken[a.Recipients[0]].DefaultIfEmpty(to).Min() - a.Ended).DefaultIfEmpty().Max());

        TimeSpan Pause(IEnumerable<DateTimeOffset> times)
        {
            var ordered = times.Append(from).Append(to).Order().ToList();
            return ordered.Zip(ordered.Skip(1), (a, b) => b - a).Max();
        }
    }

    /// <summary>What the sink took so far, in its order.</summary>
    public IReadOnlyList<Arrival> Arrivals() => Books.Read(folder).Arrivals;

    public void Note(string kind, string victim, string doubles, DateTimeOffset start) => Books.Note(new Strike(kind, victim, doubles, start, DateTimeOffset.UtcNow));

    /// <summary>The account of all that was sent so far: nothing lost, nothing doubled beyond the bound.</summary>
    public async Task<string> AccountAsync()
    {
        var (sends, arrivals, bounces, strikes) = Books.Read(folder);
        var account = Account.Of(sends, arrivals, bounces, strikes, await Cluster.DeliveredAsync(arrivals), Cluster.Waits(arrivals));
        var wrong = account.Doubled.Where(d => d.Fault is not null).ToList();
        Require(account.Lost.Count == 0, $"{account.Lost.Count} lost: {string.Join(' ', account.Lost.Take(5).Select(l => l.Recipient + " " + l.Send.Reply))}");
        Require(wrong.Count == 0, $"{wrong.Count} doubled: {string.Join("; ", wrong.Take(5).Select(d => $"{d.First.Recipient} {d.First.MessageId} {d.First.Dot:HH:mm:ss.fff} {d.First.Peer}, {d.Second.Began:HH:mm:ss.fff} {d.Second.Peer}: {d.Fault}"))}");
        Require(account.IsClean, $"{account.Contradicted.Count} delivered and yet bounced, {account.Damaged.Count} damaged");
        return $"{account.Acknowledged} recipients acknowledged, {account.Delivered} delivered, {account.Bounced} bounced, {account.Refused} refused, {account.Unknown} unanswered, {account.Doubled.Count} doubled (excused)";
    }
}
