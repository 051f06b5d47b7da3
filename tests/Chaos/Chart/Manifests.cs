using System.Text.Json;
using k8s;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>A workload of the chart: what makes its pods, and how many. Immutable.</summary>
/// <param name="Nodes">One where it does not matter on which; for a DaemonSet those that it names, on each of which it has its pods.</param>
internal sealed record Workload(string Role, string Kind, string Name, int Replicas, V1PodTemplateSpec Template, IReadOnlyList<string> Claims)
{
    public IReadOnlyList<string> Nodes { get; init; } = ["node-1"];
}

/// <summary>What Helm rendered, each document read by Kubernetes' own types without a field that these do not know. Immutable.</summary>
internal sealed class Manifests
{
    private static readonly Dictionary<string, Func<string, IKubernetesObject<V1ObjectMeta>>> kinds = new()
    {
        ["v1 ConfigMap"] = Read<V1ConfigMap>, ["v1 Service"] = Read<V1Service>, ["v1 ServiceAccount"] = Read<V1ServiceAccount>, ["v1 Pod"] = Read<V1Pod>,
        ["apps/v1 Deployment"] = Read<V1Deployment>, ["apps/v1 StatefulSet"] = Read<V1StatefulSet>, ["apps/v1 DaemonSet"] = Read<V1DaemonSet>,
        ["autoscaling/v2 HorizontalPodAutoscaler"] = Read<V2HorizontalPodAutoscaler>, ["policy/v1 PodDisruptionBudget"] = Read<V1PodDisruptionBudget>,
        ["networking.k8s.io/v1 NetworkPolicy"] = Read<V1NetworkPolicy>,
    };

    /// <summary>Of others' operators: known by name here, and judged by their schemas.</summary>
    private static readonly string[] foreign = ["cert-manager.io/v1 Certificate", "keda.sh/v1alpha1 ScaledObject", "monitoring.coreos.com/v1 ServiceMonitor", "azmonitoring.coreos.com/v1 ServiceMonitor", "monitoring.coreos.com/v1 PrometheusRule"];

    private readonly List<IKubernetesObject<V1ObjectMeta>> objects = [];

    /// <exception cref="FormatException">A document is of a kind that nobody expects here.</exception>
    public Manifests(string text)
    {
        foreach (var document in ("\n" + text).Split("\n---").Where(d => d.Split('\n').Any(l => l.Length > 0 && l[0] is not '#')))
        {
            string Field(string name) => document.Split('\n').FirstOrDefault(l => l.StartsWith(name + ": ", StringComparison.Ordinal))?[(name.Length + 2)..].Trim() ?? "";
            var kind = $"{Field("apiVersion")} {Field("kind")}";
            if (kinds.TryGetValue(kind, out var read)) objects.Add(read(document));
            else if (!foreign.Contains(kind)) throw new FormatException($"a document of kind `{kind}`:\n{document}");
            Kinds.Add(kind);
        }

        var identities = objects.Select(o => $"{o.Kind} {o.Metadata.Name}").ToList();
        if (identities.Distinct().Count() < identities.Count) throw new FormatException("an object is there twice: " + string.Join(", ", identities.Order(StringComparer.Ordinal)));
    }

    public List<string> Kinds { get; } = [];

    public IEnumerable<T> Of<T>() => objects.OfType<T>();

    public T Of<T>(string name) where T : IKubernetesObject<V1ObjectMeta> =>
        Of<T>().FirstOrDefault(o => o.Metadata.Name == name) ?? throw new KeyNotFoundException($"no {typeof(T).Name} {name}");

    public IReadOnlyList<Workload> Workloads =>
    [
        .. Of<V1StatefulSet>().Select(s => new Workload(Role(s.Spec.Template), s.Kind, s.Metadata.Name, s.Spec.Replicas ?? 1, s.Spec.Template, [.. (s.Spec.VolumeClaimTemplates ?? []).Select(c => c.Metadata.Name)])),
        .. Of<V1Deployment>().Select(d => new Workload(Role(d.Spec.Template), d.Kind, d.Metadata.Name, d.Spec.Replicas ?? Scaled(d.Metadata.Name), d.Spec.Template, [])),
        .. Of<V1DaemonSet>().Select(d => new Workload(Role(d.Spec.Template), d.Kind, d.Metadata.Name, 1, d.Spec.Template, []) { Nodes = [.. NodesOf(d.Spec.Template)] }),
    ];

    /// <summary>Whether a pod is one of a Service's.</summary>
    public static bool Selects(IEnumerable<KeyValuePair<string, string>> selector, V1ObjectMeta pod) => selector.All(one => pod.Labels.TryGetValue(one.Key, out var value) && value == one.Value);

    /// <summary>The port of a container that a Service's port or a probe means; 0 = it has none of that name.</summary>
    public static int Port(V1Container container, IntOrString port) =>
        int.TryParse(port.Value, out var number) ? number : (container.Ports ?? []).FirstOrDefault(p => p.Name == port.Value)?.ContainerPort ?? 0;

    /// <summary>The addresses that pools of the settings for a node send from.</summary>
    public static IReadOnlyList<string> SourcesOn(V1ConfigMap settings, string node)
    {
        using var json = JsonDocument.Parse(settings.Data[node + ".json"]);
        return [.. json.RootElement.EnumerateObject().Where(p => p.Name.StartsWith("Egress:Pools:", StringComparison.Ordinal)).SelectMany(p => p.Value.GetString()!.Split(' ')).Select(one => one[..one.IndexOf('=', StringComparison.Ordinal)])];
    }

    private static IEnumerable<string> NodesOf(V1PodTemplateSpec template) =>
        template.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms.SelectMany(t => t.MatchFields).SelectMany(f => f.Values);

    private static string Role(V1PodTemplateSpec template) => template.Metadata.Labels["app.kubernetes.io/component"];

    private int Scaled(string name) => Of<V2HorizontalPodAutoscaler>().FirstOrDefault(a => a.Spec.ScaleTargetRef.Name == name)?.Spec.MinReplicas ?? 1;

    private static IKubernetesObject<V1ObjectMeta> Read<T>(string document) where T : IKubernetesObject<V1ObjectMeta> => KubernetesYaml.Deserialize<T>(document, strict: true);
}
