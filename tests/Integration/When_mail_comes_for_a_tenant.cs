using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Mail from the internet for domains that tenants named by API: passed on to the host they named, refused where it is for nobody, within seconds of what they change.</summary>
public sealed class When_mail_comes_for_a_tenant : IAsyncLifetime
{
    private const string Content = "Subject: in\r\n\r\nx\r\n";

    private readonly Sink host = new();
    private Tenancy all = null!;
    private Onboarded mine = null!, other = null!;
    private HttpClient own = null!, stranger = null!;

    public async ValueTask InitializeAsync()
    {
        // The hosts that tenants may name here are on this machine.
        all = await Tenancy.StartAsync(new() { ["Egress:AllowedNetworks"] = "127.0.0.0/8" });
        (mine, other) = (await all.VerifiedAsync("mine.test"), await all.VerifiedAsync("other.test"));
        (own, stranger) = (all.HttpOf(mine.Key), all.HttpOf(other.Key));
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        stranger.Dispose();
        await all.DisposeAsync();
        host.Dispose();
    }

    [Fact]
    public async Task Should_pass_it_on_to_the_route_and_refuse_what_is_for_nobody()
    {
        Assert.StartsWith("554 5.7.1", await RcptAsync("anna@mine.test"), StringComparison.Ordinal);
        var added = await AddAsync(own, mine, new { domain = "Mine.TEST", route = $"127.0.0.1:{host.Port}", recipients = new[] { "anna", "Bob@mine.test" } });
        Assert.Equal(("mine.test", "active", false, 2), (added["domain"]!.GetValue<string>(), added["status"]!.GetValue<string>(), added["catchAll"]!.GetValue<bool>(), added["recipients"]!.GetValue<int>()));
        // A stranger asked a moment ago: that is remembered for some seconds.
        await UntilRcptAsync("anna@mine.test", "250");
        foreach (var (recipient, reply) in new[]
        {
            ("Anna@Mine.Test", "250 2.1.5"), ("anna+shop@mine.test", "250 2.1.5"), ("bob@mine.test", "250 2.1.5"), ("postmaster@mine.test", "250 2.1.5"), ("nobody@mine.test", "550 5.1.1"),
            ("anna%elsewhere.test@mine.test", "554 5.7.1"), ("anna@sub.mine.test", "554 5.7.1"), ("x@elsewhere.test", "554 5.7.1"), ("x@other.test", "554 5.7.1"),
        }) Assert.StartsWith(reply, await RcptAsync(recipient), StringComparison.Ordinal);

        Assert.StartsWith("250", await SendAsync("Anna@mine.test", "postmaster@mine.test"), StringComparison.Ordinal);
        var got = Assert.Single(await host.CountAsync(1));
        Assert.Equal(["Anna@mine.test", "postmaster@mine.test"], got.Recipients.Order());
        Assert.Equal("a@stranger.test", got.Sender);
        Assert.Empty(all.Sink.All);

        // It is this tenant's, and nobody else's.
        JsonArray events = [];
        await Tenancy.UntilAsync(async () => (events = (await Tenancy.GetAsync(own, "/v1/events"))["events"]!.AsArray()).Count >= 4, "four events");
        Assert.Equal(["Anna@mine.test", "postmaster@mine.test"], events.Select(e => e!["recipient"]!.GetValue<string>()).Distinct().Order());
        Assert.Empty((await Tenancy.GetAsync(stranger, "/v1/events"))["events"]!.AsArray());
        var audit = (await Tenancy.GetAsync(own, $"/v1/tenants/{mine.Id}/audit"))["items"]!.AsArray();
        Assert.Contains(audit, a => a!["action"]!.GetValue<string>() == "addInbound" && a["target"]!.GetValue<string>() == "mine.test");
    }

