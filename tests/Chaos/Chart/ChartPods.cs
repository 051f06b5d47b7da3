using System.Globalization;
using Angarium.Chaos.Network;
using Angarium.Chaos.Processes;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>
/// The pods of a rendered chart as processes of a <see cref="Cluster"/>: started as declared, ready when the declared probes say so, replaced as Deployments and StatefulSets do it. Any thread; ends with the
/// harness.
/// </summary>
internal sealed class ChartPods(Cluster cluster, Manifests manifests, Pod kubelet, string folder)
{
    private static readonly Dictionary<string, int> nets = new() { ["all"] = 5, ["ingress"] = 5, ["grains"] = 6, ["egress"] = 7, ["api"] = 8 };
    private readonly Lock gate = new();
    private readonly List<(Node Node, Workload Workload)> pods = [];
    private readonly Dictionary<string, int> numbers = [];

    public IReadOnlyList<(Node Node, Workload Workload)> Pods
    {
        get { lock (gate) return [.. pods]; }
    }

    public ServiceProxy Services => new(() => Pods.Select(p => (p.Node, p.Workload.Template)));

    /// <summary>All of them at once: in what order they start is nobody's business.</summary>
    public Task StartAsync() => Task.WhenAll(manifests.Workloads.SelectMany(w => Enumerable.Range(0, w.Replicas).Select(_ => StartAsync(w))));

    private async Task StartAsync(Workload workload)
    {
        int number;
        lock (gate) number = numbers[workload.Name] = numbers.GetValueOrDefault(workload.Name) + 1;
        var name = string.Create(CultureInfo.InvariantCulture, $"{workload.Name}-{number}");
        var role = workload.Role == "single" ? "all" : workload.Role;
        var address = string.Create(CultureInfo.InvariantCulture, $"10.99.{nets[role]}.{number}");
        var own = Path.Combine(folder, role + number.ToString(CultureInfo.InvariantCulture));
        var command = await kubelet.PrepareAsync(name, address, "node-1", own, workload.Template, workload.Claims);
        var container = workload.Template.Spec.Containers[0];
        var startup = container.StartupProbe;
        // Hosts of the harness have short names.
        var node = new Node(Path.GetFileName(own), role, address, own, command, new Dictionary<string, string>(), stop => ProbeAsync(container, address, stop), Math.Min(150, (startup.FailureThreshold ?? 3) * (startup.PeriodSeconds ?? 10)))
        {
            SmtpPort = container.Ports.FirstOrDefault(p => p.Name == "smtp")?.ContainerPort ?? 0,
            // Nobody is sent there before it is ready.
            IsLeaving = true,
        };
        // Where the harness looks for the socket of commands.
        Directory.CreateSymbolicLink(Cluster.DataOf(node), Path.Combine(Pod.VolumeOf(own, "data"), "data"));
        await cluster.AddAsync(node);
        lock (gate) pods.Add((node, workload));
        await node.StartAsync();
        node.IsLeaving = false;
    }

    /// <summary>As a change of the template would: a Deployment's pods one by one, each after its successor is ready; a StatefulSet's pod, then its successor on the same volume.</summary>
    public Task ReplaceAsync() => Task.WhenAll(manifests.Workloads.Select(async workload =>
    {
        foreach (var (old, _) in Pods.Where(p => p.Workload.Name == workload.Name).ToList())
        {
            if (workload.Kind == "Deployment") await StartAsync(workload);
            await EndAsync(old, workload);
            if (workload.Kind == "Deployment") continue;
            await old.StartAsync();
            old.IsLeaving = false;
        }
    }));

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
