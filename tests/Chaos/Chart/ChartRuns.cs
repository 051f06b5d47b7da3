using System.Globalization;
using System.Text.Json;
using Angarium.Chaos.Network;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Scenarios;
using Angarium.Chaos.Traffic;
using Angarium.Integration.Harness;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>
/// What `helm install` would start, each pod a process on a host of its own: the chart itself, and no copy of its settings. Serves on what is declared, passes the chart's own test, and is upgraded under load to
/// other values that replace every workload.
/// </summary>
public abstract class ChartRuns : Scenario
{
    private const int PerSecond = 20;

    /// <summary>Where the load balancer is that speaks PROXY protocol.</summary>
    private protected const string Balancer = "10.99.13.1";

    /// <summary>Where the harness has what stands for the cloud's directory of identities, the proxy, and a way to the addresses that machines hold.</summary>
    private protected const string DirectoryAddress = "10.99.13.2", ProxyAddress = "10.99.13.3", RouterAddress = "192.0.2.1";

    private IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> secrets = null!;
    private List<(V1Service Service, string Address)> services = null!;

    private protected ChartPods Pods { get; private set; } = null!;

    /// <summary>The release as it is installed now.</summary>
    private protected Pod Release { get; private set; } = null!;

    /// <summary>File of the values that only this network asks for.</summary>
    private protected string HereFile { get; private set; } = "";

    /// <summary>The values that are installed first.</summary>
    internal abstract IReadOnlyList<string> Values { get; }

    internal abstract bool IsCluster { get; }

    /// <summary>Those that it is upgraded to in the end.</summary>
    private protected abstract Task<Pod> LastAsync();

    /// <summary>What only this network asks for.</summary>
    internal abstract Dictionary<string, object> Here(World world);

    /// <param name="name">Of the release.</param>
    /// <param name="values">The later over the earlier.</param>
    private protected async Task<Pod> RenderAsync(string name, params string[] values) =>
        new(new Manifests(await HelmChart.RenderAsync(name, values, [])), secrets, Cluster.DnsAddress, IsCluster ? ChartSecrets.Authority : "");

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string> { ["Retry:Schedule"] = "1s,2s,5s,10s", ["Egress:AllowedNetworks"] = Lan.Network };

    internal override async Task<Cluster> StartAsync(World world, string folder, IReadOnlyDictionary<string, string> settings)
    {
        HereFile = Path.Combine(folder, "here.json");
        await File.WriteAllTextAsync(HereFile, JsonSerializer.Serialize(new Dictionary<string, object>(Here(world)) { ["settings"] = settings }));
        secrets = new Dictionary<string, IReadOnlyDictionary<string, string>>();
        services = [.. (await RenderAsync(HelmChart.Release, [.. Values, HereFile])).Manifests.Of<V1Service>().Select((service, i) => (service, ServiceProxy.AddressOf(i)))];
        var records = services.Select(s => $"{s.Service.Metadata.Name}.{HelmChart.Namespace}.svc.cluster.local. 5 IN A {s.Address}")
            .Append($"{Cluster.StorageName}. 5 IN A {Cluster.AzuriteAddress}").Append($"{IdentityProvider.Name}. 5 IN A {DirectoryAddress}").Append($"egress.mail.example.org. 5 IN A {ProxyAddress}");
        var storage = ChartSecrets.Certificate(Cluster.StorageName);
        var cluster = await Cluster.StartAroundAsync(world, folder, services.Select(s => s.Address).Concat([Balancer, DirectoryAddress, ProxyAddress, RouterAddress]), records, IsCluster ? (storage["tls.crt"], storage["tls.key"]) : null);
        if (IsCluster)
        {
            var keys = new Dictionary<string, IReadOnlyDictionary<string, string>>();
            foreach (var role in (string[])["ingress", "egress", "api"])
                keys[role] = (await Cluster.StorageAsync(role, Cluster.Storage)).ToDictionary(k => k.Key["Spool:Containers:".Length..], k => k.Value);
            secrets = ChartSecrets.Production($"{RedisPair.FloatingAddress}:6379,abortConnect=false", Cluster.Storage, keys);
        }

        Release = await RenderAsync(HelmChart.Release, [.. Values, HereFile]);
        Pods = new ChartPods(cluster, folder);
        await Pods.InstallAsync(Release);
        // A service without an address of its own leads to its pods' addresses.
        foreach (var (service, address) in services.Where(s => s.Service.Spec.ClusterIP != "None")) Pods.Services.Open(service, address);
        // What the install without any value needs is nothing; what comes after it may name what there is.
        if (!IsCluster) secrets = ChartSecrets.Single();
        return cluster;
    }

    internal override async Task RunAsync(Stage stage)
    {
        await stage.StepAsync("Should_serve_on_every_port_that_is_declared", ServeAsync);
        await stage.StepAsync("Should_pass_its_own_test", () => TestAsync(stage));
        await RunMoreAsync(stage);
        await stage.StepAsync("Should_lose_and_cut_nothing_when_every_workload_is_replaced", () => ReplaceAsync(stage));
        await RunLastAsync(stage);
    }

    private protected virtual Task RunMoreAsync(Stage stage) => Task.CompletedTask;

    private protected virtual Task RunLastAsync(Stage stage) => Task.CompletedTask;

    private protected async Task UpgradeAsync(Pod to)
    {
        await Pods.UpgradeAsync(Release, to);
        Release = to;
    }

