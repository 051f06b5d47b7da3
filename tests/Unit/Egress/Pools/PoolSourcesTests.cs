using System.Net;
using System.Net.Sockets;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Egress;
using Angarium.Egress.Pools;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Egress.Worker;
using Angarium.TestKit.Logging;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Egress.Pools;

public sealed class PoolSourcesTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private readonly ConnectionWatch watch;
    private readonly LogLines<EgressWorker> log = new();
    private readonly HashSet<string> missing = [];

    public PoolSourcesTests() => watch = new ConnectionWatch(time);

    public void Dispose() => watch.Dispose();

    [Fact]
    public void TryChoose_OfEachFamily_TakesItsAddressesInTurn()
    {
        var sources = Make("192.0.2.1=a.example 2001:db8::1=b.example 192.0.2.2=c.example");
        Assert.Equal([2, 2], Enumerable.Range(0, 4).Select(_ => Choose(sources, AddressFamily.InterNetwork)).CountBy(name => name ?? "").Select(pair => pair.Value));
        Assert.Equal(["b.example"], Enumerable.Range(0, 3).Select(_ => Choose(sources, AddressFamily.InterNetworkV6)).Distinct());
        Assert.Null(Choose(Make("192.0.2.1=a.example"), AddressFamily.InterNetworkV6));
        // A name alone goes anywhere.
        Assert.Equal("nat.example", Choose(Make("nat.example"), AddressFamily.InterNetworkV6));
    }

    [Fact]
    public void Probe_AddressOfAnotherMachine_IsSaidAndLeftOutUntilItIsHere()
    {
        missing.Add("192.0.2.1");
        var sources = Make("192.0.2.1=a.example 192.0.2.2=b.example");
        sources.Probe();
        Assert.StartsWith("Warning: Pool bulk: 192.0.2.1 cannot be sent from on this machine", Assert.Single(log.All), StringComparison.Ordinal);
        Assert.Equal(["b.example"], Enumerable.Range(0, 4).Select(_ => Choose(sources, AddressFamily.InterNetwork)).Distinct());
        Assert.True(sources.IsUsable);

        missing.Clear();
        Assert.Equal("b.example", Choose(sources, AddressFamily.InterNetwork));
        time.Advance(PoolSources.TriedAgainAfter);
        Assert.Equal(2, Enumerable.Range(0, 4).Select(_ => Choose(sources, AddressFamily.InterNetwork)).Distinct().Count());
        Assert.Equal("Information: Pool bulk: 192.0.2.1 can be sent from again", log.All[^1]);
    }

    [Fact]
    public void Probe_NoAddressIsHere_TheProcessTakesNoneOfTheMailUntilOneIs()
    {
        missing.Add("192.0.2.1");
        var sources = Make("192.0.2.1=a.example");
        sources.Probe();
        Assert.False(sources.IsUsable);
        Assert.Contains(log.All, line => line.StartsWith("Error: Pool bulk: nothing of Egress:Pools:bulk can be sent from", StringComparison.Ordinal));
        time.Advance(PoolSources.TriedAgainAfter);
        Assert.False(sources.IsUsable);
        missing.Clear();
        Assert.False(sources.IsUsable);
        time.Advance(PoolSources.TriedAgainAfter);
        Assert.True(sources.IsUsable);
    }

    [Fact]
    public async Task Connect_OfAPool_ComesFromItsAddressesAndGreetsWithTheirNames()
    {
        using var peer = new LivePeer();
        using var routes = Routes();
        var connector = new Connector(routes, Settings(), watch, new LogLines<Connector>(), PoolSources.Of("bulk", Settings().Current, time, log));
        var greeted = new List<(string From, string Name)>();
        for (var i = 0; i < 4; i++)
        {
            var connecting = connector.ConnectAsync(To(peer), TestContext.Current.CancellationToken);
            using var connection = await peer.AcceptAsync();
            await connection.SayAsync("220 peer.test");
            greeted.Add((connection.From.ToString(), await connection.HearAsync("EHLO ")));
            await connection.SayAsync("250 peer.test");
            using var session = (await connecting).Session;
            Assert.NotNull(session);
        }

        Assert.Equal([("127.0.0.2", "EHLO mx2.test"), ("127.0.0.3", "EHLO mx3.test")], greeted.Distinct().Order());
    }

    /// <summary>It is found out by the first connection: the others go out from what there is, and the destination is not to blame.</summary>
    [Fact]
    public async Task Connect_AddressIsNotHere_GoesOutFromTheNext()
    {
        using var peer = new LivePeer();
        using var routes = Routes();
        var settings = Settings("192.0.2.77=a.test 192.0.2.78=b.test 127.0.0.2=mx2.test");
        var connector = new Connector(routes, settings, watch, new LogLines<Connector>(), PoolSources.Of("bulk", settings.Current, time, log));
        for (var i = 0; i < 2; i++)
        {
            var connecting = connector.ConnectAsync(To(peer), TestContext.Current.CancellationToken);
            using var connection = await peer.AcceptAsync();
            await connection.SayAsync("220 peer.test");
            await connection.HearAsync("EHLO mx2.test");
            await connection.SayAsync("250 peer.test");
            using var session = (await connecting).Session;
            Assert.NotNull(session);
        }

        Assert.Equal(2, log.All.Count(line => line.Contains("cannot be sent from on this machine", StringComparison.Ordinal)));
    }

    /// <summary>No site is told of a failure that is ours, and no further session is taken on.</summary>
    [Fact]
    public async Task Order_NoAddressIsHere_FreesThePermitAndTakesNoMore()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, options => options with { Pools = new Dictionary<string, string> { [PoolName.Default] = "192.0.2.77=a.test" } });
        world.Mail("a@example.net");
        await world.StartAsync();
        var report = await world.ReportAsync(SessionEvent.Closed, SessionEvent.ConnectFailed);
        Assert.Equal(SessionEvent.Closed, report.Event);
        Assert.Empty(world.Exchanges);
        Assert.All(world.Polls.Where(poll => poll.Reports.Length > 0), poll => Assert.Equal(0, poll.FreeSessions));
        Assert.False(world.Worker.IsReady);
    }

    /// <summary>Another family's can be used: the process goes on, and neither the site nor the mail pays for ours.</summary>
    [Fact]
    public async Task Order_NothingOfTheFamilyIsHere_LetsTheDomainRest()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, options => options with { Pools = new Dictionary<string, string> { [PoolName.Default] = "192.0.2.77=a.test ::1=six.test" } });
        world.Mail("a@example.net");
        await world.StartAsync();
        var report = await world.ReportAsync(SessionEvent.Moved, SessionEvent.Closed, SessionEvent.ConnectFailed);
        Assert.Equal((SessionEvent.Moved, null), (report.Event, report.Route));
        Assert.Empty(world.Exchanges);
    }

    /// <summary>However many of ours fail first, they are no tries of the destination, and never make its mail fail.</summary>
    [Fact]
    public async Task Connect_ManyAddressesAreNotHere_GoesOutFromTheOneThatIs()
    {
        using var peer = new LivePeer();
        using var routes = Routes();
        var settings = Settings(string.Join(' ', Enumerable.Range(101, 30).Select(i => $"198.51.100.{i}=a.test")) + " 127.0.0.2=mx2.test");
        var connector = new Connector(routes, settings, watch, new LogLines<Connector>(), PoolSources.Of("bulk", settings.Current, time, log));
        var connecting = connector.ConnectAsync(To(peer), TestContext.Current.CancellationToken);
        using var connection = await peer.AcceptAsync();
        await connection.SayAsync("220 peer.test");
        await connection.HearAsync("EHLO mx2.test");
        await connection.SayAsync("250 peer.test");
        using var session = (await connecting).Session;
        Assert.NotNull(session);
    }

    /// <summary>What has no name of its own greets with the relay's.</summary>
    [Fact]
    public void Suspend_TheRelaysOwnName_IsOfAllThatGreetWithIt()
    {
        var system = PoolSources.Of(PoolName.Default, new EgressOptions { Hostname = "Relay.test" }, time, log);
        Assert.True(system.MaySend && system.TryChoose(AddressFamily.InterNetwork, out _));
        system.Suspend(["relay.test"]);
        Assert.False(system.MaySend || system.TryChoose(AddressFamily.InterNetwork, out _));
        Assert.Contains("Warning: Pool default: sources that operators have suspended: Relay.test", log.All);
        system.Suspend([]);
        Assert.True(system.MaySend);
    }

    /// <summary>A session of a pool goes by the site as its pool names it, and routes know nothing of pools.</summary>
    [Fact]
    public async Task Order_OfAPool_IsCarriedUnderItsSiteAndMovedToWhereRoutesSay()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net");
        await world.Worker.StartAsync(CancellationToken.None);
        var site = $"bulk!route:{peer.EndPoint};tls=none";
        world.Order(OrderKind.Open, site: site);
        using (var connection = await peer.GreetAsync())
        {
            await connection.EnvelopeAsync();
            await connection.SayAsync("354 go");
            await connection.ContentAsync();
            await connection.SayAsync("250 2.0.0 kept");
            await world.OutcomeAsync();
            Assert.Equal(site, (await world.ReportAsync(SessionEvent.Dry)).Site);
            Assert.All(world.Exchanges, exchange => Assert.Equal(site, exchange.Site));
            world.Order(OrderKind.Close, site: site);
            await connection.HearAsync("QUIT");
            await connection.SayAsync("221 bye");
        }

        await world.ReportAsync(SessionEvent.Closed);
        world.Order(OrderKind.Open, site: "bulk!mx:elsewhere.test");
        Assert.Equal($"route:{peer.EndPoint};tls=none", (await world.ReportAsync(SessionEvent.Moved)).Route!.Site);
    }

    /// <summary>An address, or the name that several greet with; the process stays ready, and sends from what is left.</summary>
    [Fact]
    public void Suspend_LeavesOutWhatIsNamed_UntilItIsNamedNoMore()
    {
        var sources = Make("192.0.2.1=a.example 192.0.2.2=b.example 2001:db8::2=b.example");
        Assert.True(sources.Suspend(["192.0.2.1"]));
        Assert.False(sources.Suspend(["192.0.2.1"]));
        Assert.Equal(["b.example", "b.example"], Enumerable.Range(0, 2).Select(_ => Choose(sources, AddressFamily.InterNetwork)));
        Assert.True(sources.Suspend(["192.0.2.1", "b.example"]));
        Assert.Equal((null, null), (Choose(sources, AddressFamily.InterNetwork), Choose(sources, AddressFamily.InterNetworkV6)));
        Assert.Equal((false, true), (sources.MaySend, sources.IsUsable));
        Assert.True(sources.Suspend(["198.51.100.1"]));
        Assert.True(sources.MaySend);
        Assert.Equal(2, Enumerable.Range(0, 4).Select(_ => Choose(sources, AddressFamily.InterNetwork)).Distinct().Count());
        Assert.Contains("Warning: Pool bulk: sources that operators have suspended: 192.0.2.1, 192.0.2.2, 2001:db8::2", log.All);
        Assert.Contains("Warning: Pool bulk: sources that operators have suspended: none", log.All);
    }

    private PoolSources Make(string text)
    {
        Assert.True(PoolAddress.TryParse(text, out var addresses, out _));
        return new PoolSources("bulk", "Egress:Pools:bulk", addresses, time, log) { Bind = address => missing.Contains(address.ToString()) ? "no such address" : null };
    }

    private static string? Choose(PoolSources sources, AddressFamily family) => sources.TryChoose(family, out var chosen) ? chosen.Name : null;

    private static FixedSettings<EgressOptions> Settings(string bulk = "127.0.0.2=mx2.test 127.0.0.3=mx3.test ::1=mx6.test") =>
        new(new EgressOptions { Hostname = "relay.test", Pools = new Dictionary<string, string> { ["bulk"] = bulk } });

    private RouteResolver Routes() => new(Settings(), new NoDns(), time, () => new HashSet<IPAddress>());

    private static MailRoute To(LivePeer peer)
    {
        Assert.True(NextHop.TryParse("127.0.0.1:25?tls=none", out var hop, out _));
        return new MailRoute { Site = "s", Hop = hop, Hosts = [new RouteHost("mx1.test", peer.EndPoint.Port, IPAddress.Loopback)] };
    }

    private sealed class NoDns : IDnsSource
    {
        public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
