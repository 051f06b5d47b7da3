using System.Net;
using System.Net.Http.Json;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Scenarios;
using Angarium.TestKit.Servers;
using k8s.Models;

namespace Angarium.Chaos.Chart;

// The examples beside production.yaml: each is a release or an upgrade of the one that there is, and mail goes the way that it describes.
public sealed partial class ChartProduction
{
    private const string Pool = "bulk", Domain = "tenant.test";
    private IdentityProvider? identities;
    private HttpClient? tenant;

    private async Task RunExamplesAsync(Stage stage)
    {
        await stage.StepAsync("Should_send_a_tenants_mail_by_the_pool_of_a_further_release", () => SendByPoolAsync(stage));
        await stage.StepAsync("Should_send_from_the_addresses_that_nodes_hold", () => SendFromNodesAsync(stage));
        await stage.StepAsync("Should_send_through_a_proxy", () => SendThroughProxyAsync(stage));
    }

    private protected override Task RunLastAsync(Stage stage) => stage.StepAsync("Should_reach_storage_by_the_identity_of_each_role", () => Task.FromResult(JudgeIdentities()));

    private async Task<string> SendByPoolAsync(Stage stage)
    {
        var release = await RenderAsync("angarium-bulk", HelmChart.Example("production"), HereFile, HelmChart.Example("pool"));
        await Pods.InstallAsync(release);
        var sender = Running("egress").Single(p => p.Workload.Name == "angarium-bulk-egress").Node;
        Stage.Require(release.Manifests.Workloads.Where(w => w.Role != "egress").All(w => w.Replicas == 0), "the release has other pods than egress");

        using var administrator = ApiCalls.Client(Running("api").First().Node, ChartSecrets.Administrator);
        var (id, key) = await ApiCalls.OnboardAsync(stage, administrator, Domain);
        await ApiCalls.OrderAsync(administrator, HttpMethod.Patch, $"/v1/tenants/{id}", new { pool = Pool }, HttpStatusCode.OK);
        tenant = ApiCalls.Client(Running("ingress").First().Node, key);
        // Silos hear of it one by one; each message has a domain, and so a silo, of its own.
        var count = 0;
        await Stage.UntilAsync(async () => (await SendAsync(stage, tenant, count += 10, 10)).All(peer => peer == sender.Name), Stage.Patience, () => $"of {count} messages the last ten did not all come from {sender.Name}");
        await Pods.UninstallAsync(release);
        return $"{sender.Name} sent the last 10 of {count} messages";
    }

    private async Task<string> SendFromNodesAsync(Stage stage)
    {
        var next = await ExampleAsync("daemonset");
        await UpgradeAsync(next);
        var settings = next.Manifests.Of<V1ConfigMap>("angarium-egress");
        Stage.Require(Running("egress").Select(p => p.Machine).Order(StringComparer.Ordinal).SequenceEqual(["node-1", "node-2"]), $"egress runs on {string.Join(' ', Running("egress").Select(p => p.Machine))}");
        var of = await SendAsync(stage, stage.World.Tenants[0].Tenant, 20);
        Stage.Require(of.All(peer => peer == "192.0.2.11"), $"mail of the default pool came from {string.Join(' ', of.Distinct())}");
        var bulk = await SendAsync(stage, tenant!, 100_000, 40);
        var held = settings.Data.Keys.SelectMany(file => Manifests.SourcesOn(settings, Path.GetFileNameWithoutExtension(file))).ToHashSet();
        Stage.Require(bulk.All(peer => peer is "192.0.2.12" or "192.0.2.22" && held.Contains(peer)), $"mail of pool {Pool} came from {string.Join(' ', bulk.Distinct())}");
        return $"{of.Count} messages came from 192.0.2.11, {bulk.Count} of pool {Pool} from {string.Join(" and ", bulk.Distinct().Order(StringComparer.Ordinal))}";
    }

    private async Task<string> SendThroughProxyAsync(Stage stage)
    {
        // It is there as long as pods may use it.
        var proxy = new SocksServer(1080, IPAddress.Parse(ProxyAddress), IPAddress.Parse(ProxyAddress)) { Login = ChartSecrets.ProxyLogin };
        await UpgradeAsync(await ExampleAsync("proxy"));
        Stage.Require(Running("egress").All(p => p.Workload.Kind == "Deployment"), "pods of the DaemonSet still run");
        var peers = await SendAsync(stage, stage.World.Tenants[0].Tenant, 20);
        Stage.Require(peers.All(peer => peer == ProxyAddress), $"mail came from {string.Join(' ', peers.Distinct())}");
        Stage.Require(proxy.Logins.Length > 0 && proxy.Logins.All(login => login == ChartSecrets.ProxyLogin), $"logins: {string.Join(", ", proxy.Logins.Distinct())}");
        return $"{peers.Count} messages came from the proxy, by {proxy.Asked.Length} connections with its login";
    }

