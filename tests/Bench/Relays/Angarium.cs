using Angarium.Integration.Harness;

namespace Angarium.Bench.Relays;

/// <summary>The relay of this repository in one process: every message on disk before its 250.</summary>
/// <param name="settings">Beside those that it needs.</param>
/// <param name="name">In tables.</param>
/// <param name="executable">Of another build; null = of this one.</param>
internal sealed class Angarium(IReadOnlyDictionary<string, string>? settings = null, string name = "angarium", string? executable = null) : IRelay
{
    private RelayProcess? process;

    public string Name => name;

    public double Share => 1;

    public int Port { get; private set; }

    public IReadOnlyCollection<int> Roots => process is { } running ? [running.Id] : [];

    public async Task StartAsync(int sinkPort, string folder)
    {
        Port = Ports.Free();
        var all = new Dictionary<string, string> { ["Ingress:Smtp:Listen"] = $"127.0.0.1:{Port}", ["Ingress:TrustedNetworks"] = "127.0.0.0/8", ["Egress:NextHop"] = $"127.0.0.1:{sinkPort}" };
        foreach (var (name, value) in settings ?? new Dictionary<string, string>()) all[name] = value;
        process = await RelayProcess.StartAsync(all, folder, executable);
    }

    public Task<IReadOnlyDictionary<string, double>> CountersAsync() => process!.CountersAsync();

    public ValueTask DisposeAsync() => process?.DisposeAsync() ?? default;
}
