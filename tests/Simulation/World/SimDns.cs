using System.Net;
using Angarium.Egress.Routing;
using Angarium.Mail;

namespace Angarium.Simulation.World;

/// <summary>Two domains behind one set of hosts, the senders' behind another. It may be down for a while, and a domain may move to other hosts and back; whoever has asked before believes that for its time to live.</summary>
internal sealed class SimDns(SimWorld world) : IDnsSource
{
    private static readonly TimeSpan s_live = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, StoreTime> _moved = [];

    public StoreTime DownUntil { get; set; }

    public void Move(string domain, TimeSpan time) => _moved[domain] = world.Loop.Now + time;

    public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken)
    {
        if (DownUntil > world.Loop.Now)
        {
            world.Peers.Failed();
            return Task.FromResult(DnsAnswer.Trouble("no server answers"));
        }

        return Task.FromResult(kind switch
        {
            DnsKind.Mx => new DnsAnswer { Mx = [(10, name == "s.test" ? "mx.senders.test" : _moved.GetValueOrDefault(name) > world.Loop.Now ? "mx.other.test" : "mx.shared.test")], TimeToLive = s_live },
            DnsKind.A => new DnsAnswer { Addresses = [IPAddress.Parse("10.0.0.1")], TimeToLive = s_live },
            _ => new DnsAnswer { TimeToLive = s_live },
        });
    }

    public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<IPAddress>>([]);
}