    private async Task<string> ServeAsync()
    {
        var listening = 0;
        var pods = Pods.Pods.Where(p => p.Node.IsRunning).ToList();
        foreach (var (node, workload, _) in pods)
        {
            var ports = await ChartPods.ListenersAsync(node);
            foreach (var port in workload.Template.Spec.Containers[0].Ports)
            {
                Stage.Require(ports.Contains(port.ContainerPort), $"{node.Name} declares port {port.Name} ({port.ContainerPort}) and listens on {string.Join(' ', ports)}");
                listening++;
            }
        }

        foreach (var (service, _) in services)
        {
            var endpoints = Pods.Services.Endpoints(service);
            Stage.Require(endpoints.Count > 0, $"{service.Metadata.Name} selects no pod");
            foreach (var port in service.Spec.Ports)
                Stage.Require(endpoints.All(e => Manifests.Port(e.Template.Spec.Containers[0], port.TargetPort) > 0), $"{service.Metadata.Name}: no port {port.TargetPort} in a pod that it selects");
        }

        // As clients see it, by name and port of the Service.
        var (smtp, address) = services.Single(s => s.Service.Metadata.Name == HelmChart.Release);
        foreach (var port in smtp.Spec.Ports)
        {
            using var client = await Client.ConnectAsync(port.Port, address, Lan.Harness);
            if (port.Name == "submissions") await client.TlsAsync("mx.example.org");
            var greeting = await client.ReplyAsync(20);
            Stage.Require(greeting.StartsWith("220", StringComparison.Ordinal), $"port {port.Port} of {smtp.Metadata.Name}: `{greeting}`");
        }

        return $"{pods.Count} pods are ready by their probes and listen on {listening} ports, {services.Count} services lead to them";
    }

    private async Task<string> TestAsync(Stage stage)
    {
        var pod = Release.Manifests.Of<V1Pod>().Single();
        var folder = Path.Combine(stage.Folder, "test");
        await stage.Cluster.Lan.AddAsync("test", "10.99.9.1");
        var command = await Release.PrepareAsync(pod.Metadata.Name, "10.99.9.1", "node-1", folder, new V1PodTemplateSpec { Metadata = pod.Metadata, Spec = pod.Spec }, []);
        var (code, output) = await Child.RunAsync("ip", [.. Lan.On("test")[1..], .. command], TimeSpan.FromSeconds(60));
        Stage.Require(code == 0, $"{pod.Metadata.Name} ended with code {code}: {output}");
        return $"{pod.Metadata.Name} ended with 0";
    }

    private async Task<string> ReplaceAsync(Stage stage)
    {
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(PerSecond, i => Post.Domain(1 + (int)(i % 9), (int)(i / 9 % 20)), over.Token);
        var first = stage.Sink.Arrivals;
        await Stage.UntilAsync(() => Task.FromResult(stage.Sink.Arrivals > first + PerSecond), Stage.Patience, () => "nothing arrives");
        var (workloads, before) = (Release.Manifests.Workloads, Pods.Pods.Where(p => p.Node.IsRunning).Select(p => p.Node.Id).ToHashSet());
        var next = await LastAsync();
        var start = DateTimeOffset.UtcNow;
        await UpgradeAsync(next);
        var took = DateTimeOffset.UtcNow - start;
        var arrived = stage.Sink.Arrivals;
        await Stage.UntilAsync(() => Task.FromResult(stage.Sink.Arrivals > arrived + PerSecond), Stage.Patience, () => "nothing arrives after all were replaced");
        await over.CancelAsync();
        await flow;
        var passage = stage.PassageOf(start, DateTimeOffset.UtcNow, _ => true);
        await stage.SettledAsync();
        var left = Pods.Pods.Where(p => p.Node.IsRunning && before.Contains(p.Node.Id)).Select(p => p.Node.Name).ToList();
        Stage.Require(left.Count == 0, $"not replaced: {string.Join(' ', left)}");
        Stage.Require(stage.Post.Cuts == 0 && stage.Post.Unanswered == 0, $"{stage.Post.Cuts} transactions were cut, {stage.Post.Unanswered} messages never answered");
        // A single pod is away for a while: its clients wait.
        Stage.Require(!IsCluster || stage.Post.Refusals.Count == 0, $"refused twice: {string.Join("; ", stage.Post.Refusals.Take(5))}");
        Stage.Require(!IsCluster || passage.AnswerPause < TimeSpan.FromSeconds(10), $"mail was not taken for a while: {passage}");
        var died = stage.Cluster.Relays.Where(n => n.Deaths > 0).Select(n => $"{n.Name} ended by itself with code {n.LastCode}").ToList();
        Stage.Require(died.Count == 0, string.Join(", ", died));
        var account = await stage.AccountAsync();
        return string.Create(CultureInfo.InvariantCulture,
            $"{workloads.Count} workloads in {took.TotalSeconds:f0} s; {stage.Post.FirstRefusals} refused once, {stage.Post.Refusals.Count} twice; {passage}; {account}");
    }
}

/// <summary>`helm install` without a value, then the example of a single pod.</summary>
public sealed class ChartAlone : ChartRuns
{
    private object[] clients = [];

    internal override IReadOnlyList<string> Values => [];

    internal override bool IsCluster => false;

    internal override Dictionary<string, object> Here(World world)
    {
        clients = [.. world.TrustedNetworks.Split(',')];
        return [];
    }

    private protected override async Task<Pod> LastAsync()
    {
        // The example's clients are not those that there are here.
        var own = HereFile + ".clients";
        await File.WriteAllTextAsync(own, JsonSerializer.Serialize(new { trustedNetworks = clients }));
        return await RenderAsync(HelmChart.Release, HelmChart.Example("single"), HereFile, own);
    }
}
