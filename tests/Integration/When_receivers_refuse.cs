using Angarium.Integration.Harness;
using MimeKit;

namespace Angarium.Integration;

/// <summary>Retries by a schedule of seconds, failures, expiry and the notices that they owe.</summary>
public sealed class When_receivers_refuse : IAsyncLifetime
{
    private readonly Sink sink = new();
    private Relay relay = null!;

    public async ValueTask InitializeAsync() => relay = await new Relay(new()
    {
        ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}",
        ["Retry:Schedule"] = "1s",
        ["Retry:Expire"] = "8s",
    }).StartAsync();

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Fact]
    public async Task Should_deliver_on_the_third_try_after_two_deferrals()
    {
        var tries = 0;
        sink.OnRecipient = _ => Interlocked.Increment(ref tries) <= 2 ? "451 4.7.1 come back later" : null;
        var id = await SendAsync("a@sender.test", "b@one.test");
        var message = Assert.Single(await sink.CountAsync(1));
        Assert.Equal("b@one.test", message.Recipients[0]);
        Assert.Equal(3, tries);

        var trace = await TraceAsync(id, "delivered");
        Assert.Contains("come back later", trace, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_write_one_notice_to_the_sender_after_a_refusal()
    {
        sink.OnRecipient = r => r == "gone@one.test" ? "550 5.1.1 no such user here" : null;
        await SendAsync("a@sender.test", "gone@one.test", "there@one.test");
        var all = await sink.CountAsync(2);
        var notice = Assert.Single(all, r => r.Sender.Length == 0);
        Assert.Equal(["a@sender.test"], notice.Recipients);

        using var parsed = await MimeMessage.LoadAsync(new MemoryStream(notice.Content));
        var report = Assert.IsType<MultipartReport>(parsed.Body);
        Assert.Equal("delivery-status", report.ReportType);
        var status = report.OfType<MessageDeliveryStatus>().Single();
        Assert.Equal("failed", status.StatusGroups[1]["Action"]);
        Assert.Equal("5.1.1", status.StatusGroups[1]["Status"]);
        Assert.Contains("gone@one.test", status.StatusGroups[1]["Final-Recipient"], StringComparison.Ordinal);
        Assert.Contains("no such user here", status.StatusGroups[1]["Diagnostic-Code"], StringComparison.Ordinal);
        Assert.Equal("auto-replied", parsed.Headers["Auto-Submitted"]);
        Assert.Equal("there@one.test", Assert.Single(all, r => r.Sender == "a@sender.test").Recipients.Single());
    }

    [Fact]
    public async Task Should_never_write_a_notice_about_a_notice()
    {
        sink.OnRecipient = r => r.EndsWith("@one.test", StringComparison.Ordinal) ? "550 5.1.1 no" : null;
        var id = await SendAsync("", "gone@one.test");
        Assert.DoesNotContain("elivered", await TraceAsync(id, "finished"), StringComparison.Ordinal);
        // Whatever else would be sent would have to pass before this one, which was queued after.
        await SendAsync("a@sender.test", "b@two.test");
        Assert.Equal("b@two.test", Assert.Single(await sink.CountAsync(1)).Recipients.Single());
    }

    [Fact]
    public async Task Should_expire_with_a_notice_only_after_attempts()
    {
        var tries = 0;
        sink.OnRecipient = r =>
        {
            if (r != "never@one.test") return null;
            Interlocked.Increment(ref tries);
            return "452 4.2.2 mailbox full";
        };
        await SendAsync("a@sender.test", "never@one.test");
        var notice = Assert.Single(await sink.CountAsync(1, 60));
        Assert.Equal("", notice.Sender);
        Assert.Contains("mailbox full", notice.Text, StringComparison.Ordinal);
        Assert.InRange(tries, 2, 12);
    }

    [Fact]
    public async Task Should_retry_and_count_a_cut_after_the_dot_and_suspend_nothing()
    {
        var cuts = 0;
        sink.CutAfterDot = m => m.Recipients[0] == "cut@one.test" && Interlocked.Increment(ref cuts) == 1;
        await SendAsync("a@sender.test", "cut@one.test");
        await sink.UntilAsync(all => all.Count(r => r.Recipients[0] == "cut@one.test") == 2, TimeSpan.FromSeconds(60), "the second copy");
        Assert.Equal(1, await relay.MetricAsync("angarium_possible_duplicates_total"));
        Assert.Equal(0, await relay.MetricAsync("angarium_site_suspensions_total"));
    }

    [Fact]
    public async Task Should_defer_by_a_refused_connection_and_deliver_when_it_is_back()
    {
        var port = Ports.Free();
        relay.Set("Egress:Routes:down.test", $"127.0.0.1:{port}");
        await relay.Process!.LineAsync(l => l.Contains("taken over: Egress:Routes", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "taken-over line");
        await SendAsync("a@sender.test", "b@down.test");
        await relay.Process.LineAsync(l => l.Contains($"127.0.0.1:{port}", StringComparison.Ordinal) && l.Contains("refused", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "line about the refused connection");
        using var late = new Sink(port);
        Assert.Single(await late.CountAsync(1));
    }

    [Fact]
    public async Task Should_send_back_eight_bit_content_that_the_peer_cannot_take()
    {
        using var seven = new Sink { Extensions = ["PIPELINING"] };
        relay.Set("Egress:Routes:seven.test", $"127.0.0.1:{seven.Port}");
        await relay.Process!.LineAsync(l => l.Contains("taken over: Egress:Routes", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "taken-over line");
        using var client = await OpenAsync();
        Assert.StartsWith("250", await client.CommandAsync("MAIL FROM:<a@sender.test> BODY=8BITMIME"));
        Assert.StartsWith("250", await client.CommandAsync("RCPT TO:<b@seven.test>"));
        Assert.StartsWith("354", await client.CommandAsync("DATA"));
        Assert.StartsWith("250", await client.CommandAsync("Subject: x\r\n\r\n\u00e4\r\n."));
        var notice = Assert.Single(await sink.CountAsync(1));
        Assert.Contains("5.6.3", notice.Text, StringComparison.Ordinal);
        Assert.Empty(seven.All);
    }

    [Fact]
    public async Task Should_pass_DSN_parameters_on_or_say_relayed()
    {
        using var plain = new Sink { Extensions = ["PIPELINING", "8BITMIME"] };
        relay.Set("Egress:Routes:plain.test", $"127.0.0.1:{plain.Port}");
        await relay.Process!.LineAsync(l => l.Contains("taken over: Egress:Routes", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "taken-over line");
        using var client = await OpenAsync();
        Assert.StartsWith("250", await client.CommandAsync("MAIL FROM:<a@sender.test> RET=HDRS ENVID=Order+2B66"));
        Assert.StartsWith("250", await client.CommandAsync("RCPT TO:<b@plain.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@plain.test"));
        Assert.StartsWith("354", await client.CommandAsync("DATA"));
        Assert.StartsWith("250", await client.CommandAsync("Subject: x\r\n\r\nbody\r\n."));
        await plain.CountAsync(1);
        var notice = Assert.Single(await sink.CountAsync(1));
        using var parsed = await MimeMessage.LoadAsync(new MemoryStream(notice.Content));
        var status = ((MultipartReport)parsed.Body!).OfType<MessageDeliveryStatus>().Single();
        Assert.Equal("relayed", status.StatusGroups[1]["Action"]);
        Assert.Equal("Order+66", status.StatusGroups[0]["Original-Envelope-Id"]);
        Assert.Contains("first@plain.test", status.StatusGroups[1]["Original-Recipient"], StringComparison.Ordinal);
    }

    private async Task<Client> OpenAsync()
    {
        var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        return client;
    }

    private async Task<string> SendAsync(string sender, params string[] recipients)
    {
        using var client = await OpenAsync();
        var reply = await client.TransactionAsync(sender, recipients, "Subject: test\r\n\r\nbody");
        Assert.StartsWith("250 2.0.0", reply);
        return reply[^23..];
    }

    /// <summary>Asks for the trace until it shows a state: records follow the reply to the final dot by a moment.</summary>
    private async Task<string> TraceAsync(string id, string state)
    {
        for (var tries = 0; ; tries++)
        {
            var (code, output) = await relay.CommandAsync("trace", id);
            if (code == 0 && output.Contains(state, StringComparison.OrdinalIgnoreCase)) return output;
            Assert.True(tries < 60, $"trace {id} never showed {state}: {output}");
        }
    }
}
