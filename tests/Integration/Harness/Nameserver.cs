namespace Angarium.Integration.Harness;

/// <summary>A real DNS server (unbound) with a zone of the test's own, inside a namespace or on loopback. Every name not in the zone is NXDOMAIN; `broken.test` is SERVFAIL.</summary>
internal sealed class Nameserver : IDisposable
{
    private readonly Child process;
    private readonly string folder;

    private Nameserver(Child process, string folder, int port)
    {
        this.process = process;
        this.folder = folder;
        Port = port;
    }

    public int Port { get; }

    public static Task<Nameserver> StartAsync(Namespace? within, params string[] records) => StartAsync(within, Ports.Free(), records);

    public static async Task<Nameserver> StartAsync(Namespace? within, int port, params string[] records)
    {
        var folder = Directory.CreateTempSubdirectory("angarium-dns-").FullName;
        var file = Path.Combine(folder, "unbound.conf");
        await File.WriteAllTextAsync(file, $"""
            server:
              interface: 127.0.0.1
              port: {port}
              do-daemonize: no
              username: ""
              chroot: ""
              pidfile: "{folder}/unbound.pid"
              use-syslog: no
              logfile: ""
              verbosity: 1
              do-not-query-localhost: no
              module-config: "iterator"
              local-zone: "." static
              local-zone: "broken.test." transparent
            {string.Join('\n', records.Select(r => $"  local-data: '{r}'"))}
            forward-zone:
              name: "broken.test."
              forward-addr: 127.0.0.1@1
            remote-control:
              control-enable: no
            """);
        string[] command = [.. within?.Wrapper ?? [], "/usr/sbin/unbound", "-d", "-p", "-c", file];
        var process = new Child(command[0], command[1..]);
        await process.LineAsync(l => l.Contains("start of service", StringComparison.Ordinal), TimeSpan.FromSeconds(20), "start of unbound");
        return new Nameserver(process, folder, port);
    }

    public void Dispose()
    {
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
