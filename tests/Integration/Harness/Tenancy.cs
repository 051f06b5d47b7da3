using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Angarium.Integration.Harness;

/// <summary>A tenant as the answer to its creation showed it.</summary>
internal sealed record Onboarded(string Id, string Key, string User, string Password, string Domain, string[] Lines, IReadOnlyDictionary<string, string> Zone);

/// <summary>A relay with submission, an administrator, a sink to deliver to and a place for a name server: what tests of tenants begin with.</summary>
internal sealed class Tenancy : IAsyncDisposable
{
    private const string Administrator = "0123456789abcdef0123456789abcdef";

    private Tenancy(Relay relay, Sink sink, int submission, int dns)
    {
        (Relay, Sink, SubmissionPort, DnsPort) = (relay, sink, submission, dns);
        Http = HttpOf(Administrator);
    }

    public Relay Relay { get; }

    public Sink Sink { get; }

    public int SubmissionPort { get; }

    public int DnsPort { get; }

    /// <summary>The administrator's.</summary>
    public HttpClient Http { get; }

    public static async Task<Tenancy> StartAsync(Dictionary<string, string>? settings = null)
    {
        var (sink, submission, dns) = (new Sink(), Ports.Free(), Ports.Free());
        var relay = new Relay(new(settings ?? [])
        {
            ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Ingress:Submission:Listen"] = $"127.0.0.1:{submission}", ["Ingress:TrustedNetworks"] = "", ["Dns:Servers"] = $"127.0.0.1:{dns}",
            ["Tenants:SpfInclude"] = "spf.relay.test", ["Tenants:ReturnHost"] = "bounces.relay.test", ["Api:RequestsPerSecond"] = "10000",
        });
        string PathOf(string name) => Path.Combine(relay.Folder, name);
        relay.Set("Api:AdministratorKey", PathOf("administrator"));
        await File.WriteAllTextAsync(PathOf("administrator"), Administrator + "\n");
        var (code, output) = await Child.RunAsync("openssl",
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", PathOf("key.pem"), "-out", PathOf("cert.pem"), "-days", "2", "-subj", "/CN=relay.test"], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        relay.Set("Tls:Certificate", PathOf("cert.pem"));
        relay.Set("Tls:Key", PathOf("key.pem"));
        await relay.StartAsync();
        return new Tenancy(relay, sink, submission, dns);
    }

    public HttpClient HttpOf(string key) => new() { BaseAddress = new Uri($"http://127.0.0.1:{Relay.HttpPort}"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };

    public async Task<Onboarded> CreateAsync(string domain)
    {
        using var created = await Http.PostAsJsonAsync(new Uri("/v1/tenants", UriKind.Relative), new { name = domain, domain });
        var answer = JsonNode.Parse(await created.Content.ReadAsStringAsync())!;
        Assert.True(created.StatusCode == HttpStatusCode.Created, answer.ToJsonString());
        return new Onboarded(answer["tenant"]!["id"]!.GetValue<string>(), answer["apiKey"]!.GetValue<string>(), answer["smtp"]!["user"]!.GetValue<string>(), answer["smtp"]!["password"]!.GetValue<string>(), domain,
            [.. answer["records"]!.AsArray().Select(r => r!.GetValue<string>())],
            answer["tenant"]!["domains"]![0]!["records"]!.AsArray().ToDictionary(r => r!["name"]!.GetValue<string>(), r => r!["value"]!.GetValue<string>()));
    }

    /// <summary>A tenant whose domain may send.</summary>
    public async Task<Onboarded> VerifiedAsync(string domain)
    {
        var tenant = await CreateAsync(domain);
        Assert.Contains("ownership=ok", await VerifyAsync(tenant, tenant.Lines));
        return tenant;
    }

    /// <summary>Asks for a look while the zone holds these lines; what was found of each record.</summary>
    public async Task<string[]> VerifyAsync(Onboarded tenant, string[] lines)
    {
        using var server = await Nameserver.StartAsync(null, DnsPort, lines);
        using var verified = await Http.PostAsync(new Uri($"/v1/tenants/{tenant.Id}/domains/{tenant.Domain}/verify", UriKind.Relative), null);
        return [.. JsonNode.Parse(await verified.Content.ReadAsStringAsync())!["records"]!.AsArray().Select(r => $"{r!["purpose"]}={r["state"]}")];
    }

    /// <summary>Makes something by a POST; what was answered.</summary>
    public static async Task<JsonNode> MakeAsync(HttpClient client, string path, object body, int status = 201)
    {
        using var made = await client.PostAsJsonAsync(new Uri(path, UriKind.Relative), body);
        var text = await made.Content.ReadAsStringAsync();
        Assert.True((int)made.StatusCode == status, $"{path}: {(int)made.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    public static async Task<JsonNode> GetAsync(HttpClient client, string path) => JsonNode.Parse(await client.GetStringAsync(new Uri(path, UriKind.Relative)))!;

    /// <summary>Waits for what only asking can tell.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo, string what)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60), $"no {what} within a minute");
            await Task.Delay(200);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Relay.DisposeAsync();
        Sink.Dispose();
    }
}
