using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Angarium.TestKit;

namespace Angarium.Chaos.Chart;

/// <summary>The chart with all examples and with single values changed, each rendered once for all tests of a class. Immutable once made.</summary>
public sealed partial class RenderedChart : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, string> texts = new();

    /// <summary>Laid over the defaults, one by one.</summary>
    private static readonly string[] ofSingle =
    [
        "fullnameOverride=relay", "nameOverride=relay", "image.digest=sha256:" + Digest, "image.pullSecrets[0]=registry", "hostname=mx.example.org", "trustPrivateNetworks=false", "log.format=text", "shutdown.timeout=300",
        "tls.secret=smtp", "tls.certManager.issuer=ca,hostname=mx.example.org", "api.administratorSecret=administrator", "keys.secret=keys", "single.persistence.existingClaim=mail",
        "single.persistence.storageClass=fast", "single.scratchMiB=100", "service.type=LoadBalancer,service.loadBalancerClass=own,service.loadBalancerSourceRanges[0]=192.0.2.0/24", "service.type=NodePort",
        "service.ipFamilyPolicy=PreferDualStack,service.ipFamilies[0]=IPv4,service.ipFamilies[1]=IPv6", "service.proxyNetworks[0]=192.0.2.0/24", "networkPolicy.enabled=false", "priorityClassName=high", "serviceMonitor.enabled=true",
        "serviceMonitor.enabled=true,serviceMonitor.apiVersion=azmonitoring.coreos.com/v1",
        "prometheusRule.enabled=true", "dashboards.enabled=true", "single.podLabels.a=b,single.podAnnotations.a=b,single.nodeSelector.a=b,single.serviceAccountAnnotations.a=b",
        "single.tolerations[0].operator=Exists,single.extraEnv[0].name=A,single.extraEnv[0].value=b", "single.extraVolumes[0].name=more,single.extraVolumes[0].emptyDir.sizeLimit=1Mi,single.extraVolumeMounts[0].name=more,single.extraVolumeMounts[0].mountPath=/more",
        "networkPolicy.extraEgress[0].ports[0].port=4318", "networkPolicy.smtpFrom[0].ipBlock.cidr=192.0.2.0/24,networkPolicy.httpFrom[0].namespaceSelector.matchLabels.a=b,networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.a=b",
    ];

    /// <summary>Laid over the production example, one by one.</summary>
    private static readonly string[] ofCluster =
    [
        "ingress.autoscaling.enabled=false", "ingress.preStopSeconds=0", "egress.serves[0]=bulk,egress.pools.bulk=bulk.example.org", "podDisruptionBudget.enabled=false", "topologySpread=DoNotSchedule", "topologySpread=",
        "networkPolicy.redisTo[0].ipBlock.cidr=192.0.2.0/24,networkPolicy.storageTo[0].ipBlock.cidr=192.0.2.0/24", "cluster.tls.enabled=false", "keys.secret=", "api.administratorSecret=", "tls.secret=",
        "grains.nodeSelector.a=b,egress.tolerations[0].operator=Exists", "keda.enabled=true,keda.serverAddress=http://p:9090,keda.age=600,keda.query=max(up)",
        "keda.enabled=true,keda.serverAddress=http://p:9090,egress.serves[0]=bulk,egress.serves[1]=acme", "ingress.replicas=0,ingress.autoscaling.enabled=false",
    ];

    private const string Digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// <summary>Text by what was rendered.</summary>
    public IReadOnlyDictionary<string, string> Texts => texts;

    internal IReadOnlyDictionary<string, Manifests> Manifests { get; private set; } = new Dictionary<string, Manifests>();

    /// <summary>Where they are, for tools: a file each.</summary>
    public static string Folder { get; } = Repository.Path("artifacts", "chart");

    public async ValueTask InitializeAsync()
    {
        var all = new List<(string Name, string[] Values, string[] Set)> { ("default", [], []) };
        all.AddRange(HelmChart.Examples.Select(e => (e.Key, e.Value, (string[])[])));
        all.AddRange(ofSingle.Select(set => (set, (string[])[], (string[])["--set", set])));
        all.AddRange(ofCluster.Select(set => ("production " + set, (string[])[HelmChart.Example("production")], (string[])["--set", set])));
        if (Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);
        Directory.CreateDirectory(Folder);
        await Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, async (one, stop) =>
        {
            texts[one.Name] = await HelmChart.RenderAsync(one.Values, one.Set);
            await File.WriteAllTextAsync(FileOf(one.Name), texts[one.Name], stop);
        });
        Manifests = texts.ToDictionary(t => t.Key, t => Read(t.Key, t.Value));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public static string FileOf(string name) => Path.Combine(Folder, Other().Replace(name, "_")[..Math.Min(Other().Replace(name, "_").Length, 100)] + ".yaml");

    private static Manifests Read(string name, string text)
    {
        try
        {
            return new Manifests(text);
        }
        catch (Exception e) when (e is FormatException or YamlDotNet.Core.YamlException)
        {
            throw new InvalidOperationException($"{name}: {e.Message} {e.InnerException?.Message}", e);
        }
    }

    [GeneratedRegex("[^A-Za-z0-9.=-]+")]
    private static partial Regex Other();
}
