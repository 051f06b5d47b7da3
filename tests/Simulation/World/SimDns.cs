using System.Net;
using Angarium.Egress.Routing;

namespace Angarium.Simulation.World;

/// <summary>Two domains behind one set of hosts, the senders' behind another.</summary>
internal sealed class SimDns : IDnsSource
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken) => Task.FromResult(kind switch
    {
        DnsKind.Mx => new DnsAnswer { Mx = [(10, name == "s.test" ? "mx.senders.test" : "mx.shared.test")], TimeToLive = s_hour },
        DnsKind.A => new DnsAnswer { Addresses = [IPAddress.Parse("10.0.0.1")], TimeToLive = s_hour },
        _ => new DnsAnswer { TimeToLive = s_hour },
    });

    public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<IPAddress>>([]);
}
