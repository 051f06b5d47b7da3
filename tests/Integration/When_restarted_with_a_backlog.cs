using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>A relay that is killed with 100,000 messages queued delivers again while it still reads back what it has.</summary>
public sealed class When_restarted_with_a_backlog
{
    private const int Messages = 100_000;

    [Fact]
    public async Task Should_deliver_the_first_before_half_was_read_and_then_all()
    {
        // Nobody listens at the next hop while the queue fills, and nothing is tried again before the restart.
        var port = Ports.Free();
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{port}", ["Retry:Schedule"] = "5s", ["Retry:Expire"] = "1h" }).StartAsync();
        var (code, output) = await Child.RunAsync("smtp-source", ["-s", "20", "-d", "-N", "-l", "256", "-m", $"{Messages}", "-f", "a@sender.test", "-t", "b@one.test", $"127.0.0.1:{relay.SmtpPort}"], TimeSpan.FromSeconds(120));
        Assert.True(code == 0, output);
        await relay.KillAsync();

        // smtp-sink counts faster than a scripted receiver would.
        using var sink = new Child("smtp-sink", ["-u", "nobody", $"127.0.0.1:{port}", "1024"]);
        await relay.StartAsync();
        await relay.Process!.LineAsync(l => l.Contains("Read back 50", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "half of it read back");
        var before = relay.Process.Output.Split("Read back 50")[0];
        Assert.Contains(" Delivered message=", before, StringComparison.Ordinal);
        var delivered = 0;
        await relay.Process.LineAsync(l => l.Contains(" Delivered message=", StringComparison.Ordinal) && ++delivered == Messages, TimeSpan.FromSeconds(180), $"{Messages} deliveries");
        Assert.Equal(Messages, await relay.MetricAsync("angarium_deliveries_total", "delivered"));
        Assert.Equal(0, await relay.StopAsync());
    }
}
