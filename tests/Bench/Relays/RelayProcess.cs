using System.Globalization;
using System.Text.Json;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Relays;

/// <summary>One process of the relay of this repository, with production's defaults: its configuration, data and log in a folder of its own, and its counters. Ended by SIGTERM.</summary>
internal sealed class RelayProcess : IAsyncDisposable
{
    private readonly Child process;
    private readonly int adminPort;

    private RelayProcess(Child process, int adminPort) => (this.process, this.adminPort) = (process, adminPort);

    public int Id => process.Id;

    /// <param name="settings">Beside `Data` and the addresses of its pages.</param>
    /// <param name="folder">Its own.</param>
    /// <param name="executable">Of another build, to compare with; null = of this one.</param>
    public static async Task<RelayProcess> StartAsync(IReadOnlyDictionary<string, string> settings, string folder, string? executable = null)
    {
        Directory.CreateDirectory(folder);
        var adminPort = Ports.Free();
        var all = new Dictionary<string, string>(settings)
        {
            ["Data"] = Path.Combine(folder, "data"), ["Hostname"] = "relay.bench.test", ["Admin:Listen"] = $"127.0.0.1:{adminPort}",
        };
        all.TryAdd("Http:Listen", "");
        var config = Path.Combine(folder, "angarium.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(all));
        // Its log goes to a file, as a supervisor would have it.
        var process = new Child("sh", ["-c", "exec \"$@\" >\"$0\" 2>&1", Path.Combine(folder, "log"), executable ?? TestKit.Executable.Path, "serve", "--config", config], new Dictionary<string, string> { ["DOTNET_ENVIRONMENT"] = "Production" });
        try
        {
            await Ready.AnswersAsync(new Uri($"http://127.0.0.1:{adminPort}/readyz"), process);
            return new RelayProcess(process, adminPort);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>One of the executable's own commands.</summary>
    public static async Task<string> CommandAsync(params string[] arguments)
    {
        var (code, output) = await Child.RunAsync(TestKit.Executable.Path, arguments, TimeSpan.FromSeconds(60));
        return code == 0 ? output : throw new InvalidOperationException($"angarium {string.Join(' ', arguments)}: {code}\n{output}");
    }

    public async Task<IReadOnlyDictionary<string, double>> CountersAsync()
    {
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{adminPort}/metrics"));
        return text.Split('\n').Where(l => l.Length > 0 && l[0] != '#').ToDictionary(l => l[..l.LastIndexOf(' ')], l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        process.Signal(Signal.Terminate);
        await process.ExitAsync(TimeSpan.FromSeconds(90));
        process.Dispose();
    }
}
