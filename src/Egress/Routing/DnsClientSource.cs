using System.Net;
using System.Net.Sockets;
using Angarium.Contracts.Configuration;
using DnsClient;
using DnsClient.Protocol;

namespace Angarium.Egress.Routing;

/// <summary>DNS over DnsClient, its cache off. Whatever a server answers, even what the library cannot read, ends as a <see cref="DnsAnswer"/>. Any thread.</summary>
internal sealed class DnsClientSource : IDnsSource
{
    private readonly LookupClient client;
    private readonly TimeSpan longest;

    public DnsClientSource(ISettings<EgressOptions> settings)
    {
        var options = settings.Current;
        var servers = options.DnsServers.Select(text => DnsServer.TryParse(text, out var server) ? server : null).OfType<IPEndPoint>().ToArray();
        var lookup = servers.Length > 0 ? new LookupClientOptions(servers) : new LookupClientOptions();
        lookup.UseCache = false;
        lookup.ThrowDnsErrors = false;
        lookup.Timeout = options.DnsTimeout;
        lookup.Retries = 2;
        lookup.Recursion = true;
        longest = options.DnsTimeout * 4;
        client = new LookupClient(lookup);
    }

    public async Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(longest);
        try
        {
            var type = kind switch { DnsKind.Mx => QueryType.MX, DnsKind.A => QueryType.A, DnsKind.Txt => QueryType.TXT, DnsKind.Cname => QueryType.CNAME, _ => QueryType.AAAA };
            var response = await client.QueryAsync(name + ".", type, QueryClass.IN, limit.Token);
            return response.Header.ResponseCode switch
            {
                DnsHeaderResponseCode.NoError => Read(response, kind),
                DnsHeaderResponseCode.NotExistentDomain => new DnsAnswer { Status = DnsStatus.NoSuchName, TimeToLive = NegativeTimeToLive(response) },
                var code => DnsAnswer.Trouble($"the DNS server answered {code}"),
            };
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The library throws many types for what servers send; none of it may end a session.
            return DnsAnswer.Trouble(e is OperationCanceledException or DnsResponseException { Code: DnsResponseCode.ConnectionTimeout } ? "no DNS server answered in time" : "no usable answer from DNS");
        }
    }

    public async Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(name, cancellationToken);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return [];
        }
    }

    private static DnsAnswer Read(IDnsQueryResponse response, DnsKind kind)
    {
        var mx = new List<(int, string?)>();
        var addresses = new List<IPAddress>();
        var texts = new List<string>();
        string? alias = null;
        var ttl = int.MaxValue;
        foreach (var record in response.Answers)
        {
            if (mx.Count + addresses.Count + texts.Count >= DnsAnswer.MaxRecords) break;
            switch (record)
            {
                case MxRecord exchange when kind == DnsKind.Mx:
                    var host = exchange.Exchange.Value;
                    mx.Add((exchange.Preference, host is "." or "" ? "" : DnsName.Normalize(host)));
                    break;
                case AddressRecord address when kind is DnsKind.A or DnsKind.Aaaa && (address.Address.AddressFamily == AddressFamily.InterNetwork) == (kind == DnsKind.A):
                    addresses.Add(address.Address);
                    break;
                case TxtRecord text when kind == DnsKind.Txt:
                    texts.Add(string.Concat(text.Text));
                    break;
                case CNameRecord name:
                    alias = DnsName.Normalize(name.CanonicalName.Value);
                    break;
                default:
                    continue;
            }

            ttl = Math.Min(ttl, record.InitialTimeToLive);
        }

        var empty = mx.Count + addresses.Count + texts.Count == 0;
        return new DnsAnswer
        {
            Mx = mx, Addresses = addresses, Texts = texts, Alias = empty ? alias : null, TimeToLive = empty ? NegativeTimeToLive(response) : TimeSpan.FromSeconds(Math.Max(0, ttl)),
        };
    }

    // RFC 2308 §5: the smaller of the SOA's own TTL and its minimum.
    private static TimeSpan NegativeTimeToLive(IDnsQueryResponse response) =>
        response.Authorities.OfType<SoaRecord>().FirstOrDefault() is { } soa
            ? TimeSpan.FromSeconds(Math.Max(0, Math.Min(soa.InitialTimeToLive, (double)soa.Minimum)))
            : TimeSpan.FromMinutes(1);
}
