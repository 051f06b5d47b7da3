using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Tenants in several pools of one process: whose mail leaves by which address and under which name, before and after a change, and while nobody serves its pool.</summary>
public sealed class When_tenants_have_pools : IAsyncLifetime
{
    private const string Administrator = "0123456789abcdef0123456789abcdef";

    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(60);

    private readonly Sink sink = new();
    private Relay relay = null!;
    private HttpClient http = null!;

    public async ValueTask InitializeAsync()
    {
        relay = new Relay(new()
        {
            ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Retry:Schedule"] = "1s", ["Ingress:TrustedNetworks"] = "127.0.0.1",
            ["Egress:Pools:bulk"] = "127.0.0.2=bulk.relay.test", ["Egress:Pools:alerts"] = "192.0.2.77=lost.relay.test 127.0.0.3=alerts.relay.test",
        });
        relay.Set("Api:AdministratorKey", Path.Combine(relay.Folder, "administrator"));
        await File.WriteAllTextAsync(Path.Combine(relay.Folder, "administrator"), Administrator + "\n");
        await relay.StartAsync();
        http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{relay.HttpPort}"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Administrator) } };
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Fact]
    public async Task Should_send_by_the_address_and_name_of_the_tenants_pool()
    {
        await relay.Process!.LineAsync(line => line.Contains("192.0.2.77 cannot be sent from on this machine", StringComparison.Ordinal), s_soon, "word of the address that is not here");
        var tenant = await TenantAsync();
        await SendAsync("127.0.0.9", "before@elsewhere.test");
        Assert.Equal(("127.0.0.1", "relay.test"), await FromAsync("before@elsewhere.test"));
        var (status, field) = await PutAsync(tenant, "nowhere");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "pool"), (status, field));

        await MoveAsync(tenant, "bulk");
        await SendAsync("127.0.0.9", "bulk@elsewhere.test");
        await SendAsync("127.0.0.1", "default@elsewhere.test");
        Assert.Equal(("127.0.0.2", "bulk.relay.test"), await FromAsync("bulk@elsewhere.test"));
        Assert.Equal(("127.0.0.1", "relay.test"), await FromAsync("default@elsewhere.test"));
        Assert.Equal(1, await relay.MetricAsync("angarium_egress_workers", "\"bulk\""));

        // What is queued goes with its tenant: the old pool's address was told to come again later, and does not.
        var deferred = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        sink.OnDot = message =>
        {
            if (message.From.Name != "bulk.relay.test") return null;
            deferred.TrySetResult();
            return "451 4.7.1 not from here";
        };
        await SendAsync("127.0.0.9", "moved@elsewhere.test");
        await deferred.Task.WaitAsync(s_soon);
        await MoveAsync(tenant, "alerts");
        Assert.Equal(("127.0.0.3", "alerts.relay.test"), await FromAsync("moved@elsewhere.test"));
    }

    [Fact]
    public async Task Should_keep_the_mail_of_a_pool_that_nobody_serves_and_carry_all_other()
    {
        var tenant = await TenantAsync();
        await MoveAsync(tenant, "bulk");
        await relay.StopAsync();
        relay.Set("Egress:Serves", "default");
        await relay.StartAsync();
        for (var i = 0; i < 50; i++) await SendAsync("127.0.0.9", $"waits{i}@elsewhere.test");
        await SendAsync("127.0.0.1", "goes@elsewhere.test");
        await FromAsync("goes@elsewhere.test");
        await UntilAsync(async () => await relay.MetricAsync("angarium_egress_orders_waiting", "\"bulk\"") > 0, "an order that waits");
        Assert.Equal(0, await relay.MetricAsync("angarium_egress_workers", "\"bulk\""));
        var (_, shown) = await relay.CommandAsync("queue", "show", "elsewhere.test");
        Assert.Contains("50 queued, 0 under way", shown, StringComparison.Ordinal);
        Assert.Contains("bulk!route:127.0.0.1:", shown, StringComparison.Ordinal);
        Assert.Contains(tenant, shown, StringComparison.Ordinal);
        Assert.Equal("goes@elsewhere.test", Assert.Single(sink.All).Recipients[0]);
        Assert.Equal(0, await relay.MetricAsync("angarium_deliveries_total", "\"deferred\""));

        await relay.StopAsync();
        relay.Set("Egress:Serves", "");
        await relay.StartAsync();
        await sink.CountAsync(51);
        Assert.All(sink.All.Skip(1), message => Assert.Equal(("127.0.0.2", "bulk.relay.test"), message.From));
    }

    /// <summary>A tenant, and 127.0.0.9 as the address that its mail comes from.</summary>
    private async Task<string> TenantAsync()
    {
        using var created = await http.PostAsJsonAsync(new Uri("/v1/tenants", UriKind.Relative), new { name = "Acme" });
        var id = JsonNode.Parse(await created.Content.ReadAsStringAsync())!["tenant"]!["id"]!.GetValue<string>();
        relay.Set("Ingress:TrustedNetworks", $"127.0.0.1,127.0.0.9={id}");
        await relay.Process!.LineAsync(line => line.Contains("settings taken over", StringComparison.Ordinal), s_soon, "the new settings");
        return id;
    }

    private async Task MoveAsync(string tenant, string pool)
    {
        // The pool is known as soon as its worker has polled for the first time.
        await UntilAsync(async () => (await PutAsync(tenant, pool)).Status == HttpStatusCode.OK, $"pool {pool}");
        Assert.Equal(pool, JsonNode.Parse(await http.GetStringAsync(new Uri("/v1/tenants/" + tenant, UriKind.Relative)))!["pool"]!.GetValue<string>());
    }

    private async Task<(HttpStatusCode Status, string? Field)> PutAsync(string tenant, string pool)
    {
        using var content = JsonContent.Create(new { pool });
        using var changed = await http.PatchAsync(new Uri("/v1/tenants/" + tenant, UriKind.Relative), content);
        return (changed.StatusCode, JsonNode.Parse(await changed.Content.ReadAsStringAsync())!["field"]?.GetValue<string>());
    }

    private async Task SendAsync(string from, string recipient)
    {
        using var client = await Client.ConnectAsync(relay.SmtpPort, from: from);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("250 ", await client.TransactionAsync("a@sender.test", [recipient], "Subject: x\r\n\r\nbody"), StringComparison.Ordinal);
    }

    private async Task<(string Address, string Name)> FromAsync(string recipient) =>
        (await sink.UntilAsync(all => all.Any(r => r.Recipients.Contains(recipient)), s_soon, recipient)).First(r => r.Recipients.Contains(recipient)).From;

    private static async Task UntilAsync(Func<Task<bool>> isSo, string what)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < s_soon, $"no {what} within a minute");
            await Task.Delay(200);
        }
    }
}
