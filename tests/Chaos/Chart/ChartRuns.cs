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
/// What `helm install` would start, each pod a process on a host of its own: the chart itself, and no copy of its settings. Serves on what is declared, passes the chart's own test, and is replaced under load.
/// </summary>
public abstract class ChartRuns : Scenario
{
    private const int PerSecond = 20;

    /// <summary>Where the load balancer is that speaks PROXY protocol.</summary>
    private protected const string Balancer = "10.99.13.1";

    private Manifests manifests = null!;
    private Pod kubelet = null!;
    private ChartPods pods = null!;

    private protected IReadOnlyList<(Node Node, Workload Workload)> Pods => pods.Pods;

    /// <summary>The values that are shown to run.</summary>
    internal abstract IReadOnlyList<string> Values { get; }

    internal abstract bool IsCluster { get; }

    /// <summary>What only this network asks for.</summary>
    internal abstract Dictionary<string, object> Here(World world);

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string> { ["Retry:Schedule"] = "1s,2s,5s,10s", ["Egress:AllowedNetworks"] = Lan.Network };

    internal override async Task<Cluster> StartAsync(World world, string folder, IReadOnlyDictionary<string, string> settings)
    {
        var here = Path.Combine(folder, "here.json");
        await File.WriteAllTextAsync(here, JsonSerializer.Serialize(new Dictionary<string, object>(Here(world)) { ["settings"] = settings }));
        manifests = new Manifests(await HelmChart.RenderAsync([.. Values, here]));
        var services = manifests.Of<V1Service>().ToList();
        var addresses = services.Select((service, i) => (service, ServiceProxy.AddressOf(i))).ToList();
        var cluster = await Cluster.StartAroundAsync(world, folder, addresses.Select(a => a.Item2).Append(Balancer),
            addresses.Select(a => $"{a.service.Metadata.Name}.{HelmChart.Namespace}.svc.cluster.local. 5 IN A {a.Item2}"), IsCluster);
        var secrets = new Dictionary<string, IReadOnlyDictionary<string, string>>();
        if (IsCluster)
        {
            var keys = new Dictionary<string, IReadOnlyDictionary<string, string>>();
            foreach (var role in (string[])["ingress", "egress", "api"])
                keys[role] = (await Cluster.StorageAsync(role, Cluster.Storage)).ToDictionary(k => k.Key["Spool:Containers:".Length..], k => k.Value);
            secrets = new(ChartSecrets.Production($"{RedisPair.FloatingAddress}:6379,abortConnect=false", Cluster.Storage, keys));
        }

        kubelet = new Pod(manifests, secrets, Cluster.DnsAddress);
        pods = new ChartPods(cluster, manifests, kubelet, folder);
        await pods.StartAsync();
        foreach (var (service, address) in addresses.Where(a => a.service.Spec.ClusterIP != "None")) pods.Services.Open(service, address);
        return cluster;
    }

    internal override async Task RunAsync(Stage stage)
    {
        await stage.StepAsync("Should_serve_on_every_port_that_is_declared", ServeAsync);
        await stage.StepAsync("Should_pass_its_own_test", () => TestAsync(stage));
        await RunMoreAsync(stage);
        await stage.StepAsync("Should_lose_and_cut_nothing_when_every_workload_is_replaced", () => ReplaceAsync(stage));
    }

    private protected virtual Task RunMoreAsync(Stage stage) => Task.CompletedTask;

