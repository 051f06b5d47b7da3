using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Angarium.Chaos.Accounting;
using Angarium.Chaos.Network;
using Angarium.Chaos.Traffic;
using Angarium.Host.Control;
using Angarium.Integration.Harness;
using Angarium.Spool.Ledger;
using Angarium.TestKit;

namespace Angarium.Chaos.Processes;

/// <summary>How many processes of each role there are. <see cref="Alone"/> = all roles in one, with the embedded stores.</summary>
internal sealed record Shape(int Ingresses, int Silos, int Egresses)
{
    public static Shape Alone { get; } = new(0, 0, 0);

    public static Shape Usual { get; } = new(2, 3, 2);

    public bool IsAlone => Ingresses == 0;
}

/// <summary>
/// All processes of a run, each on a host of its own: the relay's by role, and what they stand on (Redis, Azurite, DNS). Built once; any thread.
/// </summary>
internal sealed partial class Cluster
{
    public const string Account = "example";

    /// <summary>Under which its own certificate has the account.</summary>
    public const string StorageName = Account + ".blob.core.windows.net";

    /// <summary>The emulator's published key.</summary>
    private const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    public const string DnsAddress = "10.99.4.1";
    public const string AzuriteAddress = "10.99.3.1";
    public static string Executable => TestKit.Executable.Path;

    private readonly string folder;
    private readonly World world;
    private readonly List<Node> relays = [];
    private string? clockRole;
    private string[] zone = [];
    private Tuning tuning = new();

    private Cluster(Lan lan, string folder, World world)
    {
        Lan = lan;
        this.folder = folder;
        this.world = world;
    }

    /// <summary>The account of blob storage, as silos get it.</summary>
    public static string Storage => $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={AccountKey};BlobEndpoint=http://{AzuriteAddress}:10000/{Account};";

    public Lan Lan { get; }

    /// <summary>What went wrong at the start and yet let the rest go on.</summary>
    public List<string> Problems { get; } = [];

    public RedisPair? Redis { get; private set; }

    public Node? Azurite { get; private set; }

    public Node Dns { get; private set; } = null!;

    public IReadOnlyList<Node> Relays
    {
        get { lock (relays) return [.. relays]; }
    }

    public IEnumerable<Node> All => [.. Relays, Dns, .. Azurite is null ? [] : (Node[])[Azurite], .. Redis?.Nodes ?? []];

    public IReadOnlyList<Node> With(string role)
    {
        lock (relays) return relays.Where(n => !n.IsLeaving && (n.Role == role || n.Role == "all")).ToList();
    }

    /// <summary>File whose text says how far a process' clock is off; only those that have one can be stepped.</summary>
    public static string ClockOf(Node node) => Path.Combine(node.Folder, "clock");

    /// <summary>Small file system that a process' `Data` is on, where a disk can be full.</summary>
    public static string DataOf(Node node) => Path.Combine(node.Folder, "data");

    /// <param name="shape">How many of each.</param>
    /// <param name="world">Whom they serve.</param>
    /// <param name="folder">For all that they write.</param>
    /// <param name="settings">That all have in common.</param>
    /// <param name="clockRole">The last process of this role has a clock that can be stepped, at the price of much processor time; null = none.</param>
    /// <param name="tuning">What some processes have of their own; null = nothing.</param>
    public static async Task<Cluster> StartAsync(Shape shape, World world, string folder, IReadOnlyDictionary<string, string> settings, string? clockRole, Tuning? tuning = null)
    {
        var cluster = new Cluster(await Lan.CreateAsync(world.OwnAddresses), folder, world) { clockRole = clockRole, tuning = tuning ?? new() };
        await cluster.StartDnsAsync();
        if (shape.IsAlone) await cluster.AddRelayAsync("relay1", "all", "10.99.5.1", settings, clock: clockRole is not null);
        else await cluster.StartRolesAsync(shape, settings);
        // In the order in which a cluster is replaced: silos first.
        string[] order = ["grains", "ingress", "egress", "api", "all"];
        cluster.relays.Sort((a, b) => (Array.IndexOf(order, a.Role), a.Address).CompareTo((Array.IndexOf(order, b.Role), b.Address)));
        return cluster;
    }

