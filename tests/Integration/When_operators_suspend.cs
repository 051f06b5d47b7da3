using System.Text.Json.Nodes;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>One relay with two receivers and two tenants: what an operator suspends rests, also after a kill, and goes on when it is resumed or its time is over.</summary>
public sealed class When_operators_suspend : IAsyncLifetime
{
    private const string Key = "0123456789abcdef0123456789abcdef";

    private readonly Sink _first = new(), _other = new();
    private Relay _relay = null!;

    public async ValueTask InitializeAsync()
    {
        _relay = new Relay(new()
        {
            ["Egress:NextHop"] = $"127.0.0.1:{_other.Port}", ["Egress:Routes:first.test"] = $"127.0.0.1:{_first.Port}?connections=3", ["Egress:Source"] = "127.0.0.1", ["Ingress:TrustedNetworks"] = "127.0.0.1/32,127.0.0.2/32=acme",
        });
        _relay.Set("Api:AdministratorKey", Path.Combine(_relay.Folder, "administrator"));
        await File.WriteAllTextAsync(Path.Combine(_relay.Folder, "administrator"), Key);
        await _relay.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _relay.DisposeAsync();
        _first.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task Should_rest_a_site_over_a_kill_and_go_on_when_it_is_resumed()
    {
        var site = $"route:127.0.0.1:{_first.Port}";
        Assert.Matches($"^site {site} is suspended until 20[0-9-]+T", await DoneAsync("suspend", "site", "first.test", "--for", "1h", "--reason", "they asked us to"));
        await SendAsync("a@first.test");
        await SendAsync("a@second.test");
        await ArrivedAsync(_other, "a@second.test");
        var explained = await DoneAsync("explain", "first.test");
        Assert.StartsWith($"first.test: site {site}, by Egress:Routes:first.test\n  127.0.0.1:{_first.Port} 127.0.0.1\nfirst.test: 1 queued, 0 under way", explained);
        Assert.Contains($"  site {site} suspended by operator until ", explained, StringComparison.Ordinal);
        Assert.Contains(": they asked us to\n", explained, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^connections +3 +connections= of Egress:Routes:first\.test$", explained);
        Assert.Matches(@"(?m)^given up after +4d +Retry:Expire \(default\)$", explained);

        await _relay.KillAsync();
        await _relay.StartAsync();
        await SendAsync("b@second.test");
        await ArrivedAsync(_other, "b@second.test");
        await UntilAsync(output => output.StartsWith("first.test: 1 queued", StringComparison.Ordinal) && output.Contains("  suspended  ", StringComparison.Ordinal), "queue", "show", "first.test");
        Assert.False(_first.Has("a@first.test"));
        Assert.Equal($"site {site} is resumed.", await DoneAsync("resume", "site", site));
        await ArrivedAsync(_first, "a@first.test");
        Assert.Equal("Nothing is suspended.", await DoneAsync("suspensions"));
        var audit = (await DoneAsync("audit")).Split('\n');
        Assert.Matches($@"^2 +20\S+ +operator +resume +site {site}$", audit[1].TrimEnd());
        Assert.Matches($@"^1 +20\S+ +operator +suspend +site {site} +until 20\S+: they asked us to$", audit[2]);
        await RefusedAsync(1, "That is not suspended.", "resume", "site", site);
    }

    [Fact]
    public async Task Should_rest_a_tenant_alone_until_its_time_is_over()
    {
        await DoneAsync("suspend", "tenant", "acme", "--reason", "abuse");
        await SendAsync("a@second.test", from: "127.0.0.2");
        await SendAsync("b@second.test");
        await ArrivedAsync(_other, "b@second.test");
        var rows = JsonNode.Parse(await UntilAsync(output => IsShape(output, 1), "queue", "shape", "--by", "tenant", "--json"))!["rows"]!.AsArray();
        Assert.Equal(("acme", 1L, 1L), (rows[0]!["name"]!.GetValue<string>(), rows[0]!["queued"]!.GetValue<long>(), rows[0]!["ages"]![0]!.GetValue<long>()));
        Assert.Matches(@"(?m)^tenant +T +5 +10 +20 +40 +80 +160 +320 +640 +1280 +1280\+\nTOTAL +1 +1( +0){9}\nacme +1 +1( +0){9}$", await DoneAsync("queue", "shape", "--by", "tenant"));
        Assert.False(_other.Has("a@second.test"));
        // Another order takes the place of the first.
        await DoneAsync("suspend", "tenant", "acme", "--for", "2s");
        await ArrivedAsync(_other, "a@second.test");
        Assert.Equal("Nothing is suspended.", await DoneAsync("suspensions"));
    }

    [Fact]
    public async Task Should_send_nothing_from_a_source_until_it_is_resumed()
    {
        await SendAsync("a@second.test");
        await ArrivedAsync(_other, "a@second.test");
        await DoneAsync("suspend", "source", "127.0.0.1");
        await _relay.Process!.LineAsync(line => line.Contains("sources that operators have suspended: 127.0.0.1", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "line of the suspension");
        await SendAsync("b@second.test");
        await UntilAsync(output => output.Contains("  ready  ", StringComparison.Ordinal), "queue", "show", "second.test");
        Assert.False(_other.Has("b@second.test"));
        await DoneAsync("resume", "source", "127.0.0.1");
        await ArrivedAsync(_other, "b@second.test");
    }

    [Fact]
    public async Task Should_drop_a_tenants_mail_and_tell_the_senders_where_it_is_asked()
    {
        await DoneAsync("suspend", "tenant", "acme");
        await SendAsync("a@second.test", from: "127.0.0.2");
        await SendAsync("a@first.test", from: "127.0.0.2");
        await DoneAsync("queue", "hold", "second.test");
        await SendAsync("b@second.test");
        await UntilAsync(output => IsShape(output, 3), "queue", "shape", "--by", "tenant", "--json");
        Assert.Equal("1 recipients dropped.", await DoneAsync("queue", "drop", "second.test", "--tenant", "acme", "--reason", "abuse"));
        Assert.Equal("1 recipients dropped; their senders are told.", await DoneAsync("queue", "drop", "--tenant", "acme", "--bounce", "--reason", "we give up"));
        await UntilAsync(output => output == "angarium: nothing is queued for first.test.", "queue", "show", "first.test");
        await RefusedAsync(1, "nothing is queued for first.test.", "queue", "drop", "first.test", "--tenant", "acme");
        // What its senders are told is the tenant's mail, too.
        await DoneAsync("resume", "tenant", "acme");
        await _other.UntilAsync(all => all.Any(m => m.Recipients.Contains("a@sender.test") && m.Text.Contains("a@first.test", StringComparison.Ordinal) && m.Text.Contains("we give up", StringComparison.Ordinal)), TimeSpan.FromSeconds(60), "notice");
        Assert.Equal("second.test is released.", await DoneAsync("queue", "release", "second.test"));
        await ArrivedAsync(_other, "b@second.test");
        Assert.False(_other.Has("a@second.test"));
        // Over HTTP with the administrator's key it is the same.
        var (code, output) = await Child.RunAsync(Relay.Executable, ["audit", "--json", "--api", $"http://127.0.0.1:{_relay.HttpPort}", "--key", Key], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        Assert.Equal(["release domain second.test", "resume tenant acme", "drop domain first.test, tenant acme", "drop tenant acme", "drop domain second.test, tenant acme", "hold domain second.test", "suspend tenant acme"], JsonNode.Parse(output)!.AsArray().Select(one => $"{one!["action"]} {one["target"]}"));
        (code, output) = await Child.RunAsync(Relay.Executable, ["suspend", "tenant", "acme", "--for", "1h", "--api", $"http://127.0.0.1:{_relay.HttpPort}", "--key", Key], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        Assert.Equal("administrator", JsonNode.Parse(await DoneAsync("suspensions", "--json"))![0]!["actor"]!.GetValue<string>());
    }

    [Fact]
    public async Task Should_answer_a_wrong_order_with_one_line_that_names_what_is_wrong()
    {
        await RefusedAsync(1, "kind: `site`, `tenant` or `source`.", "suspend", "moon", "x");
        await RefusedAsync(1, "name: A site as ", "suspend", "site", "not a domain");
        await RefusedAsync(1, "name: An address of ", "suspend", "source", "not an address");
        await RefusedAsync(2, "--for: `soon` is not a duration", "suspend", "tenant", "acme", "--for", "soon");
        await RefusedAsync(1, "domain: A domain, such as example.net.", "explain", "not a domain");
        await RefusedAsync(1, "by: `domain`, `site` or `tenant`.", "queue", "shape", "--by", "moon");
        await RefusedAsync(2, "queue drop: name a domain, a message id, --tenant or --site.", "queue", "drop", "--reason", "x");
        await RefusedAsync(1, "site: A domain has one; name either.", "queue", "drop", "one.test", "--site", "mx:one.test");
        await RefusedAsync(1, "limit: A number from 1 to 100.", "audit", "--limit", "0");
        Assert.Equal("Nothing is suspended.", await DoneAsync("suspensions"));
    }

    [Fact]
    public async Task Should_follow_events_as_they_come()
    {
        using var follow = new Child(Relay.Executable, ["events", "--follow", "--since", "2020-01-01T00:00:00Z", "--config", _relay.ConfigFile]);
        foreach (var recipient in (string[])["a@second.test", "b@second.test"])
        {
            await SendAsync(recipient);
            await follow.LineAsync(line => line.Contains(" delivered ", StringComparison.Ordinal) && line.Contains($" a@sender.test → {recipient} 250 ", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "event");
        }
    }

    [Fact]
    public async Task Should_examine_the_surroundings_and_name_what_to_mend()
    {
        using var server = await Nameserver.StartAsync(null, ". IN SOA ns.test. host.test. 1 3600 600 86400 60", "relay.test. IN A 127.0.0.1", "1.0.0.127.in-addr.arpa. IN PTR relay.test.");
        _relay.Set("Dns:Servers", $"127.0.0.1:{server.Port}");
        var found = await DoctorAsync(0);
        // How fast a disk is, is not for a test to say.
        Assert.Equal("disk", found[0]!["check"]!.GetValue<string>());
        Assert.Equal(["certificate warning", "DNS warning", "name of 127.0.0.1 ok", $"port {_other.Port} from 127.0.0.1 ok"], found.Skip(1).Select(one => $"{one!["check"]} {one["state"]}"));
        Assert.Contains("no AD bit", found[2]!["text"]!.GetValue<string>(), StringComparison.Ordinal);

        _relay.Set("Hostname", "other.test");
        var (code, output) = await _relay.CommandAsync("doctor", "--target", $"127.0.0.1:{Ports.Free()}");
        Assert.Equal(1, code);
        Assert.Matches(@"(?m)^failed +name of 127\.0\.0\.1: its reverse DNS is .*relay\.test.*, and it greets as other\.test$", output);
        Assert.Matches(@"(?m)^failed +port [0-9]+ from 127\.0\.0\.1: 127\.0\.0\.1 \[127\.0\.0\.1\] cannot be reached: ", output);

        async Task<JsonArray> DoctorAsync(int expected)
        {
            var (code, output) = await _relay.CommandAsync("doctor", "--json", "--target", $"127.0.0.1:{_other.Port}");
            Assert.True(code == expected, output);
            return JsonNode.Parse(output)!.AsArray();
        }
    }

    /// <summary>So many are queued, acme's among them, and none is in memory alone.</summary>
    private static bool IsShape(string output, long queued) =>
        output.Contains("\"acme\"", StringComparison.Ordinal) && !output.Contains("just accepted", StringComparison.Ordinal) && JsonNode.Parse(output)!["total"]!["queued"]!.GetValue<long>() == queued;

    private async Task SendAsync(string recipient, string from = "127.0.0.1")
    {
        using var client = await Client.ConnectAsync(_relay.SmtpPort, "127.0.0.1", from);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", [recipient], "Subject: x\r\n\r\nx"));
    }

    private static Task ArrivedAsync(Sink sink, string recipient) => sink.UntilAsync(_ => sink.Has(recipient), TimeSpan.FromSeconds(60), recipient);

    private async Task<string> DoneAsync(params string[] command)
    {
        var (code, output) = await _relay.CommandAsync(command);
        Assert.True(code == 0, $"{string.Join(' ', command)} → {code}: {output}");
        return output;
    }

    private async Task RefusedAsync(int expected, string line, params string[] command)
    {
        var (code, output) = await _relay.CommandAsync(command);
        Assert.Contains(line, Assert.Single(output.Split('\n')), StringComparison.Ordinal);
        Assert.Equal(expected, code);
    }

    /// <summary>Gives the command until its output is as expected: each answer is of the running process, so the wait is on its work.</summary>
    private async Task<string> UntilAsync(Func<string, bool> expected, params string[] command)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var (_, output) = await _relay.CommandAsync(command);
            if (expected(output)) return output;
            Assert.False(limit.IsCancellationRequested, $"{string.Join(' ', command)}: {output}");
        }
    }
}
