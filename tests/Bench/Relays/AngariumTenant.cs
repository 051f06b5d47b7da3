using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Angarium.Bench.Load;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Relays;

/// <summary>
/// This relay as a tenant's clients use it, one step after the other: `trusted` (a network), `trusted-tls` (the same under TLS), `submission` (TLS, AUTH, both DKIM signatures), `submission-verp` (besides, a
/// return path and a transaction of its own for each recipient). All by the same loader, so that what differs is the relay's.
/// </summary>
internal sealed class AngariumTenant(string kind) : IRelay
{
    private const string Administrator = "0123456789abcdef0123456789abcdef", Domain = "bench.test";

    private RelayProcess? process;

    public string Name => kind;

    public double Share => kind is "trusted" or "trusted-tls" ? 1 : 0.25;

    public int Port { get; private set; }

    public ILoad? Load { get; private set; }

    public IReadOnlyCollection<int> Roots => process is { } running ? [running.Id] : [];

    public async Task StartAsync(int sinkPort, string folder)
    {
        var isSubmission = kind.StartsWith("submission", StringComparison.Ordinal);
        var (smtp, submission, http, dns) = (Ports.Free(), Ports.Free(), Ports.Free(), Ports.Free());
        Port = isSubmission ? submission : smtp;
        string PathOf(string name) => Path.Combine(folder, name);
        var (code, output) = await Child.RunAsync("openssl",
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", PathOf("key.pem"), "-out", PathOf("cert.pem"), "-days", "2", "-subj", "/CN=relay.bench.test"], TimeSpan.FromSeconds(60));
        if (code != 0) throw new InvalidOperationException(output);
        await File.WriteAllTextAsync(PathOf("administrator"), Administrator);
        process = await RelayProcess.StartAsync(
            new Dictionary<string, string>
            {
                ["Ingress:Smtp:Listen"] = $"127.0.0.1:{smtp}", ["Ingress:Submission:Listen"] = $"127.0.0.1:{submission}", ["Ingress:TrustedNetworks"] = "127.0.0.0/8", ["Egress:NextHop"] = $"127.0.0.1:{sinkPort}",
                ["Http:Listen"] = $"127.0.0.1:{http}", ["Api:AdministratorKey"] = PathOf("administrator"), ["Dns:Servers"] = $"127.0.0.1:{dns}", ["Tenants:ReturnHost"] = "bounces.bench.test",
                ["Tls:Certificate"] = PathOf("cert.pem"), ["Tls:Key"] = PathOf("key.pem"),
            },
            folder);
        Load = isSubmission ? new Loader(login: await OnboardAsync(http, dns)) : new Loader(login: kind == "trusted-tls" ? new Login() : null);
    }

    public Task<IReadOnlyDictionary<string, double>> CountersAsync() => process!.CountersAsync();

    public ValueTask DisposeAsync() => process?.DisposeAsync() ?? default;

    private async Task<Login> OnboardAsync(int port, int dns)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Administrator) } };
        async Task<JsonNode> AnswerAsync(HttpResponseMessage response)
        {
            var text = await response.Content.ReadAsStringAsync();
            return response.IsSuccessStatusCode ? JsonNode.Parse(text)! : throw new InvalidOperationException($"{(int)response.StatusCode} {text}");
        }

        var made = await AnswerAsync(await http.PostAsJsonAsync(new Uri("/v1/tenants", UriKind.Relative), new { name = kind, domain = Domain }));
        var tenant = made["tenant"]!["id"]!.GetValue<string>();
        if (kind == "submission-verp") await AnswerAsync(await http.PatchAsJsonAsync(new Uri($"/v1/tenants/{tenant}", UriKind.Relative), new { verp = "recipient" }));
        using var server = await Nameserver.StartAsync(null, dns, [.. made["records"]!.AsArray().Select(r => r!.GetValue<string>())]);
        var verified = await AnswerAsync(await http.PostAsync(new Uri($"/v1/tenants/{tenant}/domains/{Domain}/verify", UriKind.Relative), null));
        if (verified["status"]!.GetValue<string>() != "verified") throw new InvalidOperationException(verified.ToJsonString());
        return new Login(made["smtp"]!["user"]!.GetValue<string>(), made["smtp"]!["password"]!.GetValue<string>());
    }
}