    /// <summary>Workload identities in place of storage keys, certificates of cert-manager in place of those that were given.</summary>
    private protected override async Task<Pod> LastAsync()
    {
        var next = await ExampleAsync("identity");
        var accounts = next.Manifests.Workloads.Select(w => next.Manifests.Of<V1ServiceAccount>(w.Template.Spec.ServiceAccountName)).ToDictionary(a => a.Metadata.Annotations["azure.workload.identity/client-id"], a => a.Metadata.Name);
        var certificate = ChartSecrets.Certificate(IdentityProvider.Name);
        identities = await IdentityProvider.StartAsync(DirectoryAddress, (certificate["tls.crt"], certificate["tls.key"]), accounts);
        return next;
    }

    private string JudgeIdentities()
    {
        var given = identities!.Given;
        Stage.Require(identities.Refused.Count == 0, $"refused: {string.Join("; ", identities.Refused.Distinct())}");
        foreach (var (node, workload, _) in Pods.Pods.Where(p => p.Node.IsRunning))
        {
            var environment = File.ReadAllText($"/proc/{node.Id}/environ");
            Stage.Require(!environment.Contains("sig=", StringComparison.Ordinal) && !environment.Contains("AccountKey=", StringComparison.Ordinal), $"{node.Name} holds a storage key");
            var own = Release.IdentityOf(workload.Template)["AZURE_CLIENT_ID"];
            var used = given.Where(g => g.Address == node.Address).Select(g => g.Client).ToList();
            Stage.Require(used.SequenceEqual([own]), $"{node.Name}, whose identity is {own}, asked for tokens as {string.Join(' ', used)}");
        }

        return $"{given.Count} processes asked for tokens as {given.Select(g => g.Client).Distinct().Count()} identities, each as its role's, and none holds a storage key";
    }

    private Task<Pod> ExampleAsync(string name) => RenderAsync(HelmChart.Release, HelmChart.Example("production"), HereFile, HelmChart.Example(name));

    private IEnumerable<(Node Node, Workload Workload, string Machine)> Running(string role) => Pods.Pods.Where(p => p.Node.Role == role && p.Node.IsRunning);

    /// <summary>Sends so many messages by SMTP; where they came from.</summary>
    private static async Task<IReadOnlyList<string>> SendAsync(Stage stage, string sender, int count) => await ArrivedAsync(stage, await stage.Post.BulkAsync(sender, count, DomainOf));

    /// <summary>Sends so many messages over HTTP, as a tenant; where they came from.</summary>
    private static async Task<IReadOnlyList<string>> SendAsync(Stage stage, HttpClient client, int first, int count)
    {
        var recipients = Enumerable.Range(first, count).Select(i => $"t{i}@{DomainOf(i)}").ToList();
        foreach (var recipient in recipients)
            await ApiCalls.AnswerAsync(await client.PostAsJsonAsync(ApiCalls.At("/v1/messages"), ApiCalls.Letter(Domain, recipient)), HttpStatusCode.Accepted);
        return await ArrivedAsync(stage, recipients);
    }

    private static async Task<IReadOnlyList<string>> ArrivedAsync(Stage stage, IReadOnlyList<string> recipients)
    {
        await Stage.UntilAsync(() => Task.FromResult(recipients.All(stage.Sink.IsSettled)), Stage.Patience, () => $"{recipients.Count(r => !stage.Sink.IsSettled(r))} of {recipients.Count} did not arrive");
        var all = recipients.ToHashSet(StringComparer.Ordinal);
        var arrivals = stage.Arrivals().Where(a => all.Contains(a.Recipient)).ToList();
        // What was given up is settled, too.
        Stage.Require(all.SetEquals(arrivals.Select(a => a.Recipient)), $"{arrivals.Count} arrived of {all.Count}");
        return [.. arrivals.Select(a => a.Peer)];
    }

    private static string DomainOf(int i) => Post.Domain(1 + (i % 9), i / 9 % 20);
}
