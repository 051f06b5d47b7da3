using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Angarium.Contracts.Configuration;
using Angarium.Egress;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.TestKit.Logging;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Egress;

public sealed class ConnectorTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private readonly ConnectionWatch watch;

    public ConnectorTests() => watch = new ConnectionWatch(time);

    public void Dispose() => watch.Dispose();

    /// <summary>RFC 5321 §4.5.4.1: a host that could not be reached is not asked first again for a while; it is still asked when no other answers.</summary>
    [Fact]
    public async Task Connect_FirstHostIsDead_LaterSessionsAskItLast()
    {
        using var alive = new LivePeer();
        int closed;
        using (var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            closed = ((IPEndPoint)probe.LocalEndPoint!).Port;
        }

        var settings = new FixedSettings<EgressOptions>(new EgressOptions { Hostname = "relay.test" });
        using var routes = new RouteResolver(settings, new NoDns(), time, () => new HashSet<IPAddress>());
        var log = new LogLines<Connector>();
        var connector = new Connector(routes, settings, watch, log);
        Assert.True(NextHop.TryParse("127.0.0.1:25?tls=none", out var hop, out _));
        var route = new MailRoute
        {
            Site = "s", Hop = hop,
            Hosts = [new RouteHost("mx1.test", closed, IPAddress.Loopback), new RouteHost("mx2.test", alive.EndPoint.Port, IPAddress.Loopback)],
        };

        await ConnectAsync(1);
        await ConnectAsync(1);
        time.Advance(UnreachableHosts.For + TimeSpan.FromSeconds(1));
        await ConnectAsync(2);

        // The only one left is asked although it is on the list.
        var result = await connector.ConnectAsync(route with { Hosts = [route.Hosts[0]] }, TestContext.Current.CancellationToken);
        Assert.Null(result.Session);
        Assert.Equal(451, result.Trouble!.Code);
        Assert.Equal(3, Failures());

        int Failures() => log.All.Count(line => line.Contains("Not connected: remote mx1.test", StringComparison.Ordinal));

        async Task ConnectAsync(int failures)
        {
            var connecting = connector.ConnectAsync(route, TestContext.Current.CancellationToken);
            using var connection = await alive.GreetAsync();
            using var session = (await connecting).Session;
            Assert.StartsWith("mx2.test", session!.Connection.Remote, StringComparison.Ordinal);
            Assert.Equal(failures, Failures());
        }
    }

    /// <summary>Whatever ends an opening ends its connection: the watch would hold it for ever.</summary>
    [Fact]
    public async Task Connect_BreaksInTheOpening_LeavesNoConnection()
    {
        var settings = new FixedSettings<EgressOptions>(new EgressOptions { Hostname = "relay.test" });
        using var routes = new RouteResolver(settings, new NoDns(), time, () => new HashSet<IPAddress>());
        var connector = new Connector(routes, settings, watch, new LogLines<Connector>())
        {
            // A stream that cannot be read throws what no network does.
            Dial = (target, _, _, over, _) => Task.FromResult(new SmtpConnection(new CryptoStream(Stream.Null, new ToBase64Transform(), CryptoStreamMode.Write), null, target.ToString(), over)),
        };
        Assert.True(NextHop.TryParse("127.0.0.1:25?tls=none", out var hop, out _));
        var route = new MailRoute { Site = "s", Hop = hop, Hosts = [new RouteHost("mx1.test", 25, IPAddress.Loopback)] };
        await Assert.ThrowsAsync<NotSupportedException>(() => connector.ConnectAsync(route, TestContext.Current.CancellationToken));
        Assert.Equal(0, watch.Count);
    }

    /// <summary>Whatever a stream of TLS throws is the connection's failure, and no defect that would count against the message.</summary>
    [Fact]
    public async Task Connection_TlsBreaksWhileReading_IsCut()
    {
        using var connection = new SmtpConnection(new BrokenTls(), null, "peer", watch);
        var cut = await Assert.ThrowsAsync<AttemptException>(async () => await connection.ReadReplyAsync(TimeSpan.FromSeconds(1)));
        Assert.Equal(AttemptFault.Cut, cut.Fault);
    }

    private sealed class BrokenTls : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new AuthenticationException("another handshake failed");
    }

    private sealed class NoDns : IDnsSource
    {
        public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