    private async Task<string> ServeAsync()
    {
        var listening = 0;
        foreach (var (node, workload) in pods.Pods)
        {
            var ports = await ChartPods.ListenersAsync(node);
            foreach (var port in workload.Template.Spec.Containers[0].Ports)
            {
                Stage.Require(ports.Contains(port.ContainerPort), $"{node.Name} declares port {port.Name} ({port.ContainerPort}) and listens on {string.Join(' ', ports)}");
                listening++;
            }
        }

        var services = manifests.Of<V1Service>().ToList();
        foreach (var service in services)
        {
            var endpoints = pods.Services.Endpoints(service);
            Stage.Require(endpoints.Count > 0, $"{service.Metadata.Name} selects no pod");
            foreach (var port in service.Spec.Ports)
                Stage.Require(endpoints.All(e => Manifests.Port(e.Template.Spec.Containers[0], port.TargetPort) > 0), $"{service.Metadata.Name}: no port {port.TargetPort} in a pod that it selects");
        }

        // As clients see it, by name and port of the Service.
        var smtp = services.Single(s => s.Metadata.Name == HelmChart.Release);
        foreach (var port in smtp.Spec.Ports)
        {
            using var client = await Client.ConnectAsync(port.Port, ServiceProxy.AddressOf(services.IndexOf(smtp)), Lan.Harness);
            if (port.Name == "submissions") await client.TlsAsync("mx.example.org");
            var greeting = await client.ReplyAsync(20);
            Stage.Require(greeting.StartsWith("220", StringComparison.Ordinal), $"port {port.Port} of {smtp.Metadata.Name}: `{greeting}`");
        }

        return $"{pods.Pods.Count} pods are ready by their probes and listen on {listening} ports, {services.Count} services lead to them";
    }

    private async Task<string> TestAsync(Stage stage)
    {
        var pod = manifests.Of<V1Pod>().Single();
        var folder = Path.Combine(stage.Folder, "test");
        await stage.Cluster.Lan.AddAsync("test", "10.99.9.1");
        var command = await kubelet.PrepareAsync(pod.Metadata.Name, "10.99.9.1", "node-1", folder, new V1PodTemplateSpec { Metadata = pod.Metadata, Spec = pod.Spec }, []);
        var (code, output) = await Child.RunAsync("ip", [.. Lan.On("test")[1..], .. command], TimeSpan.FromSeconds(60));
        Stage.Require(code == 0, $"{pod.Metadata.Name} ended with code {code}: {output}");
        return $"{pod.Metadata.Name} ended with 0";
    }

    private async Task<string> ReplaceAsync(Stage stage)
    {
        using var over = new CancellationTokenSource();
        var flow = stage.Post.FlowAsync(PerSecond, i => Post.Domain(1 + (int)(i % 9), (int)(i / 9 % 20)), over.Token);
        await Stage.UntilAsync(() => Task.FromResult(stage.Sink.Arrivals > PerSecond), Stage.Patience, () => "nothing arrives");
        var start = DateTimeOffset.UtcNow;
        await pods.ReplaceAsync();
        var took = DateTimeOffset.UtcNow - start;
        var arrived = stage.Sink.Arrivals;
        await Stage.UntilAsync(() => Task.FromResult(stage.Sink.Arrivals > arrived + PerSecond), Stage.Patience, () => "nothing arrives after all were replaced");
        await over.CancelAsync();
        await flow;
        var passage = stage.PassageOf(start, DateTimeOffset.UtcNow, _ => true);
        await stage.SettledAsync();
        Stage.Require(stage.Post.Cuts == 0 && stage.Post.Unanswered == 0, $"{stage.Post.Cuts} transactions were cut, {stage.Post.Unanswered} messages never answered");
        // A single pod is away for a while: its clients wait.
        Stage.Require(!IsCluster || stage.Post.Refusals.Count == 0, $"refused twice: {string.Join("; ", stage.Post.Refusals.Take(5))}");
        Stage.Require(!IsCluster || passage.AnswerPause < TimeSpan.FromSeconds(10), $"mail was not taken for a while: {passage}");
        var died = stage.Cluster.Relays.Where(n => n.Deaths > 0).Select(n => $"{n.Name} ended by itself with code {n.LastCode}").ToList();
        Stage.Require(died.Count == 0, string.Join(", ", died));
        var account = await stage.AccountAsync();
        return string.Create(CultureInfo.InvariantCulture,
            $"{manifests.Workloads.Count} workloads in {took.TotalSeconds:f0} s; {stage.Post.FirstRefusals} refused once, {stage.Post.Refusals.Count} twice; {passage}; {account}");
    }
}

/// <summary>`helm install` without a value.</summary>
public sealed class ChartAlone : ChartRuns
{
    internal override IReadOnlyList<string> Values => [];

    internal override bool IsCluster => false;

    internal override Dictionary<string, object> Here(World world) => [];
}
