using System.Globalization;
using System.IO.Hashing;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Routing;
using Angarium.Mail;

namespace Angarium.Egress.Routing;

/// <summary>
/// Finds where a domain's mail goes: by an operator's route, else by that of its tenant (on silos, which egress follows), else by MX (RFC 5321 §5.1, RFC 7505). Holds nothing but caches; any
/// thread. What DNS says is hostile: names that are no host names are dropped, counts are bounded, and nothing it says throws.
/// </summary>
internal sealed class RouteResolver : IRouteResolver, IDisposable
{
    /// <summary>Hosts beyond these in order of preference are not tried; addresses of one host likewise.</summary>
    public const int MaxHosts = 16;

    private const int MaxAliases = 8;

    /// <summary>How long what a tenant says of its domain is taken for true.</summary>
    private static readonly TimeSpan NamedFor = TimeSpan.FromSeconds(15);

    private readonly IDnsSource dns;
    private readonly DnsCache cache;
    private readonly ISettings<EgressOptions> settings;
    private readonly Func<IReadOnlySet<IPAddress>> ownAddresses;
    private readonly IInboundRoutes? inbound;
    private readonly IDisposable subscription;
    private volatile Rules rules;

    /// <summary>The settings that routing needs, parsed.</summary>
    private sealed record Rules(NextHop? Default, Dictionary<string, NextHop> Routes, IReadOnlyList<IPNetwork> Allowed);

    public RouteResolver(ISettings<EgressOptions> settings, IDnsSource dns, TimeProvider time, IInboundRoutes? inbound)
        : this(settings, dns, time, new OwnAddresses(time).Current, inbound)
    {
    }

    public RouteResolver(ISettings<EgressOptions> settings, IDnsSource dns, TimeProvider time, Func<IReadOnlySet<IPAddress>> ownAddresses, IInboundRoutes? inbound = null)
    {
        this.settings = settings;
        this.dns = dns;
        this.ownAddresses = ownAddresses;
        this.inbound = inbound;
        cache = new DnsCache(dns, time);
        rules = Parse(settings.Current);
        subscription = settings.OnChange(options => rules = Parse(options));
    }

    public void Dispose() => subscription.Dispose();

    public async ValueTask<SiteRoute> ResolveSiteAsync(string domain, CancellationToken cancellationToken)
    {
        if (inbound is null || !inbound.MayName(domain)) return (await ResolveAsync(domain, cancellationToken)).ToSite();
        // What an operator set for this very domain comes before what its tenant says, and that before what holds for all.
        var named = FindOwnRoute(domain) is null ? await inbound.FindAsync(domain, cancellationToken) : null;
        var site = (named is null ? await ResolveAsync(domain, cancellationToken) : OfTenant(named)).ToSite();
        return site with { ValidFor = site.ValidFor < NamedFor ? site.ValidFor : NamedFor };
    }

    public bool MayBeNamed(string domain) => inbound?.MayName(domain) == true;

    public async ValueTask<string?> RefuseAsync(string domain, InboundRoute? route, CancellationToken cancellationToken)
    {
        if (route is null) return (await ResolveAsync(domain, cancellationToken)).Trouble is { } nowhere ? $"By MX its mail goes nowhere: {nowhere.Text}. Name the host that takes it." : null;
        if (OfTenant(route).Trouble is not null) return "It is this relay itself.";
        if (route.IsPrivate) return null;
        if (route.Address is { } address) return Judge(route.Host, [address]).Trouble is null ? null : "It is not a public address.";
        return route.Host.Contains('.', StringComparison.Ordinal) ? null : "It is not the full name of a host.";
    }

    public async ValueTask<RouteExplanation> ExplainAsync(string domain, CancellationToken cancellationToken)
    {
        var own = FindOwn(domain);
        var named = own is null && inbound?.MayName(domain) == true ? await inbound.FindAsync(domain, cancellationToken) : null;
        var route = named is null ? await ResolveAsync(domain, cancellationToken) : OfTenant(named);
        var hosts = new List<string>();
        foreach (var host in route.Hosts)
        {
            var found = await AddressesAsync(route, host, cancellationToken);
            hosts.Add(string.Create(CultureInfo.InvariantCulture, $"{host.Name}:{host.Port} {(found.Addresses.Count > 0 ? string.Join(' ', found.Addresses) : found.Trouble?.Text)}"));
        }

        var from = own is { } set ? "Egress:Routes:" + set.Name : named is not null ? "the inbound domain of its tenant" : rules.Default is null ? "MX" : "Egress:NextHop";
        return new RouteExplanation(route.ToSite(), route.Hop is null && named is null && from != "MX" ? $"MX, as {from} says" : from, hosts, route.Trouble);
    }

