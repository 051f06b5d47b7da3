using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>A balancer on 127.0.0.2 whose PROXY header is believed: by swaks, which speaks the protocol, and by octets of our own. 198.51.100.0/24 may relay, the balancer itself may not.</summary>
public sealed class When_a_proxy_is_in_front : IAsyncLifetime
{
    private const string Balancer = "127.0.0.2";
    private readonly Sink sink = new();
    private readonly int tlsPort = Ports.Free(), submissionPort = Ports.Free(), submissionsPort = Ports.Free();
    private Relay relay = null!;

    public async ValueTask InitializeAsync()
    {
        relay = new Relay(new()
        {
            ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Ingress:ProxyNetworks"] = Balancer + "/32", ["Ingress:TrustedNetworks"] = "198.51.100.0/24,127.0.0.1/32,2001:db8:7::/48",
            ["Ingress:Smtps:Listen"] = $"127.0.0.1:{tlsPort}", ["Ingress:Submission:Listen"] = $"127.0.0.1:{submissionPort}", ["Ingress:Submissions:Listen"] = $"127.0.0.1:{submissionsPort}", ["Log:Level"] = "debug",
        });
        var (certificate, key) = (Path.Combine(relay.Folder, "cert.pem"), Path.Combine(relay.Folder, "key.pem"));
        var (code, output) = await Child.RunAsync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=relay.test", "-keyout", key, "-out", certificate], TimeSpan.FromSeconds(30));
        Assert.True(code == 0, output);
        relay.Set("Tls:Certificate", certificate);
        relay.Set("Tls:Key", key);
        await relay.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Theory]
    [InlineData("1", "TCP4", "198.51.100.7")]
    [InlineData("1", "TCP6", "2001:db8:7::7")]
    [InlineData("2", "AF_INET", "198.51.100.7")]
    [InlineData("2", "AF_INET6", "2001:db8:7::7")]
    public async Task Should_take_whom_swaks_relays_for_the_client(string version, string family, string client)
    {
        var (code, output) = await Child.RunAsync("swaks",
            ["--server", $"127.0.0.1:{relay.SmtpPort}", "--local-interface", Balancer, "--from", "a@sender.test", "--to", "b@one.test",
                "--proxy-version", version, "--proxy-family", family, "--proxy-source", client, "--proxy-source-port", "40000", "--proxy-dest", client, "--proxy-dest-port", "25"], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        Assert.Contains(client, Assert.Single(await sink.CountAsync(1)).Header("Received"), StringComparison.Ordinal);
        Assert.Contains($"remote={client}", await relay.Process!.LineAsync(l => l.Contains("Accepted message=", StringComparison.Ordinal), TimeSpan.FromSeconds(20), "line of the reception"), StringComparison.Ordinal);
        Assert.Equal(1, await relay.MetricAsync("angarium_ingress_proxy_headers_total", "relayed"));
    }

    [Fact]
    public async Task Should_greet_on_every_listener_after_the_header_alone()
    {
        foreach (var port in (int[])[relay.SmtpPort, submissionPort, tlsPort, submissionsPort])
        {
            using var socket = await ConnectAsync(port, Balancer);
            Stream stream = socket.GetStream();
            await stream.WriteAsync("PROXY TCP4 203.0.113.5 192.0.2.1 40000 25\r\n"u8.ToArray());
            if (port == tlsPort || port == submissionsPort)
            {
                var tls = new SslStream(stream, leaveInnerStreamOpen: false, static (_, _, _, _) => true);
                await tls.AuthenticateAsClientAsync("relay.test");
                stream = tls;
            }

            using var reader = new StreamReader(stream, Encoding.Latin1);
            Assert.StartsWith("220 relay.test", await reader.ReadLineAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Should_close_without_a_word_what_has_no_header_or_a_bad_one()
    {
        foreach (var port in (int[])[relay.SmtpPort, tlsPort])
            foreach (var said in (string[])["EHLO client.test\r\n", "PROXY TCP4 203.0.113.5 192.0.2.1 40000\r\n", "\x16\x03\x01\x00\x05hello"])
            {
                using var socket = await ConnectAsync(port, Balancer);
                await socket.GetStream().WriteAsync(Encoding.Latin1.GetBytes(said));
                Assert.Equal("", await RestAsync(socket));
            }

        await relay.Process!.LineAsync(l => l.Contains($"A connection of {Balancer} was closed for its PROXY header: no PROXY header", StringComparison.Ordinal), TimeSpan.FromSeconds(20), "line about it");
        Assert.Equal(6, await relay.MetricAsync("angarium_ingress_proxy_headers_total", "malformed"));
    }

    /// <summary>It would say itself whose mail it may relay.</summary>
    [Fact]
    public async Task Should_not_believe_anybody_else()
    {
        using var stranger = await Client.ConnectAsync(relay.SmtpPort, from: "127.0.0.9");
        await stranger.SendAsync("PROXY TCP4 198.51.100.7 192.0.2.1 40000 25\r\n");
        Assert.StartsWith("554", await stranger.ReplyAsync(), StringComparison.Ordinal);

        using var patient = await Client.ConnectAsync(relay.SmtpPort, from: "127.0.0.9");
        await patient.ReplyAsync();
        Assert.StartsWith("500", await patient.CommandAsync("PROXY TCP4 198.51.100.7 192.0.2.1 40000 25"), StringComparison.Ordinal);
        await patient.CommandAsync("EHLO client.test");
        Assert.StartsWith("554 5.7.1", await patient.TransactionAsync("a@sender.test", ["b@one.test"], "x"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_take_over_the_networks_without_a_restart()
    {
        relay.Set("Ingress:ProxyNetworks", "");
        await relay.Process!.LineAsync(l => l.Contains("Ingress:ProxyNetworks", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "line about the change");
        using var client = await Client.ConnectAsync(relay.SmtpPort, from: Balancer);
        Assert.StartsWith("220", await client.ReplyAsync(), StringComparison.Ordinal);
    }

    private static async Task<TcpClient> ConnectAsync(int port, string from)
    {
        var socket = new TcpClient(new System.Net.IPEndPoint(System.Net.IPAddress.Parse(from), 0));
        await socket.ConnectAsync("127.0.0.1", port);
        return socket;
    }

    /// <summary>Everything that is said up to the end, however that comes.</summary>
    private static async Task<string> RestAsync(TcpClient socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var said = new MemoryStream();
        try
        {
            await socket.GetStream().CopyToAsync(said, limit.Token);
        }
        catch (IOException)
        {
            // Reset: octets of ours were not read.
        }

        return Encoding.Latin1.GetString(said.ToArray());
    }
}
