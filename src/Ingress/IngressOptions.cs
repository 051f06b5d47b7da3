using Angarium.Contracts.Configuration;
using Angarium.Ingress.Listening;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Tls;

namespace Angarium.Ingress;

/// <summary>The settings of the ingress role. Immutable; what reloads is taken over by the next connection, or the next transaction where that is said.</summary>
public sealed record IngressOptions : IValidates
{
    [Setting("Hostname", "Name in the banner, in Received fields and in notices.", DefaultText = "the machine's full name")]
    public string Hostname { get; init; } = "";

    [Setting("Ingress:Smtp:Listen", "Listeners for relay with STARTTLS, each `address:port`; `[::]` takes IPv4 too.")]
    public IReadOnlyList<string> SmtpListen { get; init; } = ["[::]:25"];

    [Setting("Ingress:Smtps:Listen", "Listeners for relay with TLS from the first octet, each `address:port`.", DefaultText = "none")]
    public IReadOnlyList<string> SmtpsListen { get; init; } = [];

    [Setting("Ingress:Submission:Listen", "Listeners for submission by tenants (RFC 6409): STARTTLS, then AUTH; each `address:port`, commonly port 587.", DefaultText = "none")]
    public IReadOnlyList<string> SubmissionListen { get; init; } = [];

    [Setting("Ingress:Submissions:Listen", "Listeners for submission with TLS from the first octet (RFC 8314), each `address:port`, commonly port 465.", DefaultText = "none")]
    public IReadOnlyList<string> SubmissionsListen { get; init; } = [];

    [Setting("Ingress:TrustedNetworks", "CIDRs that may relay anywhere, each with its tenant if wished (`10.1.0.0/16=acme`, else `default`); exempt from the limits per client.",
        DefaultText = "none", Reloads = true)]
    public IReadOnlyList<string> TrustedNetworks { get; init; } = [];

    [Setting("Ingress:ProxyNetworks", "CIDRs of load balancers that put a PROXY header (version 1 or 2) before each SMTP connection. From there the header must come, within 5 s, and its client counts in every way; from elsewhere it is never looked for.",
        DefaultText = "none", Reloads = true)]
    public IReadOnlyList<string> ProxyNetworks { get; init; } = [];

    [Setting("Ingress:Domains:*", "Domains accepted from anyone: file of their recipients (one a line, `#` comments), or `*` for all.", DefaultText = "none", Reloads = true)]
    public IReadOnlyDictionary<string, string> Domains { get; init; } = new Dictionary<string, string>();

    [Setting("Ingress:MaxSize", "Greatest message, in octets, advertised by SIZE.", Min = 65_536, Max = 2_000_000_000, Reloads = true)]
    public long MaxSize { get; init; } = 26_214_400;

    [Setting("Tls:Certificate", "PEM file with the certificate and its chain; read again when it changes.", DefaultText = "none: no STARTTLS")]
    public string TlsCertificate { get; init; } = "";

    [Setting("Tls:Key", "PEM file with the private key of the certificate, not encrypted.", DefaultText = "none")]
    public string TlsKey { get; init; } = "";

    [Setting("Ingress:MaxRecipients", "Recipients a transaction; beyond: 452 4.5.3 (RFC 5321 §4.5.3.1.8 asks for 100 at least).", Min = 100, Max = 50_000, Reloads = true)]
    public int MaxRecipients { get; init; } = 1000;

    [Setting("Ingress:MaxTextLine", "Octets of a line of content without its CRLF (RFC 5321 §4.5.3.1.6: 998); longer: 554 5.6.0.", Min = 998, Max = 1_000_000, Reloads = true)]
    public int MaxTextLine { get; init; } = 998;

    [Setting("Ingress:MaxHeader", "Octets of a message's header section; longer: 554 5.6.0.", Min = 4096, Max = 1_000_000, Reloads = true)]
    public int MaxHeader { get; init; } = 102_400;

    [Setting("Ingress:MaxHops", "Received fields of a message; more are a loop: 554 5.4.6.", Min = 10, Max = 1000, Reloads = true)]
    public int MaxHops { get; init; } = 50;

    [Setting("Ingress:MaxConnections", "Connections at a time; beyond: 421 4.3.2.", Min = 1, Max = 1_000_000, Reloads = true)]
    public int MaxConnections { get; init; } = 32_768;

    [Setting("Ingress:MaxConnectionsPerClient", "Connections at a time of one address outside the trusted networks; beyond: 421 4.7.0.", Min = 1, Max = 1_000_000, Reloads = true)]
    public int MaxConnectionsPerClient { get; init; } = 50;

