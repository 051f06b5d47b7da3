using System.Globalization;
using System.Text.Json;
using Angarium.Host.Configuration;
using Angarium.Integration.Harness;
using Angarium.TestKit;
using k8s;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>What Helm makes of the chart, with every example and many single values: read strictly, checked against the published schemas, and against what the design promises of each role.</summary>
public sealed class ChartTests(RenderedChart chart) : IClassFixture<RenderedChart>
{
    private static readonly IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> secrets = ChartSecrets.Production(
        $"redis.example.org:6380,ssl=true,password={ChartSecrets.RedisPassword}", Processes.Cluster.Storage,
        ((string[])["ingress", "egress", "api"]).ToDictionary(r => r, IReadOnlyDictionary<string, string> (r) => AzureKeys(r)));

    [Fact]
    public async Task Lint_AllExamples_Passes()
    {
        foreach (var (name, values) in HelmChart.Examples.Append(new("default", [])))
        {
            var (code, output) = await HelmChart.TryAsync("lint", values);
            Assert.True(code == 0, $"{name}: {output}");
        }
    }

    [Fact]
    public async Task Schemas_AllManifests_AreMet()
    {
        var (code, output) = await Child.RunAsync("node", [Repository.Path("tests", "tools", "kubernetes-schemas.mjs"), .. chart.Texts.Keys.Select(RenderedChart.FileOf)], TimeSpan.FromMinutes(1));
        Assert.True(code == 0, output);
    }

