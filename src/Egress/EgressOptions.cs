using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Pools;
using Angarium.Egress.Proxies;
using Angarium.Egress.Routing;

namespace Angarium.Egress;

/// <summary>
/// How mail leaves: where to, from where, and how long each step may take. Immutable; replaced as a whole when a file changes. Timeouts are those of
/// RFC 5321 §4.5.3.2: shorter ones trade duplicates for speed.
/// </summary>
public sealed record EgressOptions : IValidates
{
    /// <summary>What the help of both route settings says of their form.</summary>
    private const string HopForm =
        "`host:port`, `[IPv6]:port`, `smtp://host:port` or `smtps://host:port` (TLS from the first octet), each with options after `?`, separated by `&`: "
        + "`connections=N` (limit, default 20), `tls=none|may|required` (required = encrypted with a certificate that is validated with the intermediates that the host sends; default may, for smtps required), "
        + "`login=FILE` (user name and password on two lines; sent only over a validated certificate), `ca=FILE` (PEM of the authorities to trust instead of the system's); "
        + "or `mx` for the domain's MX";

    /// <summary>Pools of one process: each has a worker of its own.</summary>
    private const int MaxPools = 100;

    [Setting("Egress:NextHop", "Next hop of all mail without a route of its own: " + HopForm + ".", Reloads = true, DefaultText = "none = MX")]
    public string? NextHop { get; init; }

    [Setting("Egress:Routes:*", "Next hop of one domain (`*.example.org` for those below it): " + HopForm + ".", Reloads = true)]
    public IReadOnlyDictionary<string, string> Routes { get; init; } = new Dictionary<string, string>();

    [Setting("Egress:Source", "Local IP addresses to send from, used in turn; a family that is not listed is not used.", DefaultText = "system")]
    public IReadOnlyList<string> Source { get; init; } = [];

    [Setting("Egress:Proxy", "SOCKS5 proxy that mail goes out through, as `socks5://host:port`; its address is then the source. Of pools that name no addresses or proxies of their own.", DefaultText = "none")]
    public string? Proxy { get; init; }

    [Setting("Egress:ProxyPassword", "File with user name and password on two lines, for proxies that ask for them (RFC 1929): this one and those of pools.", DefaultText = "none")]
    public string? ProxyPassword { get; init; }

    [Setting("Egress:Pools:*", "Where mail of the pool of this name goes out from: local addresses, used in turn, each with the name that it greets with, as in `192.0.2.1=mx1.example.org 2001:db8::1=mx1.example.org`; `socks5://host:port=mx1.example.org` = through that proxy; a name alone = the system's choice of address (behind NAT), or `Egress:Proxy`. Names of pools: up to 32 lower-case letters, digits and `-`. `default` needs none: it has `Egress:Source` and `Hostname`.")]
    public IReadOnlyDictionary<string, string> Pools { get; init; } = new Dictionary<string, string>();

    [Setting("Egress:Serves", "Pools whose mail this process carries.", DefaultText = "`default` and those of `Egress:Pools`")]
    public IReadOnlyList<string> Serves { get; init; } = [];

    [Setting("Egress:AllowedNetworks", "Networks (CIDR) that hosts found by MX may be in although they are private, loopback or otherwise not public.", Reloads = true, DefaultText = "none")]
    public IReadOnlyList<string> AllowedNetworks { get; init; } = [];

    [Setting("Egress:Port", "Port of hosts found by MX; anything but 25 is for tests.", Min = 1, Max = 65535)]
    public int Port { get; init; } = 25;

    [Setting("Dns:Servers", "DNS servers as `ip` or `ip:port`.", DefaultText = "system")]
    public IReadOnlyList<string> DnsServers { get; init; } = [];

    [Setting("Dns:Timeout", "Longest wait for one answer of a DNS server; each question is sent up to three times.", Min = 0.1, Max = 60)]
    public TimeSpan DnsTimeout { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("Hostname", "Name of this relay in banner, EHLO, Received and DSN.", DefaultText = "the machine's full name")]
    public string Hostname { get; init; } = "localhost";

    [Setting("Log:Recipients", "How recipients appear in the log: full, domain or none.", Reloads = true)]
    public LoggedRecipients LogRecipients { get; init; } = LoggedRecipients.Full;

    [Setting("Egress:MaxSessions", "Most connections that this process holds to receivers at once.", Min = 1, Max = 60000)]
    public int MaxSessions { get; init; } = 500;

    [Setting("Egress:MaxRecipients", "Most recipients of one message in one transaction (RFC 5321 §4.5.3.1.8 lets a receiver stop at 100).", Min = 1, Max = 1000)]
    public int MaxRecipients { get; init; } = 100;

    [Setting("Egress:Batch", "Most messages that a session leases in one request.", Min = 1, Max = 256)]
    public int Batch { get; init; } = 16;