    /// <summary>What relays stand on, and none of them: whoever starts those adds them.</summary>
    /// <param name="world">Whom they serve.</param>
    /// <param name="folder">For all that they write.</param>
    /// <param name="addresses">Of the harness, beside the world's.</param>
    /// <param name="records">Lines of the zone file, beside the world's.</param>
    /// <param name="storage">Certificate and key of blob storage, which takes tokens with them; null = neither it nor Redis is there.</param>
    public static async Task<Cluster> StartAroundAsync(World world, string folder, IEnumerable<string> addresses, IEnumerable<string> records, (string Certificate, string Key)? storage)
    {
        var cluster = new Cluster(await Lan.CreateAsync([.. world.OwnAddresses, .. addresses]), folder, world) { zone = [.. records] };
        await cluster.StartDnsAsync();
        if (storage is null) return cluster;
        var redis = RedisPair.StartAsync(cluster.Lan, folder);
        await cluster.StartAzuriteAsync(storage);
        cluster.Redis = await redis;
        return cluster;
    }

    /// <summary>A relay that somebody else made; it is to be started by them.</summary>
    public async Task AddAsync(Node node)
    {
        await Lan.AddAsync(node.Name, node.Address);
        lock (relays) relays.Add(node);
    }

    /// <summary>
    /// Times of the delivered records of each recipient that arrived twice, from the control socket that `angarium trace` asks: the relay's own word, for doubles only. A recipient is written to
    /// once in all, so its address tells which message is meant.
    /// </summary>
    public async Task<ILookup<string, DateTimeOffset>> DeliveredAsync(IReadOnlyList<Arrival> arrivals)
    {
        var records = new List<LedgerRecord>();
        if (With("api") is [var server, ..])
        {
            using var control = new ControlClient(DataOf(server));
            foreach (var ids in Accounting.Account.Copies(arrivals).Select(copy => copy.Second.MessageId).Where(id => id.Length > 0).Distinct().Chunk(ControlEndpoints.MaxMessages))
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
                foreach (var message in await AskAsync(control, ids, limit.Token)) records.AddRange(message.Records);
            }
        }

