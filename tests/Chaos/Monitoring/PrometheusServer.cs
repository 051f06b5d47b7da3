using System.Globalization;
using System.Text.Json.Nodes;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Scenarios;
using Angarium.TestKit;

namespace Angarium.Chaos.Monitoring;

/// <summary>Debian's Prometheus on a host of its own: it scrapes every process of the relay, evaluates the rules, and is asked. Any thread; ends with the harness.</summary>
internal sealed class PrometheusServer : IDisposable
{
    private const string Address = "10.99.9.1";
    private const int Port = 9090;

    private readonly HttpClient http = new() { BaseAddress = new Uri($"http://{Address}:{Port}"), Timeout = TimeSpan.FromSeconds(20) };

    private PrometheusServer()
    {
    }

    public static async Task<PrometheusServer> StartAsync(Cluster cluster, string folder)
    {
        var own = Directory.CreateDirectory(Path.Combine(folder, "prometheus")).FullName;
        var config = Path.Combine(own, "prometheus.yml");
        await File.WriteAllTextAsync(config, $"""
            global:
              scrape_interval: 2s
              evaluation_interval: 2s
            rule_files: ['{Repository.Path("helm", "angarium", "rules")}/*.yaml']
            scrape_configs:
              - job_name: angarium
                static_configs:
            {string.Join('\n', cluster.Relays.Select(relay => $"      - {{targets: ['{relay.Address}:9464'], labels: {{namespace: mail, instance: {relay.Name}}}}}"))}
            """);
        await cluster.Lan.AddAsync("prometheus", Address);
        var node = new Node("prometheus", "prometheus", Address, own,
            ["prometheus", "--config.file=" + config, "--storage.tsdb.path=" + Path.Combine(own, "data"), $"--web.listen-address={Address}:{Port}", "--log.level=warn"],
            new Dictionary<string, string>(), stop => Probes.HttpAsync(Address, Port, "/-/ready", stop));
        await node.StartAsync();
        var server = new PrometheusServer();
        // What is counted before the first look at a process has not risen.
        await Stage.UntilAsync(async () => (await server.AskAsync("sum(up)")).SequenceEqual([cluster.Relays.Count]), TimeSpan.FromSeconds(30), () => "Prometheus does not reach every process");
        return server;
    }

    /// <summary>The values of an instant query.</summary>
    public async Task<IReadOnlyList<double>> AskAsync(string query)
    {
        using var form = new FormUrlEncodedContent([new("query", query)]);
        using var response = await http.PostAsync(new Uri("/api/v1/query", UriKind.Relative), form);
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        if (answer["status"]!.GetValue<string>() != "success") throw new InvalidOperationException($"{query}: {answer["error"]}");
        return [.. answer["data"]!["result"]!.AsArray().Select(series => double.Parse(series!["value"]![1]!.GetValue<string>().Replace("Inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture))];
    }

    public void Dispose() => http.Dispose();
}
