using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Angarium.Chaos.Monitoring;
using Angarium.Chaos.Processes;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// Prometheus scrapes a cluster under load while receivers defer, refuse and turn away, Redis hangs, and a silo is killed: each query of the dashboards and each series of the rules answers in the step that
/// `queries.tsv` lists for it. The receivers of site 1 are busy throughout, those of site 2 defer a third.
/// </summary>
public sealed class MonitoringAnswers : Scenario
{
    internal const string Flows = "flows", RedisHangs = "redis-hangs", SiloKilled = "silo-killed";

    private const int PerSecond = 20;
    private const string Domain = "tenant.test";

    private static readonly TimeSpan s_within = TimeSpan.FromSeconds(75);
    private static readonly string s_secrets = Directory.CreateTempSubdirectory("angarium-monitoring-").FullName;
    private static readonly string s_administrator = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(24));

    internal static IReadOnlyList<string> Steps { get; } = [Flows, RedisHangs, SiloKilled];

    internal override Tuning Tuning => new()
    {
        Settings = role => role switch
        {
            "ingress" => new Dictionary<string, string> { ["Http:Listen"] = $"0.0.0.0:{ApiCalls.Port}", ["Tls:Certificate"] = Path.Combine(s_secrets, "cert.pem"), ["Tls:Key"] = Path.Combine(s_secrets, "key.pem") },
            "api" => new Dictionary<string, string> { ["Http:Listen"] = $"0.0.0.0:{ApiCalls.Port}", ["Api:AdministratorKey"] = Secret("administrator", s_administrator) },
            "grains" => new Dictionary<string, string>
            {
                ["Keys:Master"] = Secret("master", Convert.ToBase64String(new byte[31].Append((byte)1).ToArray())), ["Egress:Webhooks:AllowPrivate"] = "true", ["Webhooks:Retry"] = "5s",
            },
            "egress" => new Dictionary<string, string> { ["Egress:Webhooks:AllowPrivate"] = "true" },
            _ => new Dictionary<string, string>(),
        },
    };

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull)
    {
        Certificate();
        return new Dictionary<string, string> { ["Retry:Schedule"] = "5s" };
    }

    internal override async Task RunAsync(Stage stage)
    {
        using var prometheus = await PrometheusServer.StartAsync(stage.Cluster, stage.Folder);
        stage.Sink.Behave("site1", site => site with { Busy = 1 });
        stage.Sink.Behave("site2", site => site with { Deferred = 0.3 });
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(PerSecond, i => Post.Domain(1 + (int)(i % 6), (int)(i / 6 % 20)), over.Token);
        var tenant = Task.CompletedTask;
        await stage.StepAsync("Should_answer_while_mail_flows_and_receivers_refuse", async () =>
        {
            tenant = await SendAsTenantAsync(stage, over.Token);
            return await AnsweredAsync(prometheus, Flows);
        });
        await stage.StepAsync("Should_answer_while_Redis_hangs", async () =>
        {
            await stage.Cluster.Redis!.Primary.SendAsync(Signal.Stop);
            var answered = await AnsweredAsync(prometheus, RedisHangs);
            await stage.Cluster.Redis!.Primary.SendAsync(Signal.Continue);
            return answered;
        });
        await stage.StepAsync("Should_answer_while_a_silo_is_dead", async () =>
        {
            var silo = stage.Cluster.With("grains")[0];
            await silo.KillAsync();
            var answered = await AnsweredAsync(prometheus, SiloKilled);
            await silo.StartAsync();
            return answered;
        });
        await over.CancelAsync();
        await Task.WhenAll(flow, tenant);
    }

    /// <summary>Until every query of the step has answered, each once.</summary>
    private static async Task<string> AnsweredAsync(PrometheusServer prometheus, string step)
    {
        var waiting = Query.Expected.Where(e => e.Step == step).Join(Query.All, e => e.Id, q => q.Id, (Expected, Query) => (Expected, Query)).ToList();
        var count = waiting.Count;
        var took = await Stage.UntilAsync(async () =>
        {
            foreach (var one in waiting.ToArray())
                if (one.Expected.IsMetBy(await prometheus.AskAsync(one.Query.Text))) waiting.Remove(one);
            return waiting.Count == 0;
        }, s_within, () => $"{waiting.Count} of {count} queries have no answer:\n{string.Join('\n', waiting.Select(w => $"{w.Expected.Id}: {w.Query.Text} {(w.Expected.Above is { } above ? "> " + above.ToString(CultureInfo.InvariantCulture) : "")}"))}");
        return string.Create(CultureInfo.InvariantCulture, $"{count} queries answered within {took.TotalSeconds:f1} s");
    }

    /// <summary>A tenant with a verified domain and a webhook that nobody answers sends, also to recipients that are refused for good; and somebody logs in with a wrong password.</summary>
    private static async Task<Task> SendAsTenantAsync(Stage stage, CancellationToken stop)
    {
        using var administrator = ApiCalls.Client(stage.Cluster.With("api")[0], s_administrator);
        var (tenant, key) = await ApiCalls.OnboardAsync(stage, administrator, Domain);
        await ApiCalls.OrderAsync(administrator, HttpMethod.Post, $"/v1/tenants/{tenant}/webhooks", new { url = $"http://{stage.World.Tenants[^1].Address}:8099/" }, HttpStatusCode.Created);
        return SendAsync();

        async Task SendAsync()
        {
            using var client = ApiCalls.Client(stage.Cluster.With("ingress")[0], key);
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
            try
            {
                for (var i = 0; await timer.WaitForNextTickAsync(stop); i++)
                {
                    using var sent = await client.PostAsJsonAsync(ApiCalls.At("/v1/messages"), ApiCalls.Letter(Domain, $"{(i % 5 == 0 ? "x" : "q")}{i}-0@{Post.Domain(3 + (i % 6), i % 20)}"), stop);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or HttpRequestException)
            {
                // The scenario is over, or this ingress is.
            }
        }
    }

    private static string Secret(string name, string text)
    {
        var path = Path.Combine(s_secrets, name);
        File.WriteAllText(path, text + "\n");
        return path;
    }

    private static void Certificate()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=ingress.test", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        Secret("cert.pem", certificate.ExportCertificatePem());
        Secret("key.pem", key.ExportPkcs8PrivateKeyPem());
    }
}