    [Setting("Egress:Timeouts:Connect", "Longest wait for a TCP connection.", Reloads = true, Min = 0.1, Max = 600)]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("Egress:Timeouts:Greeting", "Longest wait for the greeting (RFC 5321 §4.5.3.2.1).", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan GreetingTimeout { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("Egress:Timeouts:Ehlo", "Longest wait for the reply to EHLO, STARTTLS and AUTH, and for a TLS handshake.", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan EhloTimeout { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("Egress:Timeouts:Mail", "Longest wait for the reply to MAIL (RFC 5321 §4.5.3.2.2).", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan MailTimeout { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("Egress:Timeouts:Rcpt", "Longest wait for the reply to RCPT (RFC 5321 §4.5.3.2.3).", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan RcptTimeout { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("Egress:Timeouts:Data", "Longest wait for the reply to DATA (RFC 5321 §4.5.3.2.4).", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan DataTimeout { get; init; } = TimeSpan.FromMinutes(2);

    [Setting("Egress:Timeouts:Block", "Longest wait for a receiver to take a part of the content (RFC 5321 §4.5.3.2.5).", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan BlockTimeout { get; init; } = TimeSpan.FromMinutes(3);

    [Setting("Egress:Timeouts:Dot", "Longest wait for the reply to the final dot (RFC 5321 §4.5.3.2.6); less than 10 minutes makes duplicates.", Reloads = true, Min = 0.1, Max = 3600)]
    public TimeSpan DotTimeout { get; init; } = TimeSpan.FromMinutes(10);

    [Setting("Egress:Timeouts:Quit", "Longest wait for the reply to QUIT.", Reloads = true, Min = 0.1, Max = 300)]
    public TimeSpan QuitTimeout { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("Egress:DrainTimeout", "On shutdown: longest wait for transactions under way, after which their connections are cut.", Min = 0, Max = 900)]
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The pools whose mail this process carries.</summary>
    internal IReadOnlyList<string> ServedPools => Serves.Count > 0 ? [.. Serves.Distinct()] : [PoolName.Default, .. Pools.Keys.Where(name => name != PoolName.Default).Order(StringComparer.Ordinal)];

    public IEnumerable<string> Validate()
    {
        if (NextHop is { Length: > 0 } && MistakeOf(NextHop) is { } wrong) yield return $"Egress:NextHop: {wrong}.";
        foreach (var (domain, hop) in Routes)
        {
            var name = domain.StartsWith("*.", StringComparison.Ordinal) ? domain[2..] : domain;
            if (DnsName.Normalize(name) is null && !name.StartsWith('[')) yield return $"Egress:Routes:{domain}: not a domain; write it as in an address, in A-labels.";
            if (MistakeOf(hop) is { } mistake) yield return $"Egress:Routes:{domain}: {mistake}.";
        }

        foreach (var address in Source)
            if (!IPAddress.TryParse(address, out _)) yield return $"Egress:Source: `{address}` is not an IP address; list addresses of this machine.";
        foreach (var line in ProxyMistakes()) yield return line;
        foreach (var line in PoolMistakes()) yield return line;
        foreach (var network in AllowedNetworks)
            if (!IPNetwork.TryParse(network, out var parsed) || !network.StartsWith(parsed.BaseAddress + "/", StringComparison.OrdinalIgnoreCase)) yield return $"Egress:AllowedNetworks: `{network}` is not a network; write it as 10.0.0.0/8.";
        foreach (var server in DnsServers)
            if (!DnsServer.TryParse(server, out _)) yield return $"Dns:Servers: `{server}` is not an address; write `ip` or `ip:port`, as 127.0.0.1:53.";
    }

    private IEnumerable<string> ProxyMistakes()
    {
        if (Proxy is { Length: > 0 } && !SocksProxy.TryParse(Proxy, out _, out var error)) yield return $"Egress:Proxy: {error}.";
        if (Proxy is { Length: > 0 } && Source.Count > 0) yield return "Egress:Source: is where pool default sends from, and so is Egress:Proxy; leave one of them out.";
        if (ProxyPassword is not { Length: > 0 } file) yield break;
        string? mistake = null;
        try
        {
            SocksProxy.ReadLogin(file);
        }
        catch (InvalidDataException e)
        {
            mistake = e.Message;
        }

        if (mistake is not null) yield return $"Egress:ProxyPassword: {mistake}.";
    }

    private IEnumerable<string> PoolMistakes()
    {
        var owners = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, text) in Pools.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!PoolName.IsValid(name)) yield return $"Egress:Pools:{name}: cannot name a pool; use up to {PoolName.MaxLength} lower-case letters, digits and `-`, such as `bulk-1`.";
            if (!PoolAddress.TryParse(text, out var addresses, out var error)) yield return $"Egress:Pools:{name}: {error}.";
            // Receivers count connections and judge mail by address: of two pools both would exceed what each may.
            foreach (var address in addresses.Select(a => a.Source).OfType<string>())
                if (!owners.TryAdd(address, name) && owners[address] != name) yield return $"Egress:Pools:{name}: `{address}` is in pool {owners[address]} too; leave it in one of them.";
        }

        if (Pools.Count > MaxPools) yield return $"Egress:Pools: names {Pools.Count} pools; a process serves {MaxPools} at most: give each process its own.";
        if (Source.Count > 0 && Pools.ContainsKey(PoolName.Default)) yield return "Egress:Source: is where pool default sends from, which Egress:Pools:default says already; leave one of them out.";
        foreach (var name in Serves.Where(name => name != PoolName.Default && !(PoolName.IsValid(name) && Pools.ContainsKey(name))))
            yield return $"Egress:Serves: there is no Egress:Pools:{name}; set it, or leave `{name}` out.";
    }

    // A file that can be read now may be gone later: then the route rests, and says why.
    private static string? MistakeOf(string text)
    {
        if (!Routing.NextHop.TryParse(text, out var hop, out var error)) return error;
        try
        {
            if (hop.LoginFile is { } login) HopFiles.ReadLogin(login);
            if (hop.AuthorityFile is { } authorities) HopFiles.ReadAuthorities(authorities).Clear();
            return null;
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }
}