    /// <summary>Where a session of this site carries the domain's mail: to the host that the site is named after, where a tenant named it, else wherever the mail goes now.</summary>
    public ValueTask<MailRoute> ResolveAsync(string domain, string site, CancellationToken cancellationToken) =>
        InboundRoute.OfSite(site) is { } route ? new(OfTenant(route)) : ResolveAsync(domain, cancellationToken);

    public async ValueTask<MailRoute> ResolveAsync(string domain, CancellationToken cancellationToken)
    {
        if (FindRoute(domain) is { IsMx: false } hop)
        {
            return new MailRoute { Site = hop.Site, Hop = hop, Hosts = [new RouteHost(hop.Host, hop.Port, hop.Address)], ValidFor = TimeSpan.FromMinutes(1) };
        }

        var port = settings.Current.Port;
        if (domain.StartsWith('[')) return ResolveLiteral(domain, port);
        if (DnsName.Normalize(domain) is not { } name) return Nowhere(domain, new Reply(550, new(5, 1, 2), "the domain is not one that DNS can hold"), DnsCache.Most);

        var answer = await FollowAsync(name, DnsKind.Mx, cancellationToken);
        if (answer.Status == DnsStatus.Trouble) return Nowhere(domain, Temporary("MX", name, answer), answer.TimeToLive);
        if (answer.Status == DnsStatus.NoSuchName) return Nowhere(domain, new Reply(550, new(5, 1, 2), $"there is no domain {name}"), answer.TimeToLive);
        return answer.Mx.Count > 0 ? OfMx(name, answer, port) : await ImplicitMxAsync(name, answer.TimeToLive, port, cancellationToken);
    }

    /// <summary>Both families in turn, IPv6 first; only public addresses unless <paramref name="route"/> is an operator's.</summary>
    public async ValueTask<HostAddresses> AddressesAsync(MailRoute route, RouteHost host, CancellationToken cancellationToken)
    {
        var found = await FindAddressesAsync(route, host, cancellationToken);
        return route.IsNamed && found.Trouble is { IsPermanent: true } trouble
            ? new HostAddresses([], trouble with { Code = 451, Status = trouble.Status with { Class = 4 } })
            : found;
    }

    private async ValueTask<HostAddresses> FindAddressesAsync(MailRoute route, RouteHost host, CancellationToken cancellationToken)
    {
        if (host.Address is not null) return route.Hop is null ? Judge(host.Name, [host.Address]) : new HostAddresses([host.Address], null);
        // An operator's name may be one of the hosts file or of the search list.
        if (route.Hop is not null && !host.Name.Contains('.', StringComparison.Ordinal)) return await SystemAsync(host.Name, cancellationToken);

        var six = FollowAsync(host.Name, DnsKind.Aaaa, cancellationToken);
        var four = await FollowAsync(host.Name, DnsKind.A, cancellationToken);
        var answers = (Six: await six, Four: four);
        var found = Alternate(answers.Six.Addresses, answers.Four.Addresses);
        if (found.Count > 0) return route.Hop is null ? Judge(host.Name, found) : new HostAddresses(found, null);
        if (route.Hop is not null)
        {
            var known = await SystemAsync(host.Name, cancellationToken);
            if (known.Addresses.Count > 0) return known;
        }

        if (route.Hop is not null) return new HostAddresses([], new Reply(451, new(4, 4, 3), $"the next hop {host.Name} has no address now"));
        if (answers.Four.Status == DnsStatus.Trouble) return new HostAddresses([], Temporary("A", host.Name, answers.Four));
        if (answers.Six.Status == DnsStatus.Trouble) return new HostAddresses([], Temporary("AAAA", host.Name, answers.Six));
        return new HostAddresses([], new Reply(550, new(5, 4, 4), $"the mail host {host.Name} has no address"));
    }

    private NextHop? FindRoute(string domain) => FindOwnRoute(domain) ?? rules.Default;

    private NextHop? FindOwnRoute(string domain) => FindOwn(domain)?.Hop;

    private (string Name, NextHop Hop)? FindOwn(string domain)
    {
        var now = rules;
        if (now.Routes.Count == 0) return null;
        if (now.Routes.TryGetValue(domain, out var hop)) return (domain, hop);
        for (var dot = domain.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = domain.IndexOf('.', dot + 1))
            if (now.Routes.TryGetValue("*" + domain[dot..], out hop)) return ("*" + domain[dot..], hop);
        return null;
    }

