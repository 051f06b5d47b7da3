using Angarium.Integration.Harness;

namespace Angarium.Chaos.Network;

/// <summary>
/// The network of a run: a bridge in the harness' own network namespace, and a namespace with one address for each process. A pair is cut by telling each side a hardware
/// address for the other that nobody has: packets vanish without a word, as on a broken path. Nothing leaves the machine, and all of it goes with the harness.
/// Needs root. Any thread.
/// </summary>
internal sealed class Lan
{
    /// <summary>What everything here lives in.</summary>
    public const string Network = "10.99.0.0/16";

    public const string Harness = "10.99.0.1";

    private const string Bridge = "lan", Nowhere = "02:00:00:00:00:01", Own = "02:00:00:00:00:02";
    private readonly Dictionary<string, string> addresses = new() { [""] = Harness };

    private Lan()
    {
    }

    public static async Task<Lan> CreateAsync(IEnumerable<string> ownAddresses)
    {
        // `ip netns` binds names under /run/netns: a file system of our own there keeps them ours.
        Directory.CreateDirectory("/run/netns");
        await CommandAsync("mount", "-t", "tmpfs", "tmpfs", "/run/netns");
        await IpAsync("link", "set", "lo", "up");
        // An address of its own: else it has the lowest of its ports', another one when a host joins, and whoever knows the old one talks to nobody for up to a minute.
        await IpAsync("link", "add", Bridge, "address", Own, "type", "bridge");
        foreach (var address in ownAddresses.Prepend(Harness)) await IpAsync("addr", "add", address + "/16", "dev", Bridge);
        await IpAsync("link", "set", Bridge, "up");
        return new Lan();
    }

    public async Task AddAsync(string host, string address)
    {
        addresses.Add(host, address);
        await IpAsync("netns", "add", host);
        await IpAsync("link", "add", "v-" + host, "type", "veth", "peer", "name", "eth0", "netns", host);
        await IpAsync("link", "set", "v-" + host, "master", Bridge, "up");
        await IpAsync("-n", host, "link", "set", "lo", "up");
        await IpAsync("-n", host, "addr", "add", address + "/16", "dev", "eth0");
        await IpAsync("-n", host, "link", "set", "eth0", "up");
    }

    /// <summary>One more address of a host.</summary>
    public Task HoldAsync(string host, string address) =>
        IpAsync(["-n", host, "addr", "add", .. address.Contains(':', StringComparison.Ordinal) ? (string[])[address + "/64", "dev", "eth0", "nodad"] : [address + "/16", "dev", "eth0"]]);

    /// <summary>What to put before a command so that it runs on this host.</summary>
    public static string[] On(string host) => ["ip", "netns", "exec", host];

    /// <param name="one">A host.</param>
    /// <param name="other">The other.</param>
    /// <param name="address">Under which the first knows the other; null = its own.</param>
    public async Task CutAsync(string one, string other, string? address = null)
    {
        await IpAsync("-n", one, "neigh", "replace", address ?? addresses[other], "lladdr", Nowhere, "dev", "eth0", "nud", "permanent");
        await IpAsync("-n", other, "neigh", "replace", addresses[one], "lladdr", Nowhere, "dev", "eth0", "nud", "permanent");
    }

    public async Task HealAsync(string one, string other, string? address = null)
    {
        await IpAsync("-n", one, "neigh", "del", address ?? addresses[other], "dev", "eth0");
        await IpAsync("-n", other, "neigh", "del", addresses[one], "dev", "eth0");
    }

    /// <summary>Takes a host off the network, without a word to anybody.</summary>
    public Task UnplugAsync(string host) => IpAsync("link", "set", "v-" + host, "down");

    public Task PlugAsync(string host) => IpAsync("link", "set", "v-" + host, "up");

    /// <summary>Gives a floating address to a host; everyone forgets where it was.</summary>
    public async Task MoveAsync(string address, string? from, string to)
    {
        if (from is not null) await IpAsync("-n", from, "addr", "del", address + "/16", "dev", "eth0");
        await IpAsync("-n", to, "addr", "add", address + "/16", "dev", "eth0");
        foreach (var host in addresses.Keys.Where(h => h.Length > 0)) await IpAsync("-n", host, "neigh", "flush", "to", address, "dev", "eth0");
        await IpAsync("neigh", "flush", "to", address, "dev", Bridge);
    }

    private static Task IpAsync(params string[] arguments) => CommandAsync("ip", arguments);

    public static async Task CommandAsync(string file, params string[] arguments)
    {
        var (code, output) = await Child.RunAsync(file, arguments, TimeSpan.FromSeconds(20));
        if (code != 0) throw new InvalidOperationException($"{file} {string.Join(' ', arguments)}: {output}");
    }
}