        // Only the first record of a recipient says who that is.
        var names = records.Where(r => r.Summary is not null).DistinctBy(r => r.Key).ToDictionary(r => r.Key, r => r.Summary!.Recipient);
        return records.Where(r => r.Kind == LedgerKind.Delivered).ToLookup(r => names.GetValueOrDefault(r.Key) ?? "", r => r.Time.ToDateTimeOffset());
    }

    /// <summary>
    /// From asking for a doubled recipient to its MAIL, by the words of the worker that sent it; the longest where it sent it more than once. From the same places as the records, for the same purpose.
    /// </summary>
    public Func<Arrival, TimeSpan> Waits(IReadOnlyList<Arrival> arrivals)
    {
        var seconds = new Dictionary<(string Peer, string Recipient), double>();
        foreach (var peer in Accounting.Account.Copies(arrivals).Select(c => c.Second).GroupBy(a => a.Peer))
        {
            var recipients = peer.Select(a => a.Recipient).ToHashSet(StringComparer.Ordinal);
            if (Relays.FirstOrDefault(r => r.Name == peer.Key) is not { } node) continue;
            foreach (var line in File.ReadLines(node.Log))
            {
                if (AttemptLine().Match(line) is not { Success: true } attempt) continue;
                var waited = double.Parse(attempt.Groups["waited"].ValueSpan, CultureInfo.InvariantCulture);
                foreach (var recipient in attempt.Groups["recipients"].Value.Split(',').Where(recipients.Contains))
                    seconds[(peer.Key, recipient)] = Math.Max(waited, seconds.GetValueOrDefault((peer.Key, recipient)));
            }
        }

        return arrival => TimeSpan.FromSeconds(seconds.GetValueOrDefault((arrival.Peer, arrival.Recipient)));
    }

    [GeneratedRegex(@" Attempt message=\S+ recipient=(?<recipients>\S+) .* waited=(?<waited>[0-9.]+)s ")]
    private static partial Regex AttemptLine();

    /// <summary>Silos that were killed a moment ago may still be asked, and then the command says so: it is given again.</summary>
    private static async Task<MessageTrace[]> AskAsync(ControlClient control, string[] ids, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await control.GetAsync<MessageTrace[]>($"trace/{string.Join(',', ids)}", cancellationToken);
            }
            catch (CommandException) when (tries < 60)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
            }
        }
    }

    /// <summary>One of the executable's own commands, as an operator gives it.</summary>
    public Task<(int Code, string Output)> CommandAsync(params string[] arguments) =>
        relays.FirstOrDefault(r => r.Role is "api" or "all") is { } server
            ? Child.RunAsync(Executable, [.. arguments, "--config", ConfigOf(server)], TimeSpan.FromSeconds(60))
            : Task.FromResult((1, "no process serves commands"));

    private async Task StartRolesAsync(Shape shape, IReadOnlyDictionary<string, string> settings)
    {
        var redis = RedisPair.StartAsync(Lan, folder);
        await StartAzuriteAsync();
        Redis = await redis;
        var secrets = ((string[])["ingress", "grains", "egress", "api"]).ToDictionary(r => r, r => $"secret-of-{r}-{Guid.NewGuid():N}");
        var account = Storage;
        Dictionary<string, string> Own(string role) => new(settings) { ["Cluster:Id"] = "chaos", [$"Cluster:Secret:{role}"] = secrets[role] };
        var silo = new Dictionary<string, string>(Own("grains")) { ["Redis"] = $"{RedisPair.FloatingAddress}:6379,abortConnect=false", ["Spool:Azure"] = account };
        foreach (var (role, secret) in secrets) silo[$"Cluster:Secret:{role}"] = secret;
        // Asked for while the silos start: three processes that are waited for by nobody.
        var keys = ((string[])["ingress", "egress", "api"]).ToDictionary(r => r, r => StorageAsync(r, account));
        await Task.WhenAll(Enumerable.Range(1, shape.Silos).Select(i =>
            AddRelayAsync($"silo{i}", "grains", $"10.99.6.{i}", new Dictionary<string, string>(silo) { ["Cluster:Advertise"] = $"10.99.6.{i}" }, clock: i == shape.Silos && clockRole == "grains")));

        async Task AddAsync(string role, int count, int net)
        {
            var own = Own(role);
            foreach (var (name, value) in await keys[role]) own[name] = value;
            await Task.WhenAll(Enumerable.Range(1, count).Select(i => AddRelayAsync($"{role}{i}", role, $"10.99.{net}.{i}", own, clock: i == count && role == clockRole)));
        }

        await Task.WhenAll(AddAsync("ingress", shape.Ingresses, 5), AddAsync("egress", shape.Egresses, 7));
        try
        {
            await AddAsync("api", 1, 8);
        }
        catch (TimeoutException e)
        {
            // Mail does not need it; the account of doubles does.
            Problems.Add(e.Message);
            relays.RemoveAll(r => r.Role == "api");
        }
    }

    /// <summary>What a role may touch of the storage, as an operator gets it.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> StorageAsync(string role, string account)
    {
        var (code, output) = await Child.RunAsync(Executable, ["storage", "keys", "--role", role, "--days", "2", "--set", "Spool:Azure=" + account], TimeSpan.FromSeconds(60));
        var keys = output.Split('\n').Select(l => l.Trim().Split('=', 2)).Where(p => p.Length == 2 && p[0].StartsWith("Spool:Containers:", StringComparison.Ordinal)).ToDictionary(p => p[0], p => p[1].Trim());
        if (code != 0 || keys.Count == 0) throw new InvalidOperationException($"angarium storage keys --role {role}: code {code}\n{output}");
        return keys;
    }

    private async Task AddRelayAsync(string name, string role, string address, IReadOnlyDictionary<string, string> settings, bool clock)
    {
        var environment = new Dictionary<string, string> { ["DOTNET_ENVIRONMENT"] = "Production", ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_gcServer"] = "0" };
        var own = Path.Combine(folder, name);
        foreach (var (variable, value) in tuning.Environment(role)) environment[variable] = value;
        var node = new Node(name, role, address, own, [.. tuning.Wrapper(role), Executable, "serve", "--config", Path.Combine(own, "angarium.json")], environment,
            stop => Probes.HttpAsync(address, 9464, "/readyz", stop), patience: 180);
        if (clock && FakeTime() is { } library)
        {
            await File.WriteAllTextAsync(ClockOf(node), "+0\n");
            environment["LD_PRELOAD"] = library;
            environment["FAKETIME_TIMESTAMP_FILE"] = ClockOf(node);
            environment["FAKETIME_CACHE_DURATION"] = "1";
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1";
            // With that, which it takes for needed with this C library, no wait for a time ever waits: every thread with one spins, on a core of its own.
            environment["FAKETIME_FORCE_MONOTONIC_FIX"] = "0";
            // Every look at the clock takes a lock there, and threads that spin look often.
            environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0";
        }

        Directory.CreateDirectory(DataOf(node));
        if (role is "ingress" or "all") await Lan.CommandAsync("mount", "-t", "tmpfs", "-o", role == "all" ? "size=2g,mode=0700" : "size=32m,mode=0700", "tmpfs", DataOf(node));
        var all = new Dictionary<string, string>(settings)
        {
            ["Data"] = DataOf(node),
            ["Hostname"] = name + ".test",
            ["Ingress:Smtp:Listen"] = $"{address}:25",
            ["Ingress:TrustedNetworks"] = world.TrustedNetworks,
            ["Admin:Listen"] = $"{address}:9464",
            ["Http:Listen"] = "",
            ["Dns:Servers"] = DnsAddress,
            ["Egress:AllowedNetworks"] = Lan.Network,
        };
        if (role != "all") all["Roles"] = role;
        foreach (var (setting, value) in tuning.Settings(role)) all[setting] = value;
        await File.WriteAllTextAsync(ConfigOf(node), JsonSerializer.Serialize(all));
        await Lan.AddAsync(name, address);
        lock (relays) relays.Add(node);
        await node.StartAsync();
    }

    /// <summary>Puts lines of a zone file into the DNS, beside those of the start; it is started anew with them.</summary>
    public async Task PublishAsync(IEnumerable<string> lines)
    {
        await Dns.KillAsync();
        await WriteZoneAsync(lines);
        await Dns.StartAsync();
    }

    private async Task WriteZoneAsync(IEnumerable<string> lines)
    {
        var own = Directory.CreateDirectory(Path.Combine(folder, "dns")).FullName;
        await File.WriteAllTextAsync(Path.Combine(own, "unbound.conf"), $"""
            server:
              interface: {DnsAddress}
              access-control: {Lan.Network} allow
              do-daemonize: no
              username: ""
              chroot: ""
              pidfile: "{own}/unbound.pid"
              use-syslog: no
              logfile: ""
              module-config: "iterator"
              local-zone: "." static
            {string.Join('\n', world.Records().Concat(zone).Concat(lines).Select(r => $"  local-data: '{r}'"))}
            remote-control:
              control-enable: no
            """);
    }

    private async Task StartDnsAsync()
    {
        await WriteZoneAsync([]);
        var own = Path.Combine(folder, "dns");
        Dns = new Node("dns", "dns", DnsAddress, own, ["nice", "-n", "-5", "/usr/sbin/unbound", "-d", "-p", "-c", Path.Combine(own, "unbound.conf")], new Dictionary<string, string>(), stop => Probes.DnsAsync(DnsAddress, stop));
        await Lan.AddAsync("dns", DnsAddress);
        await Dns.StartAsync();
    }

    private async Task StartAzuriteAsync((string Certificate, string Key)? tls = null)
    {
        var own = Directory.CreateDirectory(Path.Combine(folder, "azurite")).FullName;
        var environment = new Dictionary<string, string> { ["AZURITE_SAVE_SECONDS"] = tuning.StorageSavesEvery.TotalSeconds.ToString(CultureInfo.InvariantCulture), ["AZURITE_ACCOUNTS"] = $"{Account}:{AccountKey}" };
        string[] port = ["--blobPort", "10000"];
        if (tls is { } given)
        {
            var (certificate, key) = (Path.Combine(own, "tls.crt"), Path.Combine(own, "tls.key"));
            await File.WriteAllTextAsync(certificate, given.Certificate);
            await File.WriteAllTextAsync(key, given.Key);
            port = ["--blobPort", "443", "--cert", certificate, "--key", key, "--oauth", "basic"];
            environment["AZURITE_PLAIN"] = "10000";
        }

        Azurite = new Node("azurite", "azurite", AzuriteAddress, own,
            ["nice", "-n", "-5", "node", "--require", Repository.Path("tests", "tools", "azurite-lazy.cjs"), Repository.Path("tests", "tools", "node_modules", "azurite", "dist", "src", "blob", "main.js"), "--blobHost", "0.0.0.0", .. port, "--location", Path.Combine(own, "data"),
                "--skipApiVersionCheck", "--disableTelemetry", .. tuning.LogsStorage ? (string[])[] : ["--silent"]],
            environment, stop => Probes.HttpAsync(AzuriteAddress, 10000, "/", stop, anyStatus: true));
        await Lan.AddAsync("azurite", AzuriteAddress);
        await Azurite.StartAsync();
    }

    public static string ConfigOf(Node node) => Path.Combine(node.Folder, "angarium.json");

    private static string? FakeTime() =>
        Directory.GetDirectories("/usr/lib", "*-linux-gnu*").Select(f => Path.Combine(f, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists);
}
