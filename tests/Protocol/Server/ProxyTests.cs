using Angarium.Ingress;
using Angarium.Ingress.Listening;
using Angarium.TestKit.Dialogs;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Protocol.Server;

/// <summary>Connections of a proxy in the test's time: how long its header may take, in how many parts, and whom the limits count.</summary>
public sealed class ProxyTests : IDisposable
{
    private const string Header = "PROXY TCP4 198.51.100.4 192.0.2.9 40000 25\\r\\n";

    private static readonly IngressOptions Options = ServerUnderTest.Options with { ProxyNetworks = ["192.0.2.0/24"] };

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<ServerUnderTest> _servers = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        foreach (var server in _servers) server.Dispose();
    }

    /// <summary>Nothing is answered, and nothing counted, before the last octet of the header is there.</summary>
    [Fact]
    public async Task Header_OctetByOctet_IsAnsweredAfterItsLast()
    {
        var server = Make(Options);
        var (client, session) = Connect(server);
        var octets = DialogScript.Unescape(Header);
        foreach (var octet in octets[..^1])
        {
            await client.DoAsync(Stop, "C= " + (octet == '\r' ? "\\r" : octet.ToString()));
            Assert.False(client.HasReplies);
        }

        Assert.Equal(0, server.Server.Registry.Count);
        await client.DoAsync(Stop, "C= \\n", "S* 220", "C: QUIT", "S* 221", "CLOSED");
        await session.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task Header_NotInTime_ClosesTheConnection()
    {
        var server = Make(Options);
        var (silent, one) = Connect(server);
        var (slow, two) = Connect(server);
        await slow.DoAsync(Stop, "C= PROXY TCP4 198.51.100.4");
        _time.Advance(ProxyEntrance.Patience - TimeSpan.FromMilliseconds(1));
        Assert.False(silent.HasReplies || slow.HasReplies || one.IsCompleted || two.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Task.WhenAll(one, two).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await silent.DoAsync(Stop, "CLOSED");
        await slow.DoAsync(Stop, "CLOSED");
        Assert.Equal(0, server.Server.Registry.Count);
    }

    /// <summary>The limit of one client is that client's, and not the balancer's.</summary>
    [Fact]
    public async Task Limit_PerClient_CountsTheClientOfTheHeader()
    {
        var server = Make(Options with { MaxConnectionsPerClient = 1 });
        var (one, first) = Connect(server);
        await one.DoAsync(Stop, "C= " + Header, "S* 220");
        var (again, second) = Connect(server);
        await again.DoAsync(Stop, "C= " + Header, "S~ 421 4.7.0", "CLOSED");
        var (other, third) = Connect(server);
        await other.DoAsync(Stop, "C= PROXY TCP4 198.51.100.5 192.0.2.9 40000 25\\r\\n", "S* 220", "C: QUIT", "S* 221", "CLOSED");
        await one.DoAsync(Stop, "C: QUIT", "S* 221", "CLOSED");
        await Task.WhenAll(first, second, third).WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task Limit_OfConnections_HoldsForThoseThatWaitForTheirHeader()
    {
        var server = Make(Options with { MaxConnections = 1 });
        var (waiting, first) = Connect(server);
        var (_, second) = Connect(server);
        await second.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.False(first.IsCompleted);
        await waiting.DoAsync(Stop, "C= " + Header, "S* 220", "C: QUIT", "S* 221", "CLOSED");
        await first.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    private ServerUnderTest Make(IngressOptions options)
    {
        var server = new ServerUnderTest(options, time: _time);
        _servers.Add(server);
        return server;
    }

    private static (ScriptedClient Client, Task Session) Connect(ServerUnderTest server)
    {
        var connection = new MemoryConnection();
        var session = server.RunAsync(connection, ServerUnderTest.Outsider);
        return (new ScriptedClient(connection, Slicing.Whole, together: false), session);
    }
}
