using System.Net;
using System.Net.Sockets;
using System.Text;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Pools;
using Angarium.Egress.Proxies;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.TestKit.Peers;
using Angarium.TestKit.Servers;

namespace Angarium.Unit.Egress.Proxies;

/// <summary>SOCKS5 (RFC 1928, RFC 1929) against a proxy that works, and against replies of every bad kind; whose fault each is.</summary>
public sealed class SocksTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly RouteEndPoint Target = new("mx.test", IPAddress.Parse("192.0.2.7"), 25);

    private readonly string login = Path.GetTempFileName();
    private readonly ConnectionWatch watch = new(TimeProvider.System);

    public void Dispose()
    {
        watch.Dispose();
        File.Delete(login);
    }

    [Theory]
    [InlineData("socks5://proxy.example.org:1081", "proxy.example.org", 1081)]
    [InlineData("SOCKS5://10.0.0.1", "10.0.0.1", 1080)]
    [InlineData("socks5://[2001:db8::1]:1080", "2001:db8::1", 1080)]
    [InlineData("socks5://[2001:db8::1]", "2001:db8::1", 1080)]
    public void TryParse_AProxy_IsRead(string text, string host, int port)
    {
        Assert.True(SocksProxy.TryParse(text, out var proxy, out _));
        Assert.Equal((host, port), (proxy.Host, proxy.Port));
        Assert.True(SocksProxy.TryParse(proxy.ToString(), out var again, out _));
        Assert.Equal(proxy, again);
    }

    [Theory]
    [InlineData("proxy:1080")]
    [InlineData("http://proxy:1080")]
    [InlineData("socks5://")]
    [InlineData("socks5://user:secret@proxy:1080")]
    [InlineData("socks5://proxy:0")]
    [InlineData("socks5://proxy:65536")]
    [InlineData("socks5://2001:db8::1:1080")]
    [InlineData("socks5://[10.0.0.1]:1080")]
    public void TryParse_NoProxy_IsRefusedWithTheFix(string text)
    {
        Assert.False(SocksProxy.TryParse(text, out _, out var error));
        Assert.Matches("write it as socks5://|name it in Egress:ProxyPassword", error);
        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
    }

    /// <summary>What the receiver says right behind the reply is the receiver's, and the address that is asked for is the one that was looked up.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Connect_ThroughTheProxy_SpeaksWithTheReceiver(bool asksForLogin)
    {
        using var peer = new LivePeer();
        using var server = new SocksServer { Login = asksForLogin ? "relay s3cret word" : null };
        await File.WriteAllTextAsync(login, "relay\ns3cret word\n", TestContext.Current.CancellationToken);
        var source = new PoolAddress(null, null, Proxy(server.Port) with { LoginFile = login });
        var connecting = SmtpConnection.ConnectAsync(new RouteEndPoint("mx.test", peer.EndPoint.Address, peer.EndPoint.Port), source, Patience, watch, TestContext.Current.CancellationToken);
        using var there = await peer.AcceptAsync();
        await there.SayAsync("220 peer.test");
        using var connection = await connecting;
        Assert.Equal(220, (await connection.ReadReplyAsync(Patience)).Code);
        Assert.Equal([peer.EndPoint], server.Asked);
        Assert.Equal(asksForLogin ? ["relay s3cret word"] : [], server.Logins);
    }

    [Fact]
    public async Task Connect_GreetingInTheSamePacket_IsLeftToTheSession()
    {
        await using var raw = new RawProxy();
        raw.Says([5, 0], [5, 0, 0, 3, 5, (byte)'p', (byte)'r', (byte)'o', (byte)'x', (byte)'y', 0x1F, 0x90, .. "220 peer.test\r\n"u8]);
        using var connection = await SmtpConnection.ConnectAsync(new RouteEndPoint("mx.test", IPAddress.Parse("2001:db8::7"), 25), new PoolAddress(null, null, Proxy(raw.Port)), Patience, watch, TestContext.Current.CancellationToken);
        Assert.Equal("peer.test", (await connection.ReadReplyAsync(Patience)).Text);
        Assert.Equal("050100" + "05010004" + "20010DB8000000000000000000000007" + "0019", raw.Heard);
    }

    [Theory]
    [InlineData(1, AttemptFault.Unreachable, "general failure")]
    [InlineData(2, AttemptFault.Unreachable, "not allowed by its rules")]
    [InlineData(3, AttemptFault.Unreachable, "network unreachable")]
    [InlineData(4, AttemptFault.Unreachable, "host unreachable")]
    [InlineData(5, AttemptFault.Unreachable, "connection refused")]
    [InlineData(6, AttemptFault.Unreachable, "TTL expired")]
    [InlineData(7, AttemptFault.NoProxy, "it does not know CONNECT")]
    [InlineData(8, AttemptFault.Unreachable, "addresses of this family are not supported")]
    [InlineData(0xF0, AttemptFault.Unreachable, "failure 240")]
    public async Task Connect_ProxySaysNo_IsTheTargetsUnlessItCannotServeAtAll(int code, object fault, string text)
    {
        using var server = new SocksServer { Answer = _ => (byte)code };
        var refused = await FailsAsync(server.Port);
        Assert.Equal((AttemptFault)fault, refused.Fault);
        Assert.Contains(text, refused.Message, StringComparison.Ordinal);
        Assert.Contains(server.Address, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "it wants a login; name a file with user name and password in Egress:ProxyPassword")]
    [InlineData("relay\nwrong\n", "it refused the login")]
    public async Task Connect_LoginIsWrong_IsTheProxysFault(string? file, string text)
    {
        using var server = new SocksServer { Login = "relay right" };
        if (file is not null) await File.WriteAllTextAsync(login, file, TestContext.Current.CancellationToken);
        var refused = await FailsAsync(server.Port, file is null ? null : login);
        Assert.Equal(AttemptFault.NoProxy, refused.Fault);
        Assert.Contains(text, refused.Message, StringComparison.Ordinal);
        Assert.Empty(server.Asked);
    }

    /// <summary>What the proxy says until the request is its own fault; what comes of the request is the target's, unless it is no SOCKS5.</summary>
    [Theory]
    [InlineData("", "", AttemptFault.NoProxy, "it closed the connection")]
    [InlineData("05", "", AttemptFault.NoProxy, "it closed the connection")]
    [InlineData("0400", "", AttemptFault.NoProxy, "it does not speak SOCKS5")]
    [InlineData("4854", "", AttemptFault.NoProxy, "it does not speak SOCKS5")]
    [InlineData("05FF", "", AttemptFault.NoProxy, "it wants a login")]
    [InlineData("0502", "", AttemptFault.NoProxy, "it chose a way to log in that it was not offered")]
    [InlineData("0501", "", AttemptFault.NoProxy, "it chose a way to log in that it was not offered")]
    [InlineData("0500", "", AttemptFault.Unreachable, "ended the connection without an answer")]
    [InlineData("0500", "05", AttemptFault.Unreachable, "ended the connection without an answer")]
    [InlineData("0500", "05000001C0000207", AttemptFault.Unreachable, "ended the connection without an answer")]
    [InlineData("0500", "050000030C0000", AttemptFault.Unreachable, "ended the connection without an answer")]
    [InlineData("0500", "04000001C00002070019", AttemptFault.NoProxy, "it does not speak SOCKS5")]
    [InlineData("0500", "05000002C00002070019", AttemptFault.NoProxy, "its reply is not one of SOCKS5")]
    [InlineData("0500", "050000FFC00002070019", AttemptFault.NoProxy, "its reply is not one of SOCKS5")]
    public async Task Connect_HostileReply_EndsAsWhatItIs(string greeting, string reply, object fault, string text)
    {
        await using var raw = new RawProxy();
        raw.Says(Convert.FromHexString(greeting), Convert.FromHexString(reply));
        var refused = await FailsAsync(raw.Port);
        Assert.Equal((AttemptFault)fault, refused.Fault);
        Assert.Contains(text, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>A proxy that is not there any more has said nothing of the target.</summary>
    [Fact]
    public async Task Connect_ProxyDiesWhenAsked_IsItsOwnFault()
    {
        await using var raw = new RawProxy { Dies = true };
        raw.Says([5, 0], []);
        var refused = await FailsAsync(raw.Port);
        Assert.Equal(AttemptFault.NoProxy, refused.Fault);
        Assert.Contains("connection refused", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_ReplyOctetByOctet_IsTaken()
    {
        await using var raw = new RawProxy { ByOctet = true };
        raw.Says([5, 0], [5, 0, 0, 4, .. new byte[16], 0, 25]);
        using var socket = await SocksClient.ConnectAsync(Proxy(raw.Port), Target, CancellationToken.None).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.True(socket.Connected);
    }

    /// <summary>Silence before the request is the proxy's, after it the way to the target's.</summary>
    [Theory]
    [InlineData("", AttemptFault.NoProxy)]
    [InlineData("0500", AttemptFault.Timeout)]
    public async Task Connect_ProxyIsSilent_EndsInTime(string greeting, object fault)
    {
        await using var raw = new RawProxy { Stays = true };
        raw.Says(Convert.FromHexString(greeting), []);
        using var limit = new CancellationTokenSource();
        var connecting = SocksClient.ConnectAsync(Proxy(raw.Port), Target, limit.Token);
        await raw.HeardAsync(greeting.Length == 0 ? 3 : 13);
        await limit.CancelAsync();
        Assert.Equal((AttemptFault)fault, (await Assert.ThrowsAsync<AttemptException>(() => connecting.WaitAsync(Patience))).Fault);
    }

    /// <summary>No site is told of a failure that is the proxy's, and no further session is taken on until it answers again.</summary>
    [Fact]
    public async Task Order_ProxyIsDown_FreesThePermitAndTakesNoMoreUntilItIsUp()
    {
        using var peer = new LivePeer();
        int port;
        using (var free = new SocksServer()) port = free.Port;
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var world = new WorkerUnderTest(peer.EndPoint, options => options with { Proxy = $"socks5://127.0.0.1:{port}" }, time: time);
        world.Mail("a@example.net");
        await world.StartAsync();
        var report = await world.ReportAsync(SessionEvent.Closed, SessionEvent.ConnectFailed);
        Assert.Equal(SessionEvent.Closed, report.Event);
        Assert.Empty(world.Exchanges);
        Assert.False(world.Worker.IsReady);

        using var server = new SocksServer(port);
        time.Advance(PoolSources.ProxyTriedAgainAfter);
        for (var tries = 0; !world.Context.Connector.IsUsable; tries++)
        {
            Assert.True(tries < 1000, "the proxy was never found again");
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        world.Order(OrderKind.Open);
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await connection.SayAsync("250 2.0.0 kept");
        await world.OutcomeAsync();
        Assert.Equal([peer.EndPoint], server.Asked);
    }

    /// <summary>That a host does not answer is the host's trouble, through a proxy as without.</summary>
    [Fact]
    public async Task Order_ProxyCannotReachTheHost_IsToldToTheSite()
    {
        using var peer = new LivePeer();
        using var server = new SocksServer { Answer = _ => 4 };
        await using var world = new WorkerUnderTest(peer.EndPoint, options => options with { Proxy = server.Address });
        world.Mail("a@example.net");
        await world.StartAsync();
        var report = await world.ReportAsync(SessionEvent.Closed, SessionEvent.ConnectFailed);
        Assert.Equal((SessionEvent.ConnectFailed, true, 451), (report.Event, report.Own, report.Reply!.Code));
        Assert.Contains("host unreachable", report.Reply.Text, StringComparison.Ordinal);
        Assert.True(world.Worker.IsReady);
    }

    private static SocksProxy Proxy(int port) => new("127.0.0.1", port);

    private async Task<AttemptException> FailsAsync(int port, string? file = null) =>
        await Assert.ThrowsAsync<AttemptException>(() => SmtpConnection.ConnectAsync(Target, new PoolAddress(null, null, Proxy(port) with { LoginFile = file }), Patience, watch, TestContext.Current.CancellationToken));

    /// <summary>Says what it is told to after each thing that it hears, and leaves, or stays.</summary>
    private sealed class RawProxy : IAsyncDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource stop = new();
        private readonly StringBuilder heard = new();
        private readonly Dictionary<int, TaskCompletionSource> waiting = [];
        private Task run = Task.CompletedTask;

        public RawProxy() => listener.Start();

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public bool ByOctet { get; init; }

        public bool Stays { get; init; }

        /// <summary>Nobody listens once its first connection ends.</summary>
        public bool Dies { get; init; }

        public string Heard
        {
            get { lock (heard) return heard.ToString(); }
        }

        public void Says(byte[] greeting, byte[] reply) => run = RunAsync(greeting, reply);

        public async Task HeardAsync(int octets)
        {
            TaskCompletionSource there;
            lock (heard)
            {
                if (heard.Length >= octets * 2) return;
                waiting[octets] = there = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            await there.Task.WaitAsync(Patience);
        }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await run;
            listener.Dispose();
            stop.Dispose();
        }

        private async Task RunAsync(byte[] greeting, byte[] reply)
        {
            try
            {
                while (true)
                {
                    using var client = await listener.AcceptTcpClientAsync(stop.Token);
                    client.NoDelay = true;
                    await TurnAsync(client.GetStream(), 3, greeting);
                    if (greeting is [5, 0]) await TurnAsync(client.GetStream(), 10, reply);
                    if (Stays || reply.Length > 13) await Task.Delay(Timeout.Infinite, stop.Token);
                    if (!Dies) continue;
                    listener.Stop();
                    return;
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // The test is over, or the other has left.
            }
        }

        private async Task TurnAsync(NetworkStream stream, int atLeast, byte[] says)
        {
            var octets = new byte[512];
            for (var read = 0; read < atLeast;)
            {
                var more = await stream.ReadAsync(octets, stop.Token);
                if (more == 0) throw new IOException();
                read += more;
                lock (heard)
                {
                    heard.Append(Convert.ToHexString(octets.AsSpan(0, more)));
                    foreach (var (count, there) in waiting)
                        if (heard.Length >= count * 2) there.TrySetResult();
                }
            }

            if (!ByOctet) await stream.WriteAsync(says, stop.Token);
            else foreach (var octet in says) await stream.WriteAsync(new[] { octet }, stop.Token);
        }
    }
}
