using System.Text.Json;

namespace Angarium.Integration.Harness;

/// <summary>
/// The real executable under test with a configuration, a `Data` folder and ports of its own. A restart keeps folder and ports, as a machine would.
/// </summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly Dictionary<string, string> settings;
    private readonly Dictionary<string, string> environment;
    private readonly string[] wrapper;
    private readonly bool ownsFolder;

    public Relay(Dictionary<string, string> settings, string? folder = null, string[]? wrapper = null, Dictionary<string, string>? environment = null)
    {
        ownsFolder = folder is null;
        Folder = folder ?? Directory.CreateTempSubdirectory("angarium-test-").FullName;
        SmtpPort = Ports.Free();
        AdminPort = Ports.Free();
        HttpPort = Ports.Free();
        this.wrapper = wrapper ?? [];
        this.environment = new(environment ?? []) { ["DOTNET_ENVIRONMENT"] = "Production" };
        this.settings = new()
        {
            ["Data"] = Path.Combine(Folder, "data"),
            ["Hostname"] = "relay.test",
            ["Ingress:Smtp:Listen"] = $"127.0.0.1:{SmtpPort}",
            ["Ingress:TrustedNetworks"] = "127.0.0.0/8",
            ["Admin:Listen"] = $"127.0.0.1:{AdminPort}",
            ["Http:Listen"] = $"127.0.0.1:{HttpPort}",
            ["Spool:MinFree"] = "1",
        };
        foreach (var (name, value) in settings) this.settings[name] = value;
        WriteSettings();
    }

    public static string Executable => TestKit.Executable.Path;

    public string Folder { get; }

    public string Data => settings["Data"];

    public string ConfigFile => Path.Combine(Folder, "angarium.json");

    public int SmtpPort { get; }

    public int AdminPort { get; }

    public int HttpPort { get; }

    public Child? Process { get; private set; }

    public string Output { get; private set; } = "";

    /// <summary>Changes a setting in the file; the running process takes it over if it reloads.</summary>
    public void Set(string name, string value)
    {
        settings[name] = value;
        WriteSettings();
    }

    /// <summary>Starts the process and waits until it says that it is ready.</summary>
    public async Task<Relay> StartAsync(double seconds = 60)
    {
        Launch();
        await Process!.LineAsync(l => l.Contains("ready", StringComparison.OrdinalIgnoreCase), TimeSpan.FromSeconds(seconds), "ready line");
        return this;
    }

    /// <summary>Starts the process without waiting: for starts that are meant to fail.</summary>
    public Child Launch()
    {
        string[] command = [.. wrapper, Executable, "serve", "--config", ConfigFile];
        return Process = new Child(command[0], command[1..], environment);
    }

    public async Task KillAsync()
    {
        Process!.Signal(Signal.Kill);
        await Process.ExitAsync(TimeSpan.FromSeconds(20));
        Keep();
    }

    /// <summary>SIGTERM, as an orchestrator would; returns the exit code.</summary>
    public async Task<int> StopAsync(double seconds = 60)
    {
        Process!.Signal(Signal.Terminate);
        var code = await Process.ExitAsync(TimeSpan.FromSeconds(seconds));
        Keep();
        return code;
    }

    /// <summary>Runs one of the executable's own commands against this relay.</summary>
    public Task<(int Code, string Output)> CommandAsync(params string[] arguments) =>
        Child.RunAsync(Executable, [.. arguments, "--config", ConfigFile], TimeSpan.FromSeconds(60), environment: environment);

    /// <summary>The value of a metric summed over its labels (those that contain <paramref name="label"/>); 0 when it is not there.</summary>
    public async Task<double> MetricAsync(string name, string label = "")
    {
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{AdminPort}/metrics"));
        return text.Split('\n')
            .Where(l => l.StartsWith(name + " ", StringComparison.Ordinal) || l.StartsWith(name + "{", StringComparison.Ordinal))
            .Where(l => l.Contains(label, StringComparison.Ordinal))
            .Sum(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        Process?.Dispose();
        if (ownsFolder) Directory.Delete(Folder, recursive: true);
        await Task.CompletedTask;
    }

    private void Keep()
    {
        Output += Process!.Output + "\n";
        Process.Dispose();
        Process = null;
    }

    private void WriteSettings()
    {
        // Replaced whole, as an editor or an orchestrator would, so that a reload never sees half a file.
        var temporary = ConfigFile + ".new";
        File.WriteAllText(temporary, JsonSerializer.Serialize(settings));
        File.Move(temporary, ConfigFile, overwrite: true);
    }
}
