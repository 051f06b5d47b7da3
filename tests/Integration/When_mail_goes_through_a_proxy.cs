using System.Net;
using Angarium.Integration.Harness;
using Angarium.TestKit.Servers;

namespace Angarium.Integration;

/// <summary>Mail out through SOCKS5 proxies: their addresses are the source, and while they are down mail waits without harm to any site.</summary>
public sealed class When_mail_goes_through_a_proxy : IAsyncLifetime
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(60);

    private readonly Sink sink = new();
    private readonly SocksServer proxy = new(from: IPAddress.Parse("127.0.0.5")) { Login = "relay a password" };
    private Relay relay = null!;

    public async ValueTask InitializeAsync()
    {
        relay = new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Retry:Schedule"] = "1s", ["Egress:Pools:default"] = $"{proxy.Address}=mx.proxy.test" });
        var login = Path.Combine(relay.Folder, "login");
        await File.WriteAllTextAsync(login, "relay\na password\n");
        relay.Set("Egress:ProxyPassword", login);
    }

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        proxy.Dispose();
        sink.Dispose();
    }

    [Fact]
    public async Task Should_come_from_the_proxy_under_its_name()
    {
        await relay.StartAsync();
        await SendAsync("b@one.test");
        var got = Assert.Single(await sink.CountAsync(1));
        Assert.Equal(("127.0.0.5", "mx.proxy.test"), (got.From.Address, got.From.Name));
        Assert.All(proxy.Asked, asked => Assert.Equal(new IPEndPoint(IPAddress.Loopback, sink.Port), asked));
        Assert.NotEmpty(proxy.Asked);
    }

    [Fact]
    public async Task Should_wait_for_a_proxy_that_is_down_and_suspend_no_site_for_it()
    {
        var port = proxy.Port;
        proxy.Dispose();
        await relay.StartAsync();
        await relay.Process!.LineAsync(line => line.Contains("cannot be used and is left out until it can: socks5://127.0.0.1", StringComparison.Ordinal), s_soon, "word of the proxy");
        await SendAsync("b@one.test");
        using var again = new SocksServer(port, IPAddress.Parse("127.0.0.5")) { Login = "relay a password" };
        await sink.CountAsync(1);
        Assert.DoesNotContain("is suspended until", relay.Process!.Output, StringComparison.Ordinal);
        Assert.Contains($"{proxy.Address} can be sent from again", relay.Process.Output, StringComparison.Ordinal);
    }

    private async Task SendAsync(string recipient)
    {
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", [recipient], "Subject: x\r\n\r\nx"), StringComparison.Ordinal);
    }
}
