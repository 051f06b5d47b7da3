using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Angarium.TestKit.Servers;

/// <summary>
/// The emulator of Azure Blob Storage on a loopback port of its own, with what it stores in a folder of its own. One is shared by all tests of a process; who breaks it starts one for
/// itself. It ends with this process, however that ends: a shell beside it waits for the end of its input.
/// </summary>
public sealed class Azurite : IDisposable
{
    private const string Guard = "\"$@\" >&2 & p=$!; echo $p; read -r _; kill -9 $p";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Lazy<Task<Azurite>> Shared = new(async () =>
    {
        var azurite = await StartAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => azurite.Dispose();
        return azurite;
    });

    private readonly string _folder = Directory.CreateTempSubdirectory("angarium-azurite-").FullName;
    private readonly Queue<string> _output = [];
    private Process? _guard;

    private Azurite() { }

    public int Port { get; } = FreePort();

    /// <summary>The emulator's own process, for signals.</summary>
    public int Id { get; private set; }

    /// <summary>The account that every such emulator has, with the key that is in its documentation.</summary>
    public string ConnectionString => "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        + "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" + $"BlobEndpoint=http://127.0.0.1:{Port}/devstoreaccount1;";

    /// <summary>That of all tests of this process.</summary>
    public static Task<Azurite> SharedAsync() => Shared.Value;

    /// <param name="isQuick">Its slow places are mended, as `tests/tools/azurite-lazy.cjs` says: for measuring who uses it.</param>
    public static async Task<Azurite> StartAsync(bool isQuick = false)
    {
        var azurite = new Azurite();
        await azurite.RunAsync(isQuick);
        return azurite;
    }

    /// <summary>Ends it and takes what it stored. (Killed, it has lost what it acknowledged in its last seconds: it keeps that in memory only. No model of the real service.)</summary>
    public void Dispose()
    {
        if (_guard is not { } guard) return;
        _guard = null;
        guard.StandardInput.Close();
        if (!guard.WaitForExit(10_000)) guard.Kill(entireProcessTree: true);
        guard.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static int FreePort()
    {
        // Below the range that outgoing connections take theirs from.
        for (; ; )
        {
            var port = Random.Shared.Next(10_000, 30_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }

    private async Task RunAsync(bool isQuick)
    {
        var main = Repository.Path("tests", "tools", "node_modules", "azurite", "dist", "src", "blob", "main.js");
        if (!File.Exists(main)) throw new InvalidOperationException($"Azurite is not installed ({main} is missing): run tests/run, which installs what the tests need");
        var start = new ProcessStartInfo("sh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] mended = isQuick ? ["--require", Repository.Path("tests", "tools", "azurite-lazy.cjs")] : [];
        foreach (var argument in (string[])["-c", Guard, "azurite", "node", .. mended, main, "--blobHost", "127.0.0.1", "--blobPort", $"{Port}", "--location", _folder, "--skipApiVersionCheck", "--disableTelemetry", "--silent"])
            start.ArgumentList.Add(argument);
        _guard = Process.Start(start)!;
        _guard.ErrorDataReceived += (_, line) => Keep(line.Data);
        _guard.BeginErrorReadLine();
        Id = int.Parse(await _guard.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The shell that starts Azurite has ended"));
        for (var since = Stopwatch.StartNew(); ;)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException)
            {
                if (since.Elapsed > Patience || !IsRunning()) throw new InvalidOperationException($"Azurite does not answer (is node installed? tests/run installs it):\n{Output()}");
                await Task.Delay(50);
            }
        }
    }

    private bool IsRunning()
    {
        try
        {
            using var process = Process.GetProcessById(Id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_output)
        {
            _output.Enqueue(line);
            if (_output.Count > 50) _output.Dequeue();
        }
    }

    private string Output()
    {
        lock (_output) return string.Join('\n', _output);
    }
}
