using System.Globalization;
using Angarium.Integration.Harness;
using Angarium.TestKit.Servers;

namespace Angarium.Bench.Relays;

/// <summary>
/// The relay of this repository with its roles in processes of their own, over redis-server and the emulator of blob storage; what these two use is not counted to it. One ingress takes all.
/// </summary>
internal sealed class AngariumCluster(int silos, int egresses, string? executable = null) : IRelay
{
    private static readonly string[] s_roles = ["ingress", "grains", "egress", "api"];
    private readonly List<RelayProcess> processes = [];
    private RedisServer? redis;
    private Azurite? storage;

    public string Name => string.Create(CultureInfo.InvariantCulture, $"{silos} silos, {egresses} egress{(executable is null ? "" : " of " + Path.GetFileName(Path.GetDirectoryName(executable)))}");

    public double Share => 1;

    public int Port { get; private set; }

    public IReadOnlyCollection<int> Roots => [.. processes.Select(p => p.Id)];

    public async Task StartAsync(int sinkPort, string folder)
    {
        (redis, storage) = (await RedisServer.StartAsync(), await Azurite.StartAsync(isQuick: true));
        var secrets = s_roles.ToDictionary(r => r, r => $"secret-of-{r}-{Guid.NewGuid():N}");
        Dictionary<string, string> Own(string role) => new() { ["Roles"] = role, ["Cluster:Id"] = "bench", [$"Cluster:Secret:{role}"] = secrets[role], ["Egress:NextHop"] = $"127.0.0.1:{sinkPort}" };
        for (var i = 1; i <= silos; i++)
        {
            var silo = Own("grains");
            foreach (var (role, secret) in secrets) silo[$"Cluster:Secret:{role}"] = secret;
            (silo["Redis"], silo["Spool:Azure"], silo["Cluster:Advertise"]) = (redis.Address, storage.ConnectionString, "127.0.0.1");
            (silo["Cluster:SiloPort"], silo["Cluster:GatewayPort"]) = (Text(Ports.Free()), Text(Ports.Free()));
            processes.Add(await RelayProcess.StartAsync(silo, Path.Combine(folder, $"silo{i}"), executable));
        }

        for (var i = 1; i <= egresses; i++) processes.Add(await RelayProcess.StartAsync(await WithStorageAsync(Own("egress")), Path.Combine(folder, $"egress{i}"), executable));
        Port = Ports.Free();
        var ingress = await WithStorageAsync(Own("ingress"));
        (ingress["Ingress:Smtp:Listen"], ingress["Ingress:TrustedNetworks"]) = ($"127.0.0.1:{Port}", "127.0.0.0/8");
        processes.Add(await RelayProcess.StartAsync(ingress, Path.Combine(folder, "ingress"), executable));
    }

    public async Task<IReadOnlyDictionary<string, double>> CountersAsync()
    {
        var all = await Task.WhenAll(processes.Select(p => p.CountersAsync()));
        return all.SelectMany(c => c).GroupBy(c => c.Key).ToDictionary(g => g.Key, g => g.Sum(c => c.Value));
    }

    public async ValueTask DisposeAsync()
    {
        // What takes mail in first, what holds it last.
        foreach (var process in Enumerable.Reverse(processes)) await process.DisposeAsync();
        storage?.Dispose();
        if (redis is not null) await redis.DisposeAsync();
    }

    /// <summary>What a role may touch of the storage, as an operator gets it.</summary>
    private async Task<Dictionary<string, string>> WithStorageAsync(Dictionary<string, string> settings)
    {
        var keys = await RelayProcess.CommandAsync("storage", "keys", "--role", settings["Roles"], "--days", "2", "--set", "Spool:Azure=" + storage!.ConnectionString);
        foreach (var pair in keys.Split('\n').Select(l => l.Trim().Split('=', 2)).Where(p => p.Length == 2 && p[0].StartsWith("Spool:Containers:", StringComparison.Ordinal))) settings[pair[0]] = pair[1];
        return settings;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
