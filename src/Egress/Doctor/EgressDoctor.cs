using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Angarium.Contracts.Doctor;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Pools;
using Angarium.Egress.Proxies;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using DnsClient;
using DnsClient.Protocol;

namespace Angarium.Egress.Doctor;

/// <summary>
/// What receivers ask of whoever sends, looked at from this machine: DNS answers and validates, each source has a name that leads back to it (its reverse DNS, and the name that it greets with), and port 25
/// is open outwards. Asks the configured DNS servers and one mail host, and nobody else. Runs once; no state.
/// </summary>
public static class EgressDoctor
{
    /// <summary>Tried where no next hop and no other host is named: a receiver that is there.</summary>
    public const string DefaultTarget = "gmail-smtp-in.l.google.com";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <param name="options">The settings of the role.</param>
    /// <param name="target">`host` or `host:port` to connect to; null = the next hop, else <see cref="DefaultTarget"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async IAsyncEnumerable<Finding> ExamineAsync(EgressOptions options, string? target, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var dns = Client(options);
        yield return await AnswersAsync(dns, cancellationToken);
        var (host, port) = TargetOf(options, target);
        var addresses = await AddressesAsync(dns, host, cancellationToken);
        if (addresses.Count == 0) yield return Finding.Failed("port 25", $"{host} has no address now", "Look at the DNS above, or name another host with --target.");
        foreach (var source in Sources(options))
        {
            if (source.Proxy is { } proxy) yield return Finding.Warning($"name of {proxy}", "receivers see its address, which is not known here", $"See to it that the reverse DNS of that address is {source.Name ?? options.Hostname}, and that this name has it.");
            var families = source.Address is { } own ? [own.AddressFamily] : addresses.Select(a => a.AddressFamily).Distinct().ToArray();
            foreach (var family in families)
            {
                var remote = addresses.Find(a => a.AddressFamily == family);
                var local = source.Proxy is not null ? null : source.Address ?? (remote is null ? null : LocalTo(remote));
                if (local is not null) await foreach (var finding in NamedAsync(dns, source, local, options.Hostname, cancellationToken)) yield return finding;
                if (remote is not null) yield return await ConnectAsync(source, host, new IPEndPoint(remote, port), cancellationToken);
            }
        }
    }

    private static LookupClient Client(EgressOptions options)
    {
        var servers = options.DnsServers.Select(text => DnsServer.TryParse(text, out var server) ? server : null).OfType<IPEndPoint>().ToArray();
        var lookup = servers.Length > 0 ? new LookupClientOptions(servers) : new LookupClientOptions();
        (lookup.UseCache, lookup.ThrowDnsErrors, lookup.Timeout, lookup.Retries, lookup.RequestDnsSecRecords) = (false, false, options.DnsTimeout, 1, true);
        return new LookupClient(lookup);
    }

    /// <summary>Of all pools that this process serves; the system's choice where a pool has none.</summary>
    private static IEnumerable<PoolAddress> Sources(EgressOptions options) => options.ServedPools.SelectMany(pool => PoolSources.AddressesOf(pool, options) is { Count: > 0 } own ? own : [PoolAddress.OfSystem]);

    private static (string Host, int Port) TargetOf(EgressOptions options, string? target)
    {
        if (target is not null)
        {
            if (IPEndPoint.TryParse(target, out var literal)) return (literal.Address.ToString(), literal.Port > 0 ? literal.Port : options.Port);
            var colon = target.LastIndexOf(':');
            return colon > 0 && int.TryParse(target.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? (target[..colon], port) : (target, options.Port);
        }

        return options.NextHop is { Length: > 0 } next && NextHop.TryParse(next, out var hop, out _) && !hop.IsMx ? (hop.Address?.ToString() ?? hop.Host, hop.Port) : (DefaultTarget, options.Port);
    }

    /// <summary>RFC 4035 §3.2.3: the AD bit of an answer says that its server has validated it; the root is signed.</summary>
    private static async Task<Finding> AnswersAsync(LookupClient dns, CancellationToken cancellationToken)
    {
        var servers = string.Join(", ", dns.NameServers.Select(server => server.ToString()));
        var began = Stopwatch.GetTimestamp();
        try
        {
            var answer = await dns.QueryAsync(".", QueryType.SOA, QueryClass.IN, cancellationToken);
            var text = string.Create(CultureInfo.InvariantCulture, $"{answer.NameServer} answers in {Stopwatch.GetElapsedTime(began).TotalMilliseconds:f0} ms");
            if (answer.HasError) return Finding.Failed("DNS", $"{answer.NameServer} answers {answer.Header.ResponseCode} when it is asked for the root", "Set Dns:Servers to resolvers that answer this machine.");
            return answer.Header.IsAuthenticData
                ? Finding.Ok("DNS", text + ", and validates DNSSEC (AD)")
                : Finding.Warning("DNS", text + ", and does not say that it validates DNSSEC: no AD bit", "Use a validating resolver on a network that nobody else is in, such as unbound on this machine.");
        }
        catch (Exception e) when (e is DnsResponseException or SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return Finding.Failed("DNS", $"no answer from {servers}", "Set Dns:Servers to resolvers that answer this machine.");
        }
    }

    /// <summary>The reverse DNS of the address is the name that it greets with, and that name leads back to the address: else many receivers refuse.</summary>
    private static async IAsyncEnumerable<Finding> NamedAsync(LookupClient dns, PoolAddress source, IPAddress address, string hostname, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var name = DnsName.Normalize(source.Name ?? hostname) ?? hostname;
        var check = $"name of {address}";
        if (source.Address is null && !AddressPolicy.IsPublic(address))
        {
            yield return Finding.Warning(check, "it is not a public address: which one receivers see is not known here", $"See to it that the reverse DNS of the public address is {name}, and that {name} has that address.");
            yield break;
        }

        var (pointers, trouble) = await PointersAsync(dns, address, cancellationToken);
        var forward = await AddressesAsync(dns, name, cancellationToken);
        if (trouble is not null) yield return Finding.Failed(check, $"its reverse DNS cannot be looked up: {trouble}", "Look at the DNS above.");
        else if (!pointers.Contains(name)) yield return Finding.Failed(check, pointers.Count == 0 ? "it has no reverse DNS (PTR)" : $"its reverse DNS is {string.Join(", ", pointers)}, and it greets as {name}", $"Have whoever owns the address set its reverse DNS to {name}, or let it greet as its reverse DNS says.");
        else if (!forward.Contains(address)) yield return Finding.Failed(check, $"its reverse DNS is {name}, which does not lead back to it ({(forward.Count == 0 ? "no address" : string.Join(", ", forward))})", $"Publish {address} as an address of {name}.");
        else yield return Finding.Ok(check, $"its reverse DNS is {name}, which leads back to it and is what it greets with");
    }

    private static async Task<(List<string> Names, string? Trouble)> PointersAsync(LookupClient dns, IPAddress address, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await dns.QueryReverseAsync(address, cancellationToken);
            if (answer.HasError && answer.Header.ResponseCode != DnsHeaderResponseCode.NotExistentDomain) return ([], answer.Header.ResponseCode.ToString());
            return ([.. answer.Answers.OfType<PtrRecord>().Select(pointer => DnsName.Normalize(pointer.PtrDomainName.Value)).OfType<string>()], null);
        }
        catch (Exception e) when (e is DnsResponseException or SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return ([], "no DNS server answered in time");
        }
    }

    private static async Task<List<IPAddress>> AddressesAsync(LookupClient dns, string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal)) return [literal];
        var found = new List<IPAddress>();
        foreach (var type in new[] { QueryType.A, QueryType.AAAA })
        {
            try
            {
                var answer = await dns.QueryAsync(host, type, QueryClass.IN, cancellationToken);
                found.AddRange(answer.Answers.OfType<AddressRecord>().Select(record => record.Address));
            }
            catch (Exception e) when (e is DnsResponseException or SocketException or ArgumentException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                // It has none that could be found; what asks says so.
            }
        }

        return found;
    }

    /// <summary>The address that the system would send from: nothing is sent.</summary>
    private static IPAddress? LocalTo(IPAddress remote)
    {
        using var socket = new Socket(remote.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Connect(new IPEndPoint(remote, 25));
            return ((IPEndPoint)socket.LocalEndPoint!).Address;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private static async Task<Finding> ConnectAsync(PoolAddress source, string host, IPEndPoint remote, CancellationToken cancellationToken)
    {
        const string Fix = "Providers close port 25 outwards until they are asked to open it; look at their rules, at the firewall, and at routing. Else send through a smart host: Egress:NextHop.";
        var check = source.Source is { } own ? $"port {remote.Port} from {own}" : $"port {remote.Port}";
        var began = Stopwatch.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        try
        {
            using var socket = source.Proxy is { } proxy ? await SocksClient.ConnectAsync(proxy, new RouteEndPoint(host, remote.Address, remote.Port), limit.Token) : new Socket(remote.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (source.Proxy is null)
            {
                if (source.Address is { } local) socket.Bind(new IPEndPoint(local, 0));
                await socket.ConnectAsync(remote, limit.Token);
            }

            await using var stream = new NetworkStream(socket);
            using var reader = new StreamReader(stream, System.Text.Encoding.Latin1);
            var greeting = await reader.ReadLineAsync(limit.Token) ?? "";
            var took = string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(began).TotalMilliseconds:f0} ms");
            if (!greeting.StartsWith("220", StringComparison.Ordinal)) return Finding.Failed(check, $"{host} [{remote.Address}] greets with `{Printable(greeting)}`", Fix);
            await stream.WriteAsync("QUIT\r\n"u8.ToArray(), limit.Token);
            return Finding.Ok(check, $"{host} [{remote.Address}] greeted in {took}: {Printable(greeting)}");
        }
        catch (Exception e) when (e is SocketException or IOException or AttemptException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return Finding.Failed(check, $"{host} [{remote.Address}] cannot be reached: {(e is OperationCanceledException ? "no answer in 10 s" : e.Message)}", Fix);
        }
    }

    private static string Printable(string text) => new([.. text.Take(120).Select(c => c is >= ' ' and <= '~' ? c : '?')]);
}