    [Fact]
    public async Task Should_let_no_other_tenant_have_or_see_it()
    {
        await AddAsync(own, mine, new { domain = "mine.test", route = $"127.0.0.1:{host.Port}" });
        Assert.Equal(("domain", HttpStatusCode.UnprocessableEntity), await RefusedAsync(stranger, other, new { domain = "mine.test" }));
        // Not even by an administrator's mistake; and whose it is, is not said.
        using var taken = await all.Http.PostAsJsonAsync(new Uri($"/v1/tenants/{other.Id}/inbound", UriKind.Relative), new { domain = "mine.test" });
        Assert.Equal(HttpStatusCode.Conflict, taken.StatusCode);
        Assert.DoesNotContain(mine.Id, await taken.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        using var hidden = await stranger.GetAsync(new Uri($"/v1/tenants/{other.Id}/inbound/mine.test", UriKind.Relative));
        using var nothing = await stranger.GetAsync(new Uri($"/v1/tenants/{other.Id}/inbound/absent.test", UriKind.Relative));
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (hidden.StatusCode, nothing.StatusCode));
        using var removed = await stranger.DeleteAsync(new Uri($"/v1/tenants/{other.Id}/inbound/mine.test", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, removed.StatusCode);
        Assert.Empty((await Tenancy.GetAsync(stranger, $"/v1/tenants/{other.Id}/inbound"))["items"]!.AsArray());
        Assert.Equal(["mine.test"], (await Tenancy.GetAsync(own, $"/v1/tenants/{mine.Id}/inbound"))["items"]!.AsArray().Select(i => i!["domain"]!.GetValue<string>()));

        // One transaction is one tenant's.
        await AddAsync(stranger, other, new { domain = "other.test", route = $"127.0.0.1:{host.Port}" });
        await UntilRcptAsync("x@other.test", "250");
        using var client = await ConnectAsync();
        await client.CommandAsync("MAIL FROM:<a@stranger.test>");
        Assert.StartsWith("250", await client.CommandAsync("RCPT TO:<x@mine.test>"), StringComparison.Ordinal);
        Assert.StartsWith("452 4.5.3", await client.CommandAsync("RCPT TO:<x@other.test>"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_refuse_routes_into_our_own_networks()
    {
        foreach (var route in new[] { "10.0.0.1", "169.254.169.254:80", "[::1]", "localhost", "relay.test", "relay.test:2525", "smtp://mail.mine.test", "a b" })
            Assert.Equal(("route", HttpStatusCode.UnprocessableEntity), await RefusedAsync(own, mine, new { domain = "mine.test", route }));
        Assert.Equal(("private", HttpStatusCode.Forbidden), await RefusedAsync(own, mine, new { domain = "mine.test", route = "10.0.0.1", @private = true }));
        Assert.Equal(("recipients[1]", HttpStatusCode.UnprocessableEntity), await RefusedAsync(own, mine, new { domain = "mine.test", route = "mail.mine.test", recipients = new[] { "a", "b@other.test" } }));
        Assert.Empty((await Tenancy.GetAsync(own, $"/v1/tenants/{mine.Id}/inbound"))["items"]!.AsArray());
        var vouched = await AddAsync(all.Http, mine, new { domain = "inside.test", route = "10.0.0.1", @private = true });
        Assert.Equal((true, "active"), (vouched["private"]!.GetValue<bool>(), vouched["status"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Should_follow_what_is_changed_within_a_minute_and_keep_it_over_a_crash()
    {
        host.OnConnect = () => "421 not now";
        await AddAsync(own, mine, new { domain = "mine.test", route = $"127.0.0.1:{host.Port}", recipients = new[] { "anna" } });
        await UntilRcptAsync("anna@mine.test", "250");
        Assert.StartsWith("250", await SendAsync("anna@mine.test"), StringComparison.Ordinal);
        await Tenancy.UntilAsync(() => Task.FromResult(host.Connections > 0), "connection");

        await all.Relay.KillAsync();
        await all.Relay.StartAsync();
        await UntilRcptAsync("anna@mine.test", "250");
        Assert.StartsWith("550", await RcptAsync("nobody@mine.test"), StringComparison.Ordinal);

        using var better = new Sink();
        await ChangeAsync("", new { route = $"127.0.0.1:{better.Port}", catchAll = true });
        Assert.Single(await better.CountAsync(1, 60));
        await UntilRcptAsync("nobody@mine.test", "250");

        using (await all.Http.PostAsync(new Uri($"/v1/tenants/{mine.Id}/pause", UriKind.Relative), null)) await UntilRcptAsync("anna@mine.test", "450 4.2.1");
        using (await all.Http.PostAsync(new Uri($"/v1/tenants/{mine.Id}/resume", UriKind.Relative), null)) await UntilRcptAsync("anna@mine.test", "250");

        using var removed = await own.DeleteAsync(new Uri($"/v1/tenants/{mine.Id}/inbound/mine.test", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        await UntilRcptAsync("anna@mine.test", "554 5.7.1", 15);
        using var gone = await own.GetAsync(new Uri($"/v1/tenants/{mine.Id}/inbound/mine.test", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);

        // And with its tenant, whatever it named.
        await AddAsync(own, mine, new { domain = "mine.test", route = $"127.0.0.1:{better.Port}", recipients = new[] { "dora-of-old" } });
        await UntilRcptAsync("dora-of-old@mine.test", "250");
        using var deleted = await all.Http.DeleteAsync(new Uri($"/v1/tenants/{mine.Id}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        await UntilRcptAsync("dora-of-old@mine.test", "554 5.7.1", 15);
        var documents = Directory.GetFiles(all.Relay.Data, "*", SearchOption.AllDirectories).Where(f => f.Contains("/inbound/", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(documents);
        Assert.DoesNotContain(documents, f => File.ReadAllText(f).Contains("dora-of-old", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Should_be_looked_after_by_the_command_line()
    {
        string[] key = ["--api", own.BaseAddress!.ToString(), "--key", mine.Key];
        async Task<string> RunAsync(params string[] words)
        {
            var (code, output) = await all.Relay.CommandAsync([.. words, .. key]);
            Assert.True(code == 0, output);
            return output;
        }

        Assert.Contains("\"status\": \"active\"", await RunAsync("inbound", "add", mine.Id, "mine.test", "--route", $"127.0.0.1:{host.Port}", "--recipient", "anna", "--recipient", "bob"), StringComparison.Ordinal);
        Assert.Matches($@"mine\.test +active +127\.0\.0\.1:{host.Port} +false +2", await RunAsync("inbound", "list", mine.Id));
        await RunAsync("inbound", "recipients", "add", mine.Id, "mine.test", "carl", "dora@mine.test");
        await RunAsync("inbound", "recipients", "remove", mine.Id, "mine.test", "Anna@mine.test");
        Assert.Equal(["bob", "carl", "dora"], (await RunAsync("inbound", "recipients", "list", mine.Id, "mine.test")).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Contains("\"catchAll\": true", await RunAsync("inbound", "change", mine.Id, "mine.test", "--catch-all", "true"), StringComparison.Ordinal);
        Assert.Contains("\"recipients\": 3", await RunAsync("inbound", "show", mine.Id, "mine.test"), StringComparison.Ordinal);
        await RunAsync("inbound", "remove", mine.Id, "mine.test");
        Assert.DoesNotContain("mine.test", await RunAsync("inbound", "list", mine.Id), StringComparison.Ordinal);
    }

    private static Task<JsonNode> AddAsync(HttpClient client, Onboarded tenant, object body) => Tenancy.MakeAsync(client, $"/v1/tenants/{tenant.Id}/inbound", body);

    private static async Task<(string Field, HttpStatusCode Status)> RefusedAsync(HttpClient client, Onboarded tenant, object body)
    {
        using var response = await client.PostAsJsonAsync(new Uri($"/v1/tenants/{tenant.Id}/inbound", UriKind.Relative), body);
        return (JsonNode.Parse(await response.Content.ReadAsStringAsync())!["field"]?.GetValue<string>() ?? "", response.StatusCode);
    }

    private async Task ChangeAsync(string path, object body)
    {
        using var response = await own.PatchAsJsonAsync(new Uri($"/v1/tenants/{mine.Id}/inbound/mine.test{path}", UriKind.Relative), body);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    private async Task<Client> ConnectAsync()
    {
        var client = await Client.ConnectAsync(all.Relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO stranger.test");
        return client;
    }

    private async Task<string> RcptAsync(string recipient)
    {
        using var client = await ConnectAsync();
        await client.CommandAsync("MAIL FROM:<a@stranger.test>");
        return await client.CommandAsync($"RCPT TO:<{recipient}>");
    }

    private async Task UntilRcptAsync(string recipient, string reply, double seconds = 30)
    {
        var (began, last) = (System.Diagnostics.Stopwatch.GetTimestamp(), "");
        while (!(last = await RcptAsync(recipient)).StartsWith(reply, StringComparison.Ordinal))
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(seconds), $"{recipient} is answered {last}, not {reply}");
            await Task.Delay(200);
        }
    }

    private async Task<string> SendAsync(params string[] recipients)
    {
        using var client = await ConnectAsync();
        return await client.TransactionAsync("a@stranger.test", recipients, Content);
    }
}
