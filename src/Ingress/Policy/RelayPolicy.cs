using System.Collections.Frozen;
using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Ingress.Files;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Mail.Status;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Policy;

/// <summary>What a client may do: relay anywhere for its tenant, or send to the configured domains only. One that is trusted is spared the limits; one that logged in is not.</summary>
internal readonly record struct ClientStanding(bool IsTrusted, string Tenant, bool HasLoggedIn = false)
{
    public static ClientStanding Outsider => new(false, "default");

    /// <summary>To any domain; and notices go to whom it names as the sender.</summary>
    public bool MayRelay => IsTrusted || HasLoggedIn;
}

/// <summary>What becomes of one RCPT: a refusal, or the address for the envelope and the domain of its queue.</summary>
internal readonly record struct RecipientVerdict(Reply? Refusal, string Address, string Domain)
{
    /// <summary>Refused, unless a tenant takes mail for the domain.</summary>
    public bool MayBeInbound { get; init; }
}

/// <summary>
/// Whose word counts, and who may relay: trusted networks anywhere; anyone to a recipient of a configured domain, or of one that a tenant takes mail for, which is asked elsewhere; nobody else (never an open relay).
/// Questions may come from any thread and see one consistent set of rules; <see cref="Refresh"/> is called by one timer. A list that cannot be read leaves the old in place.
/// </summary>
internal sealed partial class RelayPolicy : IDisposable
{
    public static readonly Reply RelayDenied = new(554, MailStatus.NotAuthorised, "Relay access denied");
    public static readonly Reply NoSuchUser = new(550, MailStatus.BadMailbox, "No such recipient here");

    private readonly ISettings<IngressOptions> _settings;
    private readonly ILogger<RelayPolicy> _log;
    private readonly Lock _building = new();
    private readonly Dictionary<string, FileStamp> _bad = new(StringComparer.Ordinal);
    private readonly IDisposable _subscription;
    private volatile Rules _rules;

    /// <exception cref="IOException">A list cannot be read.</exception>
    /// <exception cref="FormatException">A list is not one.</exception>
    public RelayPolicy(ISettings<IngressOptions> settings, ILogger<RelayPolicy> log)
    {
        (_settings, _log) = (settings, log);
        _rules = Build(settings.Current, null);
        _subscription = settings.OnChange(Apply);
        if (_rules.Networks.Length == 0 && _rules.Domains.Count == 0) NothingRelayed();
    }

    public static string? Validate(string domain, string source)
    {
        if (!QueueDomain.TryParse(domain, out var key) || key.IsLiteral) return "is not a domain name; write it as example.org";
        if (source.Length == 0) return "is empty; name a readable file with one recipient a line, or *";
        try
        {
            RecipientList.Load(key.Value, source);
            return null;
        }
        catch (Exception e) when (IsExpected(e))
        {
            return $"{OneLine(e)}; name a readable file with one recipient a line, or *";
        }
    }

    /// <summary>The standing of a client for the length of its connection.</summary>
    public ClientStanding Classify(IPAddress client)
    {
        if (client.IsIPv4MappedToIPv6) client = client.MapToIPv4();
        foreach (var network in _rules.Networks)
            if (network.Network.Contains(client)) return new ClientStanding(true, network.Tenant);
        return ClientStanding.Outsider;
    }

    /// <summary>Whether a connection from there begins with a PROXY header, which is believed.</summary>
    public bool IsProxy(IPAddress peer)
    {
        var proxies = _rules.Proxies;
        if (proxies.Length == 0) return false;
        if (peer.IsIPv4MappedToIPv6) peer = peer.MapToIPv4();
        return Array.Exists(proxies, network => network.Contains(peer));
    }

