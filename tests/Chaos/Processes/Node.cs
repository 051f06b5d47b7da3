using System.Diagnostics;
using System.Runtime.InteropServices;
using Angarium.Chaos.Network;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Processes;

/// <summary>
/// One process of the cluster on a host of its own: start, readiness, signals by id, and all it ever wrote in one file. A process that ends although nobody asked it to is
/// started again, as an orchestrator would, and counted. Any thread, one fault at a time; it ends with the harness' pid namespace.
/// </summary>
internal sealed partial class Node
{
    private readonly string[] command;
    private readonly IReadOnlyDictionary<string, string> environment;
    private readonly Func<CancellationToken, Task<bool>> probe;
    private readonly TimeSpan patience;
    private volatile Life? life;

    /// <param name="name">Of process and host.</param>
    /// <param name="role">`ingress`, `grains`, `egress`, `api`, `all`, or what it is of the surroundings.</param>
    /// <param name="address">Of its host.</param>
    /// <param name="folder">Of its own; its output is in `output.log` there.</param>
    /// <param name="command">Program and arguments.</param>
    /// <param name="environment">Added to the harness' own.</param>
    /// <param name="probe">Whether it serves; asked until it does. May throw.</param>
    public Node(string name, string role, string address, string folder, string[] command, IReadOnlyDictionary<string, string> environment, Func<CancellationToken, Task<bool>> probe, double patience = 90)
    {
        Name = name;
        Role = role;
        Address = address;
        Folder = folder;
        this.command = command;
        this.environment = environment;
        this.probe = probe;
        this.patience = TimeSpan.FromSeconds(patience);
        Directory.CreateDirectory(folder);
    }

    public string Name { get; }

    public string Role { get; }

    public string Address { get; }

    public string Folder { get; }

    public string Log => Path.Combine(Folder, "output.log");

    /// <summary>Where an ingress takes mail.</summary>
    public int SmtpPort { get; init; } = 25;

    /// <summary>It is about to end, and nobody is to be sent there any more.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>Held by the one fault that has this process now.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>How often it ended although nobody asked it to, with the last exit code.</summary>
    public int Deaths { get; private set; }

    public int LastCode { get; private set; }

    public bool IsRelay => Role is "ingress" or "grains" or "egress" or "api" or "all";

    /// <summary>Of the process that runs now, or ran last; 0 = none ever did.</summary>
    public int Id => life?.Process.Id ?? 0;

    public bool IsRunning => life is { Process.HasExited: false };

    /// <summary>Starts and waits until it serves.</summary>
    public async Task StartAsync()
    {
        Launch();
        await ReadyAsync();
    }

    public async Task ReadyAsync()
    {
        using var limit = new CancellationTokenSource(patience);
        while (true)
        {
            try
            {
                using var one = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
                one.CancelAfter(2000);
                if (await probe(one.Token)) return;
            }
            catch (Exception e) when (e is IOException or HttpRequestException or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                // Not yet.
            }

            if (limit.IsCancellationRequested) throw new TimeoutException($"{Name} does not serve after {patience.TotalSeconds} s (running: {IsRunning})\n{Tail()}");
            // Nothing tells when another process is ready: asked ten times a second.
            await Task.Delay(100);
        }
    }

    public async Task KillAsync()
    {
        if (life is not { } dying) return;
        dying.IsWanted = false;
        await SendAsync(Signal.Kill);
        await dying.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
    }

    /// <summary>SIGTERM, as an orchestrator would; killed when it does not end in time. The exit code, 137 after a kill.</summary>
    public async Task<int> StopAsync(double seconds = 100)
    {
        if (life is not { } stopping) return 0;
        stopping.IsWanted = false;
        await SendAsync(Signal.Terminate);
        try
        {
            await stopping.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(seconds));
        }
        catch (TimeoutException)
        {
            await KillAsync();
        }

        return stopping.Process.ExitCode;
    }

    public Task SendAsync(Signal signal)
    {
        if (IsRunning && Kill(life!.Process.Id, (int)signal) != 0) throw new InvalidOperationException($"kill {signal} {Name}: errno {Marshal.GetLastPInvokeError()}");
        return Task.CompletedTask;
    }

    /// <summary>Whether the kernel says that it is stopped by a signal.</summary>
    public bool IsFrozen => IsRunning && File.ReadAllText($"/proc/{life!.Process.Id}/stat") is var stat && stat[stat.LastIndexOf(')') + 2] == 'T';

    /// <summary>Processor time of the process that runs now.</summary>
    public TimeSpan Cpu => IsRunning ? life!.Process.TotalProcessorTime : TimeSpan.Zero;

    /// <summary>The end of its log, behind the last errors before that.</summary>
    public string Tail(int lines = 15)
    {
        if (!File.Exists(Log)) return "";
        var (end, errors) = (new Queue<string>(), new Queue<string>());
        foreach (var line in File.ReadLines(Log))
        {
            end.Enqueue(line);
            if (end.Count <= lines) continue;
            var before = end.Dequeue();
            if (!before.Contains(" fail: ", StringComparison.Ordinal) && !before.Contains(" crit: ", StringComparison.Ordinal)) continue;
            errors.Enqueue(before);
            if (errors.Count > lines) errors.Dequeue();
        }

        return string.Join('\n', errors.Concat(end).Select(l => $"  {Name}: {(l.Length > 600 ? l[..600] : l)}"));
    }

    private void Launch()
    {
        // The shell gives way to the program: one process, its output in a file that no pipe can stall.
        var start = new ProcessStartInfo("ip") { RedirectStandardInput = true };
        foreach (var argument in (string[])[.. Lan.On(Name)[1..], "sh", "-c", "exec \"$@\" </dev/null >>\"$0\" 2>&1", Log, .. command]) start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var started = new Life(Process.Start(start) ?? throw new InvalidOperationException($"{Name} did not start"));
        life = started;
        _ = WatchAsync(started);
    }

    private async Task WatchAsync(Life watched)
    {
        await watched.Process.WaitForExitAsync();
        if (!watched.IsWanted) return;
        Deaths++;
        LastCode = watched.Process.ExitCode;
        await File.AppendAllTextAsync(Log, $"---- ended by itself with code {LastCode} at {DateTimeOffset.UtcNow:O}; started again ----\n");
        // An orchestrator waits a little too, so that what cannot start does not take the machine.
        await Task.Delay(1000);
        if (watched.IsWanted) Launch();
    }

    /// <summary>One process, and whether it should still run.</summary>
    private sealed class Life(Process process)
    {
        public Process Process { get; } = process;

        public volatile bool IsWanted = true;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
