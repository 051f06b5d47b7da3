using System.Net;
using Microsoft.Extensions.Logging;
using Angarium.Contracts.Configuration;

namespace Angarium.Host.Configuration;

/// <summary>What the process itself needs to know, beside its roles. A value.</summary>
public sealed record RelayOptions : IValidates
{
    private static readonly string[] s_roles = ["ingress", "grains", "egress", "api"];

    /// <summary>Every role there is.</summary>
    public static IReadOnlyList<string> AllRoles => s_roles;

    [Setting("Roles", "Which roles this process runs: `ingress` (SMTP in), `grains` (the queues), `egress` (SMTP out), `api` (the operator's commands). A process that is alone needs `grains` among them.", DefaultText = "all")]
    public IReadOnlyList<string> Roles { get; init; } = s_roles;

    [Setting("Hostname", "Name of this relay in its banner, EHLO, Received fields and notices.", DefaultText = "the machine's full name")]
    public string Hostname { get; init; } = "";

    [Setting("Data", "Folder of the embedded stores, of scratch files and of the socket for commands; one process at a time, and not on a network file system.")]
    public string Data { get; init; } = "data";

    [Setting("Http:Listen", "Address of the pages (the sink's, when there is one); empty = none.")]
    public string HttpListen { get; init; } = "[::]:8080";

    [Setting("Admin:Listen", "Address of `/metrics`, `/healthz` and `/readyz`; nothing there changes anything; empty = none.")]
    public string AdminListen { get; init; } = "[::]:9464";

    [Setting("Sink:Listen", "Address of the bundled sink, an SMTP server that keeps what it receives and shows it at `Http:Listen`; empty = none.")]
    public string SinkListen { get; init; } = "";

    [Setting("Sink:Messages", "How many messages the sink keeps; older ones are forgotten.", Min = 1, Max = 1_000_000)]
    public int SinkMessages { get; init; } = 1_000;

    [Setting("Sink:Octets", "How many octets of mail the sink keeps; older ones are forgotten.", Min = 65_536)]
    public long SinkOctets { get; init; } = 64 << 20;

    [Setting("Log:Format", "One line for people, or one JSON object a line.")]
    public LogFormat LogFormat { get; init; } = LogFormat.Text;

    [Setting("Log:Level", "Least level that is logged.", Reloads = true)]
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    [Setting("Traces:Endpoint", "Address of a collector that takes OpenTelemetry traces (OTLP over HTTP), such as `http://collector:4318`; empty = no traces are made.")]
    public string TracesEndpoint { get; init; } = "";

    [Setting("Traces:Sample", "Share of the messages that are traced, from 0 to 1, told from the message's id: processes with the same share trace the same messages, each from its acceptance to its delivery.", Min = 0, Max = 1)]
    public double TracesSample { get; init; } = 0.01;

    [Setting("Shutdown:Timeout", "How long a stop may take: sessions and attempts that have not ended by then are cut. At least 10 s more than `Ingress:Drain` and `Egress:DrainTimeout` together; a supervisor's own patience (systemd: 90 s, Docker: 10 s, Kubernetes: 30 s) should be longer still.", Min = 1, Max = 7200)]
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(60);

    public bool Runs(string role) => Roles.Contains("all", StringComparer.OrdinalIgnoreCase) || Roles.Contains(role, StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> Validate()
    {
        foreach (var role in Roles.Where(role => !s_roles.Append("all").Contains(role, StringComparer.OrdinalIgnoreCase)))
            yield return $"Roles: there is no role `{role}`; the roles are {string.Join(", ", s_roles)}.";
        if (Hostname.Length is 0 or > 255 || Uri.CheckHostName(Hostname) is UriHostNameType.Unknown or UriHostNameType.Basic)
            yield return $"Hostname: `{Hostname}` is not a host name; set it to this machine's full name, such as `mx.example.org`.";
        if (Data.Length == 0) yield return "Data: must name a folder.";
        if (TracesEndpoint.Length > 0 && !(Uri.TryCreate(TracesEndpoint, UriKind.Absolute, out var collector) && collector.Scheme is "http" or "https"))
            yield return $"Traces:Endpoint: `{TracesEndpoint}` is not an address such as `http://collector:4318`.";
        foreach (var (name, text) in new[] { ("Http:Listen", HttpListen), ("Admin:Listen", AdminListen), ("Sink:Listen", SinkListen) })
            if (text.Length > 0 && !TryParseEndPoint(text, out _)) yield return $"{name}: `{text}` is not an address with a port, such as `127.0.0.1:8080` or `[::]:8080`.";
    }

    /// <summary>`address:port` with the port given; port 0 = any free one.</summary>
    internal static bool TryParseEndPoint(string text, out IPEndPoint endPoint) =>
        IPEndPoint.TryParse(text, out endPoint!) && text.EndsWith($":{endPoint.Port}", StringComparison.Ordinal);
}

/// <summary>How lines of the log are written: for people or for machines.</summary>
public enum LogFormat { Text, Json }
