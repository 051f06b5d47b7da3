using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Angarium.Integration.Harness;

/// <summary>A process started by a test: its output as lines that can be waited for, its end, and signals by id. Ended by Dispose at the latest.</summary>
internal sealed partial class Child : IDisposable
{
    private readonly Process process;
    private readonly Lock gate = new();
    private readonly List<string> lines = [];
    private readonly List<(Func<string, bool> Match, TaskCompletionSource<string> Found)> waiters = [];
    private bool ended;
    private bool disposed;

    public Child(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? directory = null)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = directory ?? "" };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        // What steers the tests is no setting of the relay.
        start.Environment.Remove("ANGARIUM_GOLDEN");
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        Command = file + " " + string.Join(' ', start.ArgumentList);
        process = Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start");
        Id = process.Id;
        Exited = Task.WhenAll(PumpAsync(process.StandardOutput), PumpAsync(process.StandardError), process.WaitForExitAsync()).ContinueWith(
            _ => { End(); return process.ExitCode; }, TaskScheduler.Default);
    }

    public int Id { get; }

    public string Command { get; }

    /// <summary>Completes with the exit code once the process has ended and all its output was read.</summary>
    public Task<int> Exited { get; }

    public bool IsRunning => !process.HasExited;

    public StreamWriter Input => process.StandardInput;

    public string Output
    {
        get { lock (gate) return string.Join('\n', lines); }
    }

    /// <summary>The first line, past or future, that matches; fails with the whole output when the process ends or the time is over first.</summary>
    public async Task<string> LineAsync(Func<string, bool> match, TimeSpan within, string what)
    {
        TaskCompletionSource<string> found;
        lock (gate)
        {
            if (lines.FirstOrDefault(match) is { } line) return line;
            if (ended) throw new InvalidOperationException($"{Command} ended without {what}:\n{Output}");
            found = new(TaskCreationOptions.RunContinuationsAsynchronously);
            waiters.Add((match, found));
        }

        try
        {
            return await found.Task.WaitAsync(within);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Command}: no {what} within {within.TotalSeconds} s:\n{Output}");
        }
    }

    public async Task<int> ExitAsync(TimeSpan within)
    {
        try
        {
            return await Exited.WaitAsync(within);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Command} did not end within {within.TotalSeconds} s:\n{Output}");
        }
    }

    public void Signal(Signal signal)
    {
        if (!process.HasExited && Kill(Id, (int)signal) != 0) throw new InvalidOperationException($"kill {signal} {Id}: errno {Marshal.GetLastPInvokeError()}");
    }

    /// <summary>Runs a command to its end and returns its code and output.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string file, IEnumerable<string> arguments, TimeSpan within, string? input = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var child = new Child(file, arguments, environment);
        if (input is not null) await child.Input.WriteAsync(input);
        child.Input.Close();
        var code = await child.ExitAsync(within);
        return (code, child.Output);
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit(10_000);
        }

        process.Dispose();
    }

    private async Task PumpAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (gate)
            {
                if (lines.Count < 200_000) lines.Add(line);
                for (var i = waiters.Count - 1; i >= 0; i--)
                {
                    if (!waiters[i].Match(line)) continue;
                    waiters[i].Found.TrySetResult(line);
                    waiters.RemoveAt(i);
                }
            }
        }
    }

    private void End()
    {
        lock (gate)
        {
            ended = true;
            foreach (var (_, found) in waiters) found.TrySetException(new InvalidOperationException($"{Command} ended with code {process.ExitCode}:\n{string.Join('\n', lines)}"));
            waiters.Clear();
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}

internal enum Signal { Hangup = 1, Kill = 9, Terminate = 15, Continue = 18, Stop = 19 }