    [Setting("Ingress:MaxMessagesPerConnection", "Messages a connection; then 421 4.7.0.", Min = 1, Max = 1_000_000_000, Reloads = true)]
    public int MaxMessagesPerConnection { get; init; } = 10_000;

    [Setting("Ingress:MaxErrors", "Errors of a session outside the trusted networks; then 421 4.7.0.", Min = 1, Max = 100_000, Reloads = true)]
    public int MaxErrors { get; init; } = 20;

    [Setting("Ingress:SlowErrors", "Errors from which each further one is answered late.", Min = 0, Max = 100_000, Reloads = true)]
    public int SlowErrors { get; init; } = 10;

    [Setting("Ingress:SlowDelay", "How late.", Min = 0, Max = 60, Reloads = true)]
    public TimeSpan SlowDelay { get; init; } = TimeSpan.FromSeconds(1);

    [Setting("Ingress:Timeout", "Wait for a client's next command, next 4 KiB of content, or for it to read our replies (RFC 5321 §4.5.3.2.7); then 421 4.4.2.", Min = 1, Max = 86_400, Reloads = true)]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("Ingress:OverloadTimeout", "The same while four fifths of the connections or of the memory are taken.", Min = 1, Max = 86_400, Reloads = true)]
    public TimeSpan OverloadTimeout { get; init; } = TimeSpan.FromSeconds(10);

    [Setting("Ingress:MaxMemory", "Octets of content gathered in memory, over all connections, but never more than half of what the runtime may use (in a container, of three quarters of its limit); from four fifths on scratch files take large messages.", Min = 4_194_304, Max = 1e12)]
    public long MaxMemory { get; init; } = 268_435_456;

    [Setting("Ingress:MaxScratch", "Octets of content gathered in scratch files under `Data`, over all connections; beyond: 452 4.3.1.", Min = 0, Max = 1e13)]
    public long MaxScratch { get; init; } = 8_589_934_592;

    [Setting("Ingress:MaxWorkingSet", "Percent of the memory that the process may use (its control group's limit, else the machine's) above which MAIL is answered 451 4.3.2 and a new connection 421; page cache is not counted.",
        Min = 10, Max = 100, Reloads = true)]
    public int MaxWorkingSet { get; init; } = 85;

    [Setting("Log:Recipients", "How recipients appear in the log: full, domain or none.", Reloads = true)]
    public LoggedRecipients LogRecipients { get; init; } = LoggedRecipients.Full;

    [Setting("Ingress:Drain", "Longest wait at shutdown for transactions to finish; `Egress:DrainTimeout` comes after it, within `Shutdown:Timeout`.", Min = 0, Max = 3600)]
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(15);

    public IEnumerable<string> Validate()
    {
        foreach (var (setting, entries) in new[]
                 {
                     ("Ingress:Smtp:Listen", SmtpListen), ("Ingress:Smtps:Listen", SmtpsListen), ("Ingress:Submission:Listen", SubmissionListen), ("Ingress:Submissions:Listen", SubmissionsListen),
                 })
            foreach (var entry in entries)
                if (!ListenAddress.TryParse(entry, out _)) yield return $"{setting}: '{entry}' is not an address with a port; write it as 0.0.0.0:25 or [::]:25";
        foreach (var entry in TrustedNetworks)
            if (!TrustedNetwork.TryParse(entry, out _, out var error)) yield return $"Ingress:TrustedNetworks: '{entry}' {error}; write it as 10.1.0.0/16 or 10.1.0.0/16=tenant";
        foreach (var entry in ProxyNetworks)
            if (!TrustedNetwork.TryParseCidr(entry, out _, out var error)) yield return $"Ingress:ProxyNetworks: '{entry}' {error}; write it as 10.1.0.0/16";
        foreach (var (domain, source) in Domains)
        {
            if (RelayPolicy.Validate(domain, source) is { } error) yield return $"Ingress:Domains:{domain}: {error}";
        }

        if (TlsCertificate.Length == 0 != (TlsKey.Length == 0)) yield return "Tls:Certificate and Tls:Key belong together; set both or neither";
        else if (TlsCertificate.Length > 0 && ServerCertificate.Validate(TlsCertificate, TlsKey) is { } error) yield return error;
        foreach (var (setting, entries) in new[] { ("Ingress:Smtps:Listen", SmtpsListen), ("Ingress:Submission:Listen", SubmissionListen), ("Ingress:Submissions:Listen", SubmissionsListen) })
            if (entries.Count > 0 && TlsCertificate.Length == 0) yield return $"{setting} needs a certificate; set Tls:Certificate and Tls:Key";
        if (OverloadTimeout > Timeout) yield return "Ingress:OverloadTimeout is longer than Ingress:Timeout; make it shorter";
    }
}
