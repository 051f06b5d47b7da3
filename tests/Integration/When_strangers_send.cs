using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Never an open relay, never backscatter.</summary>
public sealed class When_strangers_send : IAsyncLifetime
{
    private const string Stranger = "127.0.0.9";
    private readonly Sink sink = new();
    private Relay relay = null!;

    public async ValueTask InitializeAsync()
    {
        relay = new Relay(new()
        {
            ["Ingress:TrustedNetworks"] = "127.0.0.1/32=acme",
            ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}",
            ["Retry:Schedule"] = "1s",
        });
        var list = Path.Combine(relay.Folder, "recipients");
        await File.WriteAllTextAsync(list, "# who lives here\nalice\nbob@ours.test\n");
        relay.Set("Ingress:Domains:ours.test", list);
        relay.Set("Ingress:Domains:any.test", "*");
        await relay.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Theory]
    [InlineData("x@elsewhere.test")]
    [InlineData("x@sub.ours.test")]
    [InlineData("x@ours.test.elsewhere.test")]
    [InlineData("x%elsewhere.test@sub.ours.test")]
    [InlineData("@ours.test:x@elsewhere.test")]
    [InlineData("\"x@elsewhere.test\"@other.test")]
    [InlineData("x@[127.0.0.1]")]
    [InlineData("x@127.0.0.1")]
    public async Task Should_be_denied_relaying(string recipient) => Assert.StartsWith("5", await RecipientAsync(recipient));

    [Theory]
    [InlineData("alice@ours.test", "250")]
    [InlineData("ALICE@OURS.TEST", "250")]
    [InlineData("bob@ours.test", "250")]
    [InlineData("postmaster@ours.test", "250")]
    [InlineData("postmaster", "250")]
    [InlineData("carol@ours.test", "550 5.1.1")]
    [InlineData("carol%elsewhere.test@ours.test", "55")]
    [InlineData("anyone@any.test", "250")]
    public async Task Should_reach_listed_recipients_only(string recipient, string reply) => Assert.StartsWith(reply, await RecipientAsync(recipient));

    [Fact]
    public async Task Should_never_get_a_notice()
    {
        sink.OnRecipient = r => r == "alice@ours.test" ? "550 5.1.1 moved away" : null;
        using var stranger = await OpenAsync(Stranger);
        Assert.StartsWith("250", await stranger.TransactionAsync("forged@victim.test", ["alice@ours.test"], "Subject: spam\r\n\r\nx"));
        await relay.Process!.LineAsync(l => l.Contains("moved away", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "line about the refusal");
        // A trusted client's refused mail does make one, and it would come after.
        using var trusted = await OpenAsync("127.0.0.1");
        Assert.StartsWith("250", await trusted.TransactionAsync("a@sender.test", ["alice@ours.test"], "Subject: x\r\n\r\nx"));
        var all = await sink.CountAsync(1);
        Assert.Equal("a@sender.test", Assert.Single(all).Recipients.Single());
    }

    [Fact]
    public async Task Should_take_over_a_changed_list()
    {
        Assert.StartsWith("550 5.1.1", await RecipientAsync("dora@ours.test"));
        var list = Path.Combine(relay.Folder, "recipients");
        await File.WriteAllTextAsync(list + ".new", "dora\n");
        File.Move(list + ".new", list, overwrite: true);
        for (var tries = 0; !(await RecipientAsync("dora@ours.test")).StartsWith("250", StringComparison.Ordinal); tries++)
        {
            Assert.True(tries < 300, "the changed list was never taken over");
            await Task.Delay(100);
        }

        Assert.StartsWith("550 5.1.1", await RecipientAsync("alice@ours.test"));
    }

    private async Task<Client> OpenAsync(string from)
    {
        var client = await Client.ConnectAsync(relay.SmtpPort, from: from);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO stranger.test");
        return client;
    }

    private async Task<string> RecipientAsync(string recipient)
    {
        using var client = await OpenAsync(Stranger);
        Assert.StartsWith("250", await client.CommandAsync("MAIL FROM:<forged@victim.test>"));
        return await client.CommandAsync($"RCPT TO:<{recipient}>");
    }
}