    private MailRoute OfTenant(InboundRoute route)
    {
        // One that may lead into the operator's networks is an operator's.
        NextHop? hop = null;
        if (route.IsPrivate && !NextHop.TryParse(route.ToString(), out hop, out var error)) throw new ArgumentException(error, nameof(route));
        return new MailRoute
        {
            Site = route.Site,
            IsNamed = true,
            Hop = hop,
            Hosts = [new RouteHost(route.Address is { } address ? $"[{address}]" : route.Host, route.Port, route.Address)],
            Trouble = route.Host == DnsName.Normalize(settings.Current.Hostname) ? new Reply(451, new(4, 4, 6), $"the route to {route.Host} loops back to this host") : null,
            ValidFor = NamedFor,
        };
    }

    // RFC 5321 §5.1: by preference, equals in random order; our own name ends the list.
    private MailRoute OfMx(string domain, DnsAnswer answer, int port)
    {
        // RFC 7505 §3: a single MX of the root says that the domain takes no mail.
        if (answer.Mx.All(mx => mx.Host is "")) return Nowhere(domain, new Reply(556, new(5, 1, 10), $"{domain} accepts no mail (null MX)"), answer.TimeToLive);

        var own = DnsName.Normalize(settings.Current.Hostname);
        var ownPreference = answer.Mx.Where(mx => mx.Host == own).Select(mx => mx.Preference).DefaultIfEmpty(int.MaxValue).Min();
        var usable = answer.Mx
            .Where(mx => mx.Host is { Length: > 0 } && !IPAddress.TryParse(mx.Host, out _))
            .GroupBy(mx => mx.Host!, (host, same) => (Host: host, Preference: same.Min(mx => mx.Preference)))
            .ToList();
        if (usable.Count == 0) return Nowhere(domain, new Reply(550, new(5, 4, 4), $"no MX of {domain} is a host name"), answer.TimeToLive);

        var ahead = usable.Where(mx => mx.Preference < ownPreference).ToList();
        if (ahead.Count == 0) return Nowhere(domain, new Reply(554, new(5, 4, 6), $"mail for {domain} loops back to this host"), answer.TimeToLive);

        var hosts = ahead.OrderBy(mx => mx.Preference).ThenBy(_ => Random.Shared.Next()).Select(mx => mx.Host).ToList();
        return new MailRoute
        {
            // The whole set names the site, in an order that no shuffle changes.
            Site = SiteName("mx:", ahead.OrderBy(mx => mx.Preference).ThenBy(mx => mx.Host, StringComparer.Ordinal).Take(MaxHosts).Select(mx => mx.Host)),
            Hosts = [.. hosts.Take(MaxHosts).Select(host => new RouteHost(host, port))],
            ValidFor = answer.TimeToLive,
        };
    }

    // RFC 5321 §5.1: without MX the domain itself is the host, with preference 0.
    private async ValueTask<MailRoute> ImplicitMxAsync(string domain, TimeSpan validFor, int port, CancellationToken cancellationToken)
    {
        var six = FollowAsync(domain, DnsKind.Aaaa, cancellationToken);
        var four = await FollowAsync(domain, DnsKind.A, cancellationToken);
        var other = await six;
        if (four.Addresses.Count + other.Addresses.Count > 0)
        {
            return domain == DnsName.Normalize(settings.Current.Hostname)
                ? Nowhere(domain, new Reply(554, new(5, 4, 6), $"mail for {domain} loops back to this host"), validFor)
                : new MailRoute { Site = SiteName("mx:", [domain]), Hosts = [new RouteHost(domain, port)], ValidFor = validFor };
        }

        if (four.Status == DnsStatus.Trouble) return Nowhere(domain, Temporary("A", domain, four), four.TimeToLive);
        if (other.Status == DnsStatus.Trouble) return Nowhere(domain, Temporary("AAAA", domain, other), other.TimeToLive);
        return Nowhere(domain, new Reply(550, new(5, 4, 4), $"{domain} has neither MX nor address"), validFor);
    }

    // RFC 5321 §4.1.3.
    private static MailRoute ResolveLiteral(string domain, int port)
    {
        var text = domain.AsSpan().Trim("[]");
        var tagged = text.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase);
        if (!IPAddress.TryParse(tagged ? text[5..] : text, out var address) || tagged != (address.AddressFamily == AddressFamily.InterNetworkV6))
        {
            return Nowhere(domain, new Reply(550, new(5, 1, 3), "the address literal is not one of IPv4 or IPv6"), DnsCache.Most);
        }

