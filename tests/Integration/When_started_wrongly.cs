using System.Net;
using System.Net.Sockets;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Bad configuration stops the start with one line that names the setting and the fix; never a stack trace.</summary>
public sealed class When_started_wrongly
{
    [Theory]
    [InlineData("Ingress:MaxSize", "lots", "Ingress:MaxSize")]
    [InlineData("Ingress:TrustedNetworks", "10.0.0.0/99", "Ingress:TrustedNetworks")]
    [InlineData("Retry:Schedule", "5m,,10m", "Retry:Schedule")]
    [InlineData("Retry:Expire", "4 fortnights", "Retry:Expire")]
    [InlineData("Egress:NextHop", "ftp://x", "Egress:NextHop")]
    [InlineData("Dns:Servers", "not-an-address", "Dns:Servers")]
    [InlineData("Ingress:Domains:example.org", "/no/such/file", "Ingress:Domains:example.org")]
    [InlineData("Tls:Certificate", "/no/such/file.pem", "Tls:Certificate")]
    [InlineData("Ingres:MaxSize", "1", "Ingres:MaxSize")]
    [InlineData("Roles", "ingress,postman", "Roles")]
    public async Task Should_name_the_setting_in_one_line(string setting, string value, string named)
    {
        await using var relay = new Relay(new() { [setting] = value });
        var child = relay.Launch();
        Assert.NotEqual(0, await child.ExitAsync(TimeSpan.FromSeconds(60)));
        // One line a mistake, and nothing else.
        Assert.All(child.Output.Split('\n').Where(l => l.Length > 0), l => Assert.StartsWith($"angarium: {named}", l));
        Assert.NotEmpty(child.Output);
    }

    [Fact]
    public async Task Should_name_the_port_that_is_in_use()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var relay = new Relay(new() { ["Ingress:Smtp:Listen"] = $"127.0.0.1:{port}" });
        var child = relay.Launch();
        Assert.NotEqual(0, await child.ExitAsync(TimeSpan.FromSeconds(60)));
        Assert.Single(child.Output.Split('\n'), l => l.Contains($"{port}", StringComparison.Ordinal) && l.Contains("in use", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_refuse_a_second_process_on_the_same_Data_and_let_another_run_beside_it()
    {
        await using var one = await new Relay([]).StartAsync();
        await using var two = new Relay(new() { ["Data"] = one.Data });
        var child = two.Launch();
        Assert.NotEqual(0, await child.ExitAsync(TimeSpan.FromSeconds(60)));
        Assert.Contains(one.Data, Assert.Single(child.Output.Split('\n'), l => l.Length > 0), StringComparison.Ordinal);

        await using var beside = await new Relay([]).StartAsync();
        // No port but those that were configured.
        foreach (var relay in (Relay[])[one, beside])
        {
            var (_, listening) = await Child.RunAsync("ss", ["-Hltnp"], TimeSpan.FromSeconds(20));
            var ports = listening.Split('\n').Where(l => l.Contains($"pid={relay.Process!.Id},", StringComparison.Ordinal))
                .Select(l => int.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3].Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture)).Distinct().Order();
            Assert.Equal(new[] { relay.SmtpPort, relay.AdminPort, relay.HttpPort }.Order(), ports);
        }
    }

    [Fact]
    public async Task Should_relay_nothing_without_networks_or_domains_and_say_so()
    {
        await using var relay = await new Relay(new() { ["Ingress:TrustedNetworks"] = "" }).StartAsync();
        Assert.Contains("nobody may relay here", relay.Process!.Output, StringComparison.Ordinal);
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("554 5.7.1", await client.TransactionAsync("a@sender.test", ["b@one.test"], "x"));
    }

    [Fact]
    public async Task Should_keep_the_old_settings_when_a_changed_file_is_bad()
    {
        using var sink = new Sink();
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}" }).StartAsync();
        relay.Set("Retry:Schedule", "soon");
        await relay.Process!.LineAsync(l => l.Contains("Retry:Schedule", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "line about the bad setting");
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", ["b@one.test"], "Subject: x\r\n\r\nx"));
        await sink.CountAsync(1);
        Assert.Equal(0, await relay.StopAsync());
    }
}
