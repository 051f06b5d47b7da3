using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Angarium.TestKit.Servers;

/// <summary>
/// A redis-server of a test's own on a free port of loopback, with its data in a temporary folder. It ends by Dispose at the latest; <see cref="KillAsync"/> and
/// <see cref="StartAsync()"/> make it die and come back on the same port, with the same data if it was told to keep any.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(20);

    private readonly string[] _arguments;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("angarium-redis-");
    private Process? _process;

    private RedisServer(int port, string[] arguments)
    {
        Port = port;
        _arguments = arguments;
    }

    public int Port { get; }

    /// <summary>As a connection string.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Where the others of its cluster reach it, if it is one of any.</summary>
    public int ClusterPort { get; } = FreePort();

    public int ProcessId => _process?.Id ?? throw new InvalidOperationException("not running");

    /// <param name="arguments">Of redis-server, behind those that every test wants; the last word counts.</param>
    public static async Task<RedisServer> StartAsync(params string[] arguments)
    {
        for (var attempt = 1; ; attempt++)
        {
            var server = new RedisServer(FreePort(), arguments);
            try
            {
                await server.StartAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
                // Somebody else took the port between the look and the start.
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>Starts it again on its port; returns when it answers.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("redis-server") { RedirectStandardOutput = true, WorkingDirectory = _folder.FullName };
        string[] arguments =
        [
            "--port", $"{Port}", "--bind", "127.0.0.1", "--dir", _folder.FullName, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
            "--repl-diskless-sync-delay", "0", "--cluster-port", $"{ClusterPort}", .. _arguments,
        ];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        var log = new List<string>();
        using var late = new CancellationTokenSource(StartsWithin);
        while (true)
        {
            var line = await _process.StandardOutput.ReadLineAsync(late.Token)
                ?? throw new InvalidOperationException($"redis-server ended on port {Port}:\n{string.Join('\n', log)}");
            log.Add(line);
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal)) break;
        }

        _ = _process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        if (await SendAsync("PING") is not "PONG") throw new InvalidOperationException("redis-server is ready and does not answer");
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (_process is null) return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>One command over a connection of its own; an error is thrown.</summary>
    public async Task<object?> SendAsync(params string[] words)
    {
        await using var connection = await RespConnection.OpenAsync(new IPEndPoint(IPAddress.Loopback, Port));
        return await connection.SendAsync(words);
    }

    /// <summary>A section of INFO as names and values.</summary>
    public async Task<Dictionary<string, string>> InfoAsync(string section) =>
        ((string)(await SendAsync("INFO", section))!).Split("\r\n").Select(l => l.Split(':', 2)).Where(p => p.Length == 2).ToDictionary(p => p[0], p => p[1]);

    /// <summary>How often clients and scripts have sent a command since the start or CONFIG RESETSTAT.</summary>
    public async Task<long> CallsAsync(string command) =>
        (await InfoAsync("commandstats")).TryGetValue($"cmdstat_{command}", out var text) ? long.Parse(text.Split(',')[0]["calls=".Length..]) : 0;

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
