using System.Net;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>What a person or Prometheus sees of mail that went through: the page of the bundled sink, and metrics that move with the traffic.</summary>
public sealed class When_somebody_looks
{
    [Fact]
    public async Task Should_show_hostile_mail_on_the_sinks_page_as_text()
    {
        var port = Ports.Free();
        await using var relay = await new Relay(new() { ["Sink:Listen"] = $"127.0.0.1:{port}", ["Egress:NextHop"] = $"127.0.0.1:{port}" }).StartAsync();
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        const string Script = "<script>alert(1)</script>";
        Assert.StartsWith("250", await client.TransactionAsync("\"<b>a\"@sender.test", ["\"<i>b\"@one.test"], $"Subject: {Script}\r\nX: \"><img src=x>\r\n\r\n{Script}\r\n"));
        await relay.Process!.LineAsync(l => l.Contains(" Delivered message=", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "delivery");

        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{relay.HttpPort}") };
        foreach (var page in (string[])["/", "/messages/1"])
        {
            using var answer = await http.GetAsync(new Uri(page, UriKind.Relative), TestContext.Current.CancellationToken);
            var html = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Contains(WebUtility.HtmlEncode(Script), html, StringComparison.Ordinal);
            foreach (var tag in (string[])["<script", "<img", "<i>", "<b>"]) Assert.DoesNotContain(tag, html, StringComparison.Ordinal);
            Assert.Contains("default-src 'none'", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        }
    }

    /// <summary>Egress keeps the connection of the last delivery, and the sink that it leads to stops before egress does: neither waits for the other.</summary>
    [Fact]
    public async Task Should_stop_while_egress_holds_a_connection_to_the_sink()
    {
        var port = Ports.Free();
        await using var relay = await new Relay(new()
        {
            ["Sink:Listen"] = $"127.0.0.1:{port}", ["Egress:NextHop"] = $"127.0.0.1:{port}", ["Egress:Site:Idle"] = "2m",
        }).StartAsync();
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", ["b@one.test"], "Subject: x\r\n\r\nx\r\n"));
        await relay.Process!.LineAsync(l => l.Contains(" Delivered message=", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "delivery");
        Assert.Equal(0, await relay.StopAsync(seconds: 30));
        Assert.Contains("0 leases unreported", relay.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_find_the_metrics_where_the_traffic_left_them()
    {
        using var sink = new Sink();
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Retry:Schedule"] = "10m" }).StartAsync();
        sink.OnRecipient = r => r.StartsWith("gone", StringComparison.Ordinal) ? "550 5.1.1 unknown" : r.StartsWith("later", StringComparison.Ordinal) ? "451 4.7.1 later" : null;
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", ["b@one.test", "c@one.test", "gone@one.test", "later@one.test"], "Subject: x\r\n\r\nx\r\n"));
        // Two delivered, and the notice about the third.
        await sink.CountAsync(2);
        await UntilAsync("angarium_deliveries_total", "delivered", 3);
        await UntilAsync("angarium_deliveries_total", "failed", 1);
        await UntilAsync("angarium_deliveries_total", "deferred", 1);
        await UntilAsync("angarium_notices_total", "failed", 1);
        await UntilAsync("angarium_queue_recipients", "", 1);
        Assert.Equal(1, await relay.MetricAsync("angarium_messages_accepted_total"));
        Assert.Equal(4, await relay.MetricAsync("angarium_recipients_accepted_total"));
        Assert.Equal(0, await relay.MetricAsync("angarium_possible_duplicates_total"));
        // The message, and the notice through the same spool.
        Assert.Equal(2, await relay.MetricAsync("angarium_spool_commits_total"));
        Assert.True(await relay.MetricAsync("angarium_ledger_records_total") >= 5);
        Assert.True(await relay.MetricAsync("angarium_egress_connections_total", "opened") >= 1);

        async Task UntilAsync(string metric, string label, double value)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            double seen;
            while ((seen = await relay.MetricAsync(metric, label)) != value) Assert.False(limit.IsCancellationRequested, $"{metric}{{{label}}} is {seen}, not {value}");
        }
    }
}
