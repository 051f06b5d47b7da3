using System.Globalization;
using Angarium.Chaos.Network;
using Angarium.Chaos.Processes;
using k8s;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>
/// The pods of releases as processes of a <see cref="Cluster"/>: started as declared, ready when the declared probes say so, replaced as Deployments, StatefulSets and DaemonSets do it. Any thread; ends with
/// the harness.
/// </summary>
internal sealed class ChartPods(Cluster cluster, string folder)
{
    private static readonly Dictionary<string, int> nets = new() { ["all"] = 5, ["ingress"] = 5, ["grains"] = 6, ["egress"] = 7, ["api"] = 8 };
    private readonly Lock gate = new();
    private readonly List<(Node Node, Workload Workload, string Machine)> pods = [];
    private readonly Dictionary<string, int> numbers = [];

    /// <summary>Those that there were and are, each with what it is made of and where it is.</summary>
    public IReadOnlyList<(Node Node, Workload Workload, string Machine)> Pods
    {
        get { lock (gate) return [.. pods]; }
    }

    public ServiceProxy Services => new(() => Pods.Select(p => (p.Node, p.Workload.Template)));

    /// <summary>All of them at once: in what order they start is nobody's business.</summary>
    /// <param name="release">What it is made of.</param>
    public Task InstallAsync(Pod release) => Task.WhenAll(release.Manifests.Workloads.Select(w => StartAsync(release, w)));

    /// <summary>
    /// Workloads whose template has changed are replaced: a Deployment's pods one by one, each after its successor is ready; that of a StatefulSet or of a DaemonSet, then its successor, on the same volume or node. Those
    /// that are no more end, those that are new start.
    /// </summary>
    public Task UpgradeAsync(Pod from, Pod to)
    {
        // The settings are part of a template, as a sum.
        static string Text(Workload workload) => KubernetesJson.Serialize(workload.Template);
        return Task.WhenAll(from.Manifests.Workloads.ExceptBy(to.Manifests.Workloads.Select(w => (w.Kind, w.Name)), w => (w.Kind, w.Name)).Select(w => EndAsync(w))
            .Concat(to.Manifests.Workloads.Select(w => from.Manifests.Workloads.FirstOrDefault(old => (old.Kind, old.Name) == (w.Kind, w.Name)) is not { } old ? StartAsync(to, w)
                : Text(old) == Text(w) ? Task.CompletedTask : ReplaceAsync(to, old, w))));
    }

    public Task UninstallAsync(Pod release) => Task.WhenAll(release.Manifests.Workloads.Select(w => EndAsync(w)));

    private Task StartAsync(Pod release, Workload workload) => Task.WhenAll(Enumerable.Range(0, workload.Replicas).SelectMany(_ => workload.Nodes).Select(node => StartAsync(release, workload, node)));

    private Task EndAsync(Workload workload) => Task.WhenAll(Of(workload).Select(pod => EndAsync(pod.Node, workload)));

    private List<(Node Node, Workload Workload, string Machine)> Of(Workload workload) => [.. Pods.Where(p => p.Workload.Name == workload.Name && p.Workload.Kind == workload.Kind && p.Node.IsRunning)];

    private async Task ReplaceAsync(Pod to, Workload before, Workload after)
    {
        foreach (var (old, _, machine) in Of(before))
        {
            if (after.Kind == "Deployment")
            {
                await StartAsync(to, after, machine);
                await EndAsync(old, before);
                continue;
            }

            await EndAsync(old, before);
            await PrepareAsync(to, after, old.Name, old.Address, machine, old.Folder);
            lock (gate) pods[pods.FindIndex(p => p.Node == old)] = (old, after, machine);
            await old.StartAsync();
            old.IsLeaving = false;
        }
    }

    private async Task StartAsync(Pod release, Workload workload, string machine)
    {
        var role = workload.Role == "single" ? "all" : workload.Role;
        int number;
        lock (gate) number = numbers[role] = numbers.GetValueOrDefault(role) + 1;
        var address = string.Create(CultureInfo.InvariantCulture, $"10.99.{nets[role]}.{number}");
        // Hosts of the harness have short names.
        var name = string.Create(CultureInfo.InvariantCulture, $"{role}{number}");
        var own = Path.Combine(folder, name);
        var command = await PrepareAsync(release, workload, name, address, machine, own);
        var container = workload.Template.Spec.Containers[0];
        var startup = container.StartupProbe;
        var node = new Node(name, role, address, own, command, new Dictionary<string, string>(), stop => ProbeAsync(container, address, stop), Math.Min(150, (startup.FailureThreshold ?? 3) * (startup.PeriodSeconds ?? 10)))
        {
            SmtpPort = container.Ports.FirstOrDefault(p => p.Name == "smtp")?.ContainerPort ?? 0,
            // Nobody is sent there before it is ready.
            IsLeaving = true,
        };
        // Where the harness looks for the socket of commands.
        Directory.CreateSymbolicLink(Cluster.DataOf(node), Path.Combine(Pod.VolumeOf(own, "data"), "data"));
        await cluster.AddAsync(node);
        // A pod on the host's network has the machine's addresses; a machine here is what one pod is on.
        if (workload.Template.Spec.HostNetwork == true)
            foreach (var held in Manifests.SourcesOn(release.Manifests.Of<V1ConfigMap>(workload.Name), machine)) await cluster.Lan.HoldAsync(name, held);
        lock (gate) pods.Add((node, workload, machine));
        await node.StartAsync();
        node.IsLeaving = false;
    }

    private static Task<string[]> PrepareAsync(Pod release, Workload workload, string name, string address, string machine, string own) =>
        release.PrepareAsync($"{workload.Name}-{name}", address, machine, own, workload.Template, workload.Claims);

    /// <summary>Out of the Services first; then the pause that is declared, SIGTERM, and no more patience than declared.</summary>
    private static async Task EndAsync(Node node, Workload workload)
    {
        var spec = workload.Template.Spec;
        var pause = spec.Containers[0].Lifecycle?.PreStop?.Sleep?.Seconds ?? 0;
        node.IsLeaving = true;
        await Task.Delay(TimeSpan.FromSeconds(pause));
        var code = await node.StopAsync((spec.TerminationGracePeriodSeconds ?? 30) - pause);
        if (code != 0) throw new InvalidOperationException($"{node.Name} ended with code {code} after SIGTERM\n{node.Tail()}");
    }

    /// <summary>What is declared to be asked, and all of it says yes.</summary>
    private static async Task<bool> ProbeAsync(V1Container container, string address, CancellationToken stop)
    {
        foreach (var probe in (V1Probe[])[container.StartupProbe, container.LivenessProbe, container.ReadinessProbe])
            if (!await Probes.HttpAsync(address, Manifests.Port(container, probe.HttpGet.Port), probe.HttpGet.Path, stop)) return false;
        return true;
    }

    /// <summary>TCP ports that the host of a pod listens on.</summary>
    public static async Task<IReadOnlySet<int>> ListenersAsync(Node node)
    {
        var (_, output) = await Integration.Harness.Child.RunAsync(Lan.On(node.Name)[0], [.. Lan.On(node.Name)[1..], "ss", "-tlnH"], TimeSpan.FromSeconds(20));
        return output.Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(f => f.Length >= 4).Select(f => int.Parse(f[3][(f[3].LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture)).ToHashSet();
    }
}
