using System.Text.Json;
using Angarium.Integration.Harness;
using Angarium.Mail;

namespace Angarium.Integration;

/// <summary>A message's way as a collector of traces sees it, and the log as a machine reads it.</summary>
public sealed class When_somebody_traces
{
    private static readonly string[] s_way = ["accept", "attempt", "hand-over", "record"];

    [Fact]
    public async Task Should_tell_the_collector_the_way_of_a_message_under_the_id_in_the_250()
    {
        using var collector = new Collector();
        using var sink = new Sink { OnRecipient = r => r.StartsWith("gone", StringComparison.Ordinal) ? "550 5.1.1 unknown" : null };
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Traces:Endpoint"] = collector.Address, ["Traces:Sample"] = "1" }).StartAsync();
        var began = DateTimeOffset.UtcNow;
        var id = await SendAsync(relay, "b@one.test");
        var failed = await SendAsync(relay, "gone@one.test");
        var spans = await collector.UntilAsync(all => s_way.All(name => Of(all, id, name).Count == 1 && Of(all, failed, name).Count == 1));

        Assert.All(s_way.Select(name => Of(spans, id, name).Single()), span =>
        {
            Assert.Equal("", span.Parent);
            Assert.Equal(id, span.Attributes["angarium.message.id"]);
            Assert.True(began.AddSeconds(-1) <= span.Start && span.Start <= span.End && span.End <= DateTimeOffset.UtcNow.AddSeconds(1), span.ToString());
        });
        Assert.Equal("smtp", Of(spans, id, "accept").Single().Attributes["network.protocol.name"]);
        Assert.Equal("delivered", Of(spans, id, "attempt").Single().Attributes["angarium.outcome"]);
        Assert.Equal(("failed", "5.1.1"), (Of(spans, failed, "attempt").Single().Attributes["angarium.outcome"], Of(spans, failed, "attempt").Single().Attributes["smtp.reply.status"]));
        Assert.Equal("failed", Of(spans, failed, "record").Single().Attributes["angarium.outcome"]);
        // No address of a person is told.
        Assert.DoesNotContain(spans.SelectMany(s => s.Attributes.Values), value => value.Contains('@'));
    }

    [Fact]
    public async Task Should_go_on_while_nobody_collects()
    {
        using var sink = new Sink();
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Traces:Endpoint"] = $"http://127.0.0.1:{Ports.Free()}", ["Traces:Sample"] = "1" }).StartAsync();
        await SendAsync(relay, "b@one.test");
        await relay.Process!.LineAsync(l => l.Contains(" Delivered message=", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "delivery");
        Assert.Equal(0, await relay.StopAsync());
    }

    [Fact]
    public async Task Should_log_one_object_a_line_with_the_fields_that_the_docs_name()
    {
        using var sink = new Sink();
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Log:Format"] = "json" }).StartAsync();
        var id = await SendAsync(relay, "b@one.test");
        await relay.Process!.LineAsync(l => l.Contains("Delivered message=", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "delivery");
        Assert.Equal(0, await relay.StopAsync());

        var events = relay.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.All(events, one =>
        {
            Assert.True(DateTimeOffset.TryParse(one.GetProperty("Timestamp").GetString(), out _));
            Assert.True(one.GetProperty("EventId").GetInt32() >= 0);
            Assert.Contains(one.GetProperty("LogLevel").GetString(), (string[])["Debug", "Information", "Warning", "Error", "Critical"]);
            Assert.NotEqual("", one.GetProperty("Category").GetString());
            Assert.NotEqual("", one.GetProperty("Message").GetString());
            Assert.True(one.GetProperty("State").TryGetProperty("{OriginalFormat}", out _));
        });
        // Of one message: its acceptance, its attempt, its outcome; each under its own id, which stays.
        Assert.Equal(["accepted", "attempt", "delivered"], events.Where(one => one.GetProperty("State").TryGetProperty("MessageId", out var message) && message.GetString() == id)
            .Select(one => one.GetProperty("Message").GetString()!.Split(' ')[0].ToLowerInvariant()).Order(StringComparer.Ordinal));
    }

    private static IReadOnlyList<Span> Of(IReadOnlyList<Span> spans, string message, string name)
    {
        var key = new byte[RecipientKey.Size];
        Assert.True(MessageId.TryParse(message, out var id));
        id.First.Write(key);
        return [.. spans.Where(span => span.Trace == "616e" + Convert.ToHexStringLower(key) && span.Name == name)];
    }

    private static async Task<string> SendAsync(Relay relay, string recipient)
    {
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        var reply = await client.TransactionAsync("a@sender.test", [recipient], "Subject: x\r\n\r\nx\r\n");
        Assert.StartsWith("250", reply);
        return reply.Split(' ')[^1].Trim();
    }
}