    [Fact]
    public void Kinds_OverAllValues_AreAllThere()
    {
        // The matrix reaches each template.
        string[] expected =
        [
            "ConfigMap", "Service", "ServiceAccount", "Pod", "Deployment", "StatefulSet", "DaemonSet", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Certificate", "ScaledObject", "ServiceMonitor",
            .. HelmChart.Files("rules").Count > 0 ? (string[])["PrometheusRule"] : [],
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), chart.Manifests.Values.SelectMany(m => m.Kinds).Select(k => k.Split(' ')[1]).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Dashboards_EachFile_IsAConfigMap()
    {
        var files = HelmChart.Files("dashboards");
        var maps = chart.Manifests["dashboards.enabled=true"].Of<V1ConfigMap>().Where(m => m.Metadata.Labels.ContainsKey("grafana_dashboard")).ToList();
        Assert.Equal(files.Count, maps.Count);
        foreach (var file in files)
        {
            var text = maps.Single(m => m.Data.ContainsKey(Path.GetFileName(file))).Data[Path.GetFileName(file)];
            Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(File.ReadAllText(file)).RootElement, JsonDocument.Parse(text).RootElement), file);
        }
    }

    [Theory]
    [InlineData("mod=single", "mod")]
    [InlineData("mode=both", "mode")]
    [InlineData("image.tga=1", "tga")]
    [InlineData("trustedNetworks[0]=everybody", "trustedNetworks")]
    [InlineData("hostname=mx_1", "hostname")]
    [InlineData("settings.Redis=h:1", "Redis")]
    [InlineData("settings.Cluster:Secret:grains=s", "Cluster:Secret:grains")]
    [InlineData("settings.keys:master=s", "keys:master")]
    [InlineData("settings.Spool:Azure=s", "Spool:Azure")]
    [InlineData("single.settings.Data=/", "Data")]
    [InlineData("ingress.replicas=-1", "replicas")]
    [InlineData("grains.replicas=many", "replicas")]
    [InlineData("egress.kind=Job", "kind")]
    [InlineData("egress.proxy=http://p:1", "proxy")]
    [InlineData("storage.account=http://account", "account")]
    [InlineData("single.persistence.size=ten", "size")]
    [InlineData("single.resources.limits.memory=lots", "memory")]
    [InlineData("networkPolicy.redisTo[0].port=1", "redisTo")]
    [InlineData("cluster.id=UPPER", "id")]
    [InlineData("service.proxyNetworks[0]=lb.example.org", "proxyNetworks")]
    [InlineData("shutdown.timeout=20", "set it to at least 55")]
    [InlineData("service.type=LoadBalancer,service.externalTrafficPolicy=Cluster,trustedNetworks[0]=192.0.2.0/24", "open relay")]
    [InlineData("tls.certManager.issuer=ca", "tls.certManager.names")]
    [InlineData("keda.enabled=true", "a single pod is not scaled")]
    [InlineData("serviceMonitor.apiVersion=v2", "apiVersion")]
    [InlineData("mode=cluster", "cluster.secret")]
    [InlineData("mode=cluster,cluster.secret=s", "redis.secret")]
    [InlineData("mode=cluster,cluster.secret=s,redis.secret=s", "storage.secrets.grains")]
    [InlineData("mode=cluster,cluster.secret=s,redis.secret=s,storage.account=https://a.b,cluster.tls.enabled=true", "cluster.tls.secret")]
    [InlineData("mode=cluster,cluster.secret=s,redis.secret=s,storage.account=https://a.b,egress.kind=DaemonSet", "egress.nodes")]
    [InlineData("mode=cluster,cluster.secret=s,redis.secret=s,storage.account=https://a.b,egress.kind=DaemonSet,egress.nodes.n.serves[0]=a", "networkPolicy.nodes")]
    public async Task Values_ThatAreWrong_AreRefusedByName(string set, string named)
    {
        var (code, output) = await HelmChart.TryAsync("template", [], "--set", set);
        Assert.NotEqual(0, code);
        Assert.Contains(named, output, StringComparison.Ordinal);
    }

    [Fact]
    public void Pods_OfAllValues_AreRestrictedAndOutlastTheirDrain()
    {
        foreach (var (name, manifests) in chart.Manifests)
        {
            foreach (var workload in manifests.Workloads)
            {
                var (spec, container) = (workload.Template.Spec, workload.Template.Spec.Containers.Single());
                var at = $"{name}: {workload.Name}";
                Assert.True(spec.SecurityContext is { RunAsNonRoot: true, RunAsUser: > 0, SeccompProfile.Type: "RuntimeDefault" }, at);
                Assert.True(container.SecurityContext is { AllowPrivilegeEscalation: false, ReadOnlyRootFilesystem: true, Privileged: null or false } c && c.Capabilities.Drop.SequenceEqual(["ALL"]) && c.Capabilities.Add is null, at);
                Assert.True(spec is { AutomountServiceAccountToken: false, EnableServiceLinks: false, HostPID: null or false, HostIPC: null or false }, at);
                Assert.Equal(workload.Kind == "DaemonSet", spec.HostNetwork == true);
                // The drain fits, after the pause.
                var files = manifests.Of<V1ConfigMap>(spec.Volumes.Single(v => v.ConfigMap is not null).ConfigMap.Name).Data;
                var timeout = JsonDocument.Parse(files.First().Value).RootElement.GetProperty("Shutdown:Timeout").GetString()!;
                Assert.True(spec.TerminationGracePeriodSeconds >= int.Parse(timeout.TrimEnd('s'), CultureInfo.InvariantCulture) + (container.Lifecycle?.PreStop?.Sleep?.Seconds ?? 0) + 10, at);
                foreach (var probe in (V1Probe[])[container.StartupProbe, container.ReadinessProbe, container.LivenessProbe])
                    Assert.True(Manifests.Port(container, probe.HttpGet.Port) > 0, at);
                Assert.All(container.VolumeMounts, m => Assert.Contains(m.Name, spec.Volumes.Select(v => v.Name).Concat(workload.Claims)));
            }
        }
    }

    [Fact]
    public void TrustedNetworks_OfAServiceForTheWorld_AreThoseNamed()
    {
        string Trusted(string name) => JsonDocument.Parse(chart.Manifests[name].Of<V1ConfigMap>("angarium").Data["angarium.json"]).RootElement.GetProperty("Ingress:TrustedNetworks").GetString()!;
        Assert.Contains("10.0.0.0/8", Trusted("default"), StringComparison.Ordinal);
        Assert.Equal("", Trusted("service.type=NodePort"));
        Assert.Equal("192.0.2.0/24", Trusted("single"));
    }

    /// <summary>The relay's own judgement, of each file and environment that an example gives to a pod.</summary>
    [Fact]
    public void Settings_OfAllExamples_AreTakenByTheRelay()
    {
        foreach (var name in HelmChart.Examples.Keys.Append("default"))
        {
            foreach (var (pod, files, environment) in PodsOf(name))
            {
                // What stands below /etc/angarium lies in a folder of the test.
                var here = Directory.CreateTempSubdirectory("angarium-chart-").FullName;
                foreach (var (path, text) in files)
                {
                    var file = here + path;
                    Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                    File.WriteAllText(file, text.Replace("\"/etc/angarium/", $"\"{here}/etc/angarium/", StringComparison.Ordinal));
                }

                var bound = SettingBinder.Bind(SettingCatalog.All, new SettingSources { Development = false, File = here + environment["ANGARIUM_CONFIG"], Environment = environment }.Read());
                Assert.True(bound.Mistakes.Count == 0, $"{name}: {pod}: {string.Join(" | ", bound.Mistakes)}");
                Directory.Delete(here, recursive: true);
            }
        }
    }

    /// <summary>Promise 10, and the roles table.</summary>
    [Theory]
    [InlineData("production")]
    [InlineData("daemonset")]
    [InlineData("proxy")]
    [InlineData("keda")]
    [InlineData("identity")]
    public void Secrets_OfIngressAndEgress_AreTheirOwn(string example)
    {
        var roles = secrets["angarium-roles"];
        string[] forbidden = [ChartSecrets.RedisPassword, ChartSecrets.MasterKey, ChartSecrets.Administrator, Processes.Cluster.Storage, "AccountKey="];
        var found = new HashSet<string>();
        foreach (var (pod, files, environment) in PodsOf(example))
        {
            var role = roles.Keys.Single(r => pod.Contains("-" + r, StringComparison.Ordinal));
            var held = string.Join('\n', files.Values.Concat(environment.Values));
            if (role == "grains")
            {
                // What is searched for is there to be found.
                found.UnionWith(forbidden.Where(f => held.Contains(f, StringComparison.Ordinal)));
                continue;
            }

            foreach (var secret in forbidden.Where(f => role != "api" || f != ChartSecrets.Administrator)) Assert.DoesNotContain(secret, held, StringComparison.Ordinal);
            foreach (var other in roles.Where(r => r.Key != role)) Assert.DoesNotContain(other.Value, held, StringComparison.Ordinal);
            Assert.Contains(roles[role], held, StringComparison.Ordinal);
            Assert.DoesNotContain("/etc/angarium/keys", string.Join('\n', files.Keys), StringComparison.Ordinal);
        }

        Assert.Contains(ChartSecrets.RedisPassword, found);
        Assert.Contains(ChartSecrets.MasterKey, found);
    }

    [Fact]
    public void Policies_OfTheRoles_AreTheTableOfTheDesign()
    {
        var manifests = chart.Manifests["production"];
        Dictionary<string, V1NetworkPolicy> policies = manifests.Workloads.ToDictionary(w => w.Role, w => manifests.Of<V1NetworkPolicy>(w.Name));
        Assert.All(policies.Values, p => Assert.Equal(["Ingress", "Egress"], p.Spec.PolicyTypes));
        foreach (var (role, policy) in policies)
        {
            bool Goes(string port) => policy.Spec.Egress.Any(rule => rule.Ports.Any(p => p.Port.Value == port));
            Assert.Equal(role == "grains", Goes("6379") || Goes("6380") || Goes("10000"));
            Assert.Equal(role == "grains", Goes("silo"));
            Assert.Equal(role == "egress", Goes("25"));
            Assert.True(Goes("gateway"));
            Assert.All(policy.Spec.Egress, rule => Assert.NotEmpty(rule.Ports));
            bool TakesFrom(string other, string port) => policy.Spec.Ingress.Any(rule => rule.Ports.Any(p => p.Port.Value == port) && rule.FromProperty.Any(from => from.PodSelector is { } pods
                && Manifests.Selects(pods.MatchLabels ?? new Dictionary<string, string>(), manifests.Workloads.Single(w => w.Role == other).Template.Metadata)
                && (pods.MatchExpressions ?? []).All(e => e.OperatorProperty == "In" && e.Values.Contains(other))));
            foreach (var other in policies.Keys)
            {
                Assert.Equal(role == "grains", TakesFrom(other, "gateway"));
                Assert.Equal(role == "grains" && other == "grains", TakesFrom(other, "silo"));
            }
        }
    }

    [Fact]
    public void Keda_OfAPoolRelease_AsksForItsPools()
    {
        List<string> Queries(string name) => [.. chart.Texts[name].Split('\n').Where(l => l.StartsWith("        query: ", StringComparison.Ordinal)).Select(l => l["        query: ".Length..].Trim('"').Replace("\\\"", "\"", StringComparison.Ordinal))];
        Assert.Equal(["sum(angarium_egress_permits{namespace=\"mail\",pool=~\"default\"})"], Queries("keda"));
        Assert.Equal(["sum(angarium_egress_permits{namespace=\"mail\",pool=~\"bulk|acme\"})"], Queries("production keda.enabled=true,keda.serverAddress=http://p:9090,egress.serves[0]=bulk,egress.serves[1]=acme"));
        Assert.Equal(
            ["sum(angarium_egress_permits{namespace=\"mail\",pool=~\"default\"})", "max(angarium_queue_oldest_due_seconds{namespace=\"mail\"})", "max(up)"],
            Queries("production keda.enabled=true,keda.serverAddress=http://p:9090,keda.age=600,keda.query=max(up)"));
    }

    /// <summary>By the scenarios of the chart: which of them runs what is written there.</summary>
    [Fact]
    public void Examples_AllOfThem_AreRun()
    {
        Assert.Equal(["daemonset", "identity", "keda", "pool", "production", "proxy", "single"], HelmChart.Examples.Keys.Order(StringComparer.Ordinal));
        // Pods that follow a load are the same pods.
        Assert.Equal(chart.Manifests["production"].Workloads.Select(w => (w.Kind, w.Name, KubernetesJson.Serialize(w.Template))), chart.Manifests["keda"].Workloads.Select(w => (w.Kind, w.Name, KubernetesJson.Serialize(w.Template))));
        Assert.Contains("keda.sh/v1alpha1 ScaledObject", chart.Manifests["keda"].Kinds);
    }

    [Fact]
    public void Test_OfAReleaseWithoutIngress_IsNone()
    {
        Assert.Empty(chart.Manifests["pool"].Of<V1Pod>());
        Assert.Single(chart.Manifests["production"].Of<V1Pod>());
        Assert.Single(chart.Manifests["default"].Of<V1Pod>());
    }

    [Fact]
    public void ServiceLinks_WouldBeTakenForSettings()
    {
        // Why they are off: the names that Kubernetes would make of the chart's own Services begin like settings.
        var manifests = chart.Manifests["default"];
        var template = manifests.Workloads.Single().Template;
        var kubelet = new Pod(manifests, secrets, "192.0.2.53");
        Assert.DoesNotContain(kubelet.Environment("p", "192.0.2.1", "n", template.Spec, template.Spec.Containers[0]), v => v.Key.StartsWith("ANGARIUM_SERVICE", StringComparison.Ordinal));
        template.Spec.EnableServiceLinks = null;
        Assert.Contains(kubelet.Environment("p", "192.0.2.1", "n", template.Spec, template.Spec.Containers[0]), v => v.Key == "ANGARIUM_SERVICE_HOST");
        template.Spec.EnableServiceLinks = false;
    }

    [Fact]
    public void Readme_ValuesReference_IsThatOfTheValues()
    {
        var readme = Path.Combine(HelmChart.Folder, "README.md");
        var text = File.ReadAllText(readme);
        var expected = ValuesReference.In(text, ValuesReference.Table(File.ReadAllLines(Path.Combine(HelmChart.Folder, "values.yaml"))));
        if (Environment.GetEnvironmentVariable("ANGARIUM_GOLDEN") == "write") File.WriteAllText(readme, expected);
        else Assert.True(text == expected, "helm/angarium/README.md differs from values.yaml: run this test with ANGARIUM_GOLDEN=write");
    }

    /// <summary>Name, files and environment of every pod of an example; of a DaemonSet, on each node that it names.</summary>
    private IEnumerable<(string Name, IReadOnlyDictionary<string, string> Files, IReadOnlyDictionary<string, string> Environment)> PodsOf(string example)
    {
        var manifests = chart.Manifests[example];
        var kubelet = new Pod(manifests, secrets, "192.0.2.53");
        foreach (var workload in manifests.Workloads)
        {
            var (spec, container) = (workload.Template.Spec, workload.Template.Spec.Containers[0]);
            var files = container.VolumeMounts.SelectMany(m => (kubelet.FilesOf(spec.Volumes.FirstOrDefault(v => v.Name == m.Name)) ?? new Dictionary<string, string>())
                .Select(f => new KeyValuePair<string, string>($"{m.MountPath}/{f.Key}", f.Value))).ToDictionary();
            string[] nodes = spec.HostNetwork == true ? [.. files.Keys.Where(f => f.EndsWith(".json", StringComparison.Ordinal)).Select(f => Path.GetFileNameWithoutExtension(f))] : ["node-1"];
            foreach (var node in nodes)
            {
                var environment = kubelet.Environment(workload.Name, "192.0.2.1", node, spec, container).ToDictionary();
                Assert.Contains(environment["ANGARIUM_CONFIG"], files.Keys);
                yield return ($"{workload.Name} on {node}", files, environment);
            }
        }
    }

    private static Dictionary<string, string> AzureKeys(string role) =>
        Spool.Azure.AzureRoleKeys.Make(Processes.Cluster.Storage, "angarium", [role], DateTimeOffset.UtcNow.AddDays(1)).ToDictionary();
}