    /// <param name="recipient">Null = `&lt;postmaster&gt;` without a domain.</param>
    public RecipientVerdict Judge(ClientStanding client, MailAddress? recipient)
    {
        var rules = _rules;
        // RFC 5321 §4.5.1: a relay takes mail for its postmaster, with and without the domain.
        if (recipient is null)
        {
            var home = rules.PostmasterDomain ?? (client.MayRelay && QueueDomain.TryParse(_settings.Current.Hostname, out var host) ? host.Value : null);
            return home is null ? new(RelayDenied, "", "") : new(null, "postmaster@" + home, home);
        }

        var domain = recipient.QueueDomain.Value;
        if (!rules.Domains.TryGetValue(domain, out var list))
            return client.MayRelay ? new(null, recipient.ToString(), domain) : new(RelayDenied, "", "") { MayBeInbound = !recipient.QueueDomain.IsLiteral };
        var mailbox = recipient.Mailbox;
        if (mailbox.Equals("postmaster", StringComparison.OrdinalIgnoreCase)) return new(null, recipient.ToString(), domain);
        // `user%other@here`, `other!user@here` and `"user@other"@here` ask the next hop to send on what it trusts from us: only names in the list may look so.
        if (!client.MayRelay && mailbox.AsSpan().ContainsAny('@', '%', '!') && !list.NamesExpressly(mailbox)) return new(RelayDenied, "", "");
        // The list says who exists, to trusted clients too: what can be refused here makes no notice later.
        return list.Names(mailbox) ? new(null, recipient.ToString(), domain) : new(NoSuchUser, "", "");
    }

    /// <summary>Reads again the lists whose files have changed.</summary>
    public void Refresh()
    {
        foreach (var (_, list) in _rules.Domains)
        {
            if (list.Source == "*" || FileStamp.Of(list.Source) == list.Stamp) continue;
            Apply(_settings.Current);
            return;
        }
    }

    public void Dispose() => _subscription.Dispose();

    private void Apply(IngressOptions options)
    {
        lock (_building)
        {
            try
            {
                _rules = Build(options, _rules);
            }
            catch (Exception e) when (IsExpected(e))
            {
                // The settings were good when they were checked, and a file has gone since.
                RulesKept(OneLine(e));
            }
        }
    }

    private Rules Build(IngressOptions options, Rules? old)
    {
        var networks = new List<TrustedNetwork>();
        foreach (var text in options.TrustedNetworks)
        {
            if (TrustedNetwork.TryParse(text, out var network, out var error)) networks.Add(network);
            else throw new FormatException($"Ingress:TrustedNetworks: '{text}' {error}");
        }

        var proxies = new List<IPNetwork>();
        foreach (var text in options.ProxyNetworks)
        {
            if (TrustedNetwork.TryParseCidr(text, out var network, out var error)) proxies.Add(network);
            else throw new FormatException($"Ingress:ProxyNetworks: '{text}' {error}");
        }

        // The longest prefix decides: a tenant's network within a larger one.
        networks.Sort((a, b) => b.Network.PrefixLength.CompareTo(a.Network.PrefixLength));
        var domains = new Dictionary<string, RecipientList>(StringComparer.Ordinal);
        foreach (var (name, source) in options.Domains)
        {
            if (!QueueDomain.TryParse(name, out var domain)) throw new FormatException($"Ingress:Domains: '{name}' is not a domain name");
            domains[domain.Value] = ListOf(domain.Value, source, old?.Domains.GetValueOrDefault(domain.Value));
        }

        return new Rules([.. networks], [.. proxies], domains.ToFrozenDictionary(StringComparer.Ordinal), PostmasterDomain(options.Hostname, domains.Keys));
    }

    private RecipientList ListOf(string domain, string source, RecipientList? old)
    {
        if (old is not null && old.Source != source) old = null;
        var stamp = source == "*" ? FileStamp.None : FileStamp.Of(source);
        if (old is not null && (old.Stamp == stamp || _bad.TryGetValue(domain, out var bad) && bad == stamp)) return old;
        try
        {
            var list = RecipientList.Load(domain, source);
            _bad.Remove(domain);
            if (source != "*") ListTaken(domain, list.Count, source);
            return list;
        }
        catch (Exception e) when (old is not null && IsExpected(e))
        {
            _bad[domain] = stamp;
            ListKept(domain, OneLine(e));
            return old;
        }
    }

    // Where mail for `<postmaster>` goes: the configured domain that this host is in, else the first.
    private static string? PostmasterDomain(string hostname, IEnumerable<string> domains)
    {
        var sorted = domains.Order(StringComparer.Ordinal).ToArray();
        var name = QueueDomain.TryParse(hostname, out var host) ? host.Value : "";
        return sorted.FirstOrDefault(domain => name == domain || name.EndsWith("." + domain, StringComparison.Ordinal)) ?? sorted.FirstOrDefault();
    }

    private static bool IsExpected(Exception e) => e is IOException or UnauthorizedAccessException or FormatException or ArgumentException;

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");

    private sealed record Rules(TrustedNetwork[] Networks, IPNetwork[] Proxies, FrozenDictionary<string, RecipientList> Domains, string? PostmasterDomain);
}
