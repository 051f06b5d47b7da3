using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Delivery to the world, in miniature: a namespace with public-looking addresses, a real name server, receivers on port 25.</summary>
public sealed class When_mail_goes_by_MX : IAsyncLifetime
{
    private readonly Namespace network = new("11.0.0.1", "11.0.0.2", "11.0.0.3", "11.0.0.9");
    private Nameserver names = null!;
    private Relay relay = null!;
    private Sink first = null!;
    private Sink second = null!;
    private Sink inbox = null!;

    public async ValueTask InitializeAsync()
    {
        names = await Nameserver.StartAsync(network,
            "good.test. 300 IN MX 10 mx1.good.test.", "mx1.good.test. 300 IN A 11.0.0.1",
            "backup.test. 300 IN MX 10 dead.backup.test.", "backup.test. 300 IN MX 20 mx2.backup.test.", "dead.backup.test. 300 IN A 11.0.0.9", "mx2.backup.test. 300 IN A 11.0.0.2",
            "implicit.test. 300 IN A 11.0.0.2",
            "null.test. 300 IN MX 0 .",
            "private.test. 300 IN MX 10 mx.private.test.", "mx.private.test. 300 IN A 127.0.0.1",
            "sender.test. 300 IN MX 10 mx3.sender.test.", "mx3.sender.test. 300 IN A 11.0.0.3");
        first = new Sink(25, "11.0.0.1", network.CreateSocket);
        second = new Sink(25, "11.0.0.2", network.CreateSocket);
        inbox = new Sink(25, "11.0.0.3", network.CreateSocket);
        relay = await new Relay(new() { ["Dns:Servers"] = $"127.0.0.1:{names.Port}", ["Retry:Schedule"] = "1s", ["Retry:Expire"] = "1h", ["Egress:AllowedNetworks"] = "11.0.0.0/8" }, wrapper: network.Wrapper).StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        names.Dispose();
        first.Dispose();
        second.Dispose();
        inbox.Dispose();
        network.Dispose();
    }

    [Fact]
    public async Task Should_find_receivers_and_tell_what_cannot_be_found()
    {
        // One relay and one zone for all of these: a start costs seconds.
        await SendAsync("b@good.test");
        Assert.Equal("b@good.test", (await first.CountAsync(1))[0].Recipients.Single());

        // RFC 5321 §5.1: the next MX when the first refuses the connection.
        await SendAsync("b@backup.test");
        Assert.Equal("b@backup.test", (await second.CountAsync(1))[0].Recipients.Single());

        // RFC 5321 §5.1: no MX, an address: the implicit MX.
        await SendAsync("b@implicit.test");
        await second.UntilAsync(all => all.Any(r => r.Recipients[0] == "b@implicit.test"), TimeSpan.FromSeconds(60), "mail by the implicit MX");

        // RFC 7505: null MX fails at once with 5.1.10; NXDOMAIN with 5.1.2.
        await SendAsync("b@null.test");
        await NoticeAsync("b@null.test", "5.1.10");
        await SendAsync("b@nowhere.test");
        await NoticeAsync("b@nowhere.test", "5.1.2");

        // SERVFAIL is deferred, and so is a receiver at a private address: neither makes a notice nor a connection.
        await SendAsync("b@broken.test");
        await relay.Process!.LineAsync(l => l.Contains("broken.test", StringComparison.Ordinal) && l.Contains("4.4.3", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "deferral for SERVFAIL");
        await SendAsync("b@private.test");
        await relay.Process.LineAsync(l => l.Contains("private.test", StringComparison.Ordinal) && l.Contains("127.0.0.1", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "line about the private address");
        Assert.Equal(2, inbox.All.Count);
        var (code, output) = await relay.CommandAsync("queue", "list");
        Assert.True(code == 0 && output.Contains("broken.test", StringComparison.Ordinal), output);
    }

    private async Task NoticeAsync(string recipient, string status)
    {
        var all = await inbox.UntilAsync(r => r.Any(m => m.Text.Contains(recipient, StringComparison.Ordinal)), TimeSpan.FromSeconds(60), $"notice about {recipient}");
        Assert.Contains(status, all.Single(m => m.Text.Contains(recipient, StringComparison.Ordinal)).Text, StringComparison.Ordinal);
    }

    private async Task SendAsync(string recipient)
    {
        var (code, output) = await Child.RunAsync(network.Wrapper[0],
            [.. network.Wrapper[1..], "swaks", "--server", $"127.0.0.1:{relay.SmtpPort}", "--from", "a@sender.test", "--to", recipient], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
    }
}