        return new MailRoute { Site = $"mx:[{address}]", Hosts = [new RouteHost($"[{address}]", port, address)], ValidFor = DnsCache.Most };
    }

    private static MailRoute Nowhere(string domain, Reply trouble, TimeSpan validFor) =>
        new() { Site = SiteName("dns:", [domain]), Trouble = trouble, ValidFor = validFor };

    // A grain key: bounded, whatever DNS says.
    private static string SiteName(string kind, IEnumerable<string> names)
    {
        var text = kind + string.Join(',', names.Order(StringComparer.Ordinal));
        return text.Length <= SiteRoute.MaxName ? text : $"{text.AsSpan(0, 400)}…#{XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(text)):x32}";
    }

    private static Reply Temporary(string kind, string name, DnsAnswer answer) =>
        new(451, new(4, 4, 3), string.Create(CultureInfo.InvariantCulture, $"{kind} of {name} could not be looked up: {answer.Detail}"));

    private async Task<DnsAnswer> FollowAsync(string name, DnsKind kind, CancellationToken cancellationToken)
    {
        for (var i = 0; i < MaxAliases; i++)
        {
            var answer = await cache.QueryAsync(name, kind, cancellationToken);
            if (answer.Alias is not { } alias) return answer;
            name = alias;
        }

        return DnsAnswer.Trouble("the aliases do not end") with { TimeToLive = DnsCache.Least };
    }

    private async ValueTask<HostAddresses> SystemAsync(string host, CancellationToken cancellationToken)
    {
        var addresses = await dns.SystemAddressesAsync(host, cancellationToken);
        return addresses.Count > 0
            ? new HostAddresses([.. addresses.Take(MaxHosts)], null)
            : new HostAddresses([], new Reply(451, new(4, 4, 3), $"the next hop {host} has no address now"));
    }

    private HostAddresses Judge(string host, List<IPAddress> found)
    {
        var allowed = rules.Allowed;
        var own = ownAddresses();
        var usable = found.Where(a => AddressPolicy.Contains(allowed, a) || (AddressPolicy.IsPublic(a) && !own.Contains(a))).Take(MaxHosts).ToList();
        return usable.Count > 0
            ? new HostAddresses(usable, null)
            : new HostAddresses([], new Reply(550, new(5, 4, 4), $"the addresses of {host} are not public, or our own: {found[0]}"));
    }

    private static List<IPAddress> Alternate(IReadOnlyList<IPAddress> six, IReadOnlyList<IPAddress> four)
    {
        // Equals in random order: a host name with many addresses is a pool of machines.
        var a = six.OrderBy(_ => Random.Shared.Next()).ToList();
        var b = four.OrderBy(_ => Random.Shared.Next()).ToList();
        var all = new List<IPAddress>(a.Count + b.Count);
        for (var i = 0; i < Math.Max(a.Count, b.Count); i++)
        {
            if (i < a.Count) all.Add(a[i]);
            if (i < b.Count) all.Add(b[i]);
        }

        return all;
    }

    private static Rules Parse(EgressOptions options)
    {
        var routes = new Dictionary<string, NextHop>(StringComparer.OrdinalIgnoreCase);
        foreach (var (domain, text) in options.Routes)
            if (NextHop.TryParse(text, out var hop, out _)) routes[domain.TrimEnd('.').ToLowerInvariant()] = hop;
        NextHop? all = null;
        if (options.NextHop is { Length: > 0 } next && !NextHop.TryParse(next, out all, out _)) all = null;
        return new Rules(all, routes, [.. options.AllowedNetworks.Select(IPNetwork.Parse)]);
    }

    /// <summary>The addresses of this machine's interfaces, read at most once a minute.</summary>
    internal sealed class OwnAddresses(TimeProvider time)
    {
        private readonly Lock gate = new();
        private HashSet<IPAddress>? addresses;
        private long since;

        public HashSet<IPAddress> Current()
        {
            lock (gate)
            {
                if (addresses is not null && time.GetElapsedTime(since) < TimeSpan.FromMinutes(1)) return addresses;
                since = time.GetTimestamp();
                try
                {
                    return addresses = [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)];
                }
                catch (NetworkInformationException)
                {
                    return addresses ??= [];
                }
            }
        }
    }
}
