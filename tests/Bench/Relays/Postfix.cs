using System.Globalization;
using System.Text.RegularExpressions;
using Angarium.Bench.Load;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Relays;

/// <summary>Debian's Postfix from a configuration and a queue of its own: its defaults, all mail to the sink without DNS. Needs root.</summary>
internal sealed partial class Postfix : IRelay
{
    private string etc = "";
    private int master;
    private bool started;

    public string Name => "postfix";

    public double Share => 0.25;

    public int Port { get; private set; }

    public IReadOnlyCollection<int> Roots => master > 0 ? [master] : [];

    public async Task StartAsync(int sinkPort, string folder)
    {
        Port = Ports.Free();
        etc = Path.Combine(folder, "etc");
        var queue = Path.Combine(folder, "queue");
        var data = Path.Combine(folder, "data");
        foreach (var own in (string[])[etc, queue, data]) Directory.CreateDirectory(own);
        await RunAsync("chmod", "755", folder, Path.GetDirectoryName(folder)!);
        await RunAsync("chown", "postfix", data);
        await File.WriteAllTextAsync(Path.Combine(etc, "main.cf"), $"""
            compatibility_level = 3.6
            queue_directory = {queue}
            data_directory = {data}
            maillog_file = {folder}/maillog
            maillog_file_prefixes = {folder}, /var, /dev/stdout
            multi_instance_name = postfix-bench
            multi_instance_enable = yes
            myhostname = relay.bench.test
            mydestination =
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            mynetworks = 127.0.0.0/8
            alias_maps =
            local_recipient_maps =
            relayhost = [127.0.0.1]:{sinkPort}
            disable_dns_lookups = yes
            smtp_host_lookup = native
            smtp_tls_security_level = none
            smtpd_tls_security_level = none
            smtpd_peername_lookup = no
            default_destination_concurrency_limit = 20
            minimal_backoff_time = 5s
            queue_run_delay = 5s
            message_size_limit = 20971520

            """);
        // The distribution's own table of services, without chroots, its SMTP listener moved.
        var services = File.ReadLines("/usr/share/postfix/master.cf.dist")
            .Where(l => !Foreign().IsMatch(l))
            .Select(l => l.StartsWith("smtp ", StringComparison.Ordinal) && l.Contains("inet", StringComparison.Ordinal) ? $"127.0.0.1:{Port} inet n - n - - smtpd" : Chroot().Replace(l, "$1n"));
        await File.WriteAllLinesAsync(Path.Combine(etc, "master.cf"), services);
        if (File.Exists("/etc/postfix/dynamicmaps.cf")) File.Copy("/etc/postfix/dynamicmaps.cf", Path.Combine(etc, "dynamicmaps.cf"), overwrite: true);
        await RunAsync(Tools.Path("postfix"), "-c", etc, "start");
        started = true;
        // It holds a lock on that file, which the framework would heed.
        master = int.Parse(await RunAsync("cat", Path.Combine(queue, "pid", "master.pid")), CultureInfo.InvariantCulture);
        await Ready.ListensAsync(Port);
    }

    public Task<IReadOnlyDictionary<string, double>> CountersAsync() => Task.FromResult<IReadOnlyDictionary<string, double>>(new Dictionary<string, double>());

    public async ValueTask DisposeAsync()
    {
        if (!started) return;
        (started, master) = (false, 0);
        await RunAsync(Tools.Path("postfix"), "-c", etc, "abort");
    }

    private static async Task<string> RunAsync(string file, params string[] arguments)
    {
        var (code, output) = await Child.RunAsync(file, arguments, TimeSpan.FromSeconds(60));
        return code == 0 ? output : throw new InvalidOperationException($"{file} {string.Join(' ', arguments)}: {code}\n{output}");
    }

    [GeneratedRegex("^(maildrop|uucp|ifmail|bsmtp|scalemail-backend|mailman|  (flags|user))")]
    private static partial Regex Foreign();

    [GeneratedRegex(@"^([a-z]+ +(?:unix|unix-dgram) +[^ ]+ +[^ ]+ +)y")]
    private static partial Regex Chroot();
}
