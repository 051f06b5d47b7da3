using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Angarium.TestKit;

namespace Angarium.Chaos.Monitoring;

/// <summary>Dashboards say what they show, ask for what there is, and every query of theirs is asked in the scenario.</summary>
public sealed partial class DashboardsTests
{
    /// <summary>Of the platform: Prometheus' own, and what its client tells of any process.</summary>
    private static readonly string[] foreign = ["ALERTS", "process_cpu_seconds_total", "process_working_set_bytes"];

    public static TheoryData<string> Names => new(Query.Dashboards.Select(Path.GetFileName)!);

    [Theory]
    [MemberData(nameof(Names))]
    public void Dashboard_IsWhole(string name)
    {
        var dashboard = JsonNode.Parse(File.ReadAllText(Repository.Path("helm", "angarium", "dashboards", name)))!;
        Assert.Equal("angarium-" + Path.GetFileNameWithoutExtension(name), dashboard["uid"]!.GetValue<string>());
        Assert.True(dashboard["schemaVersion"]!.GetValue<int>() >= 41);
        Assert.Contains(dashboard["templating"]!["list"]!.AsArray(), v => v!["type"]!.GetValue<string>() == "datasource" && v["query"]!.GetValue<string>() == "prometheus");
        var places = new List<(int X, int Y, int W, int H)>();
        foreach (var (title, panel) in Query.Panels(Repository.Path("helm", "angarium", "dashboards", name)))
        {
            Assert.True(panel["description"]!.GetValue<string>().Length > 10, title);
            Assert.True(panel["type"]!.GetValue<string>() == "table" || panel["fieldConfig"]!["defaults"]!["unit"] is not null, title);
            Assert.All(panel["targets"]!.AsArray(), target => Assert.Equal("${datasource}", target!["datasource"]!["uid"]!.GetValue<string>()));
            Assert.Equal(panel["targets"]!.AsArray().Count, panel["targets"]!.AsArray().Select(t => t!["refId"]!.GetValue<string>()).Distinct().Count());
            foreach (var link in panel["links"]?.AsArray() ?? [])
                Assert.True(File.Exists(Repository.Path("docs", "operating", "runbooks", Path.GetFileName(link!["url"]!.GetValue<string>()))), $"{title}: {link["url"]}");
            var place = panel["gridPos"]!;
            var own = (X: place["x"]!.GetValue<int>(), Y: place["y"]!.GetValue<int>(), W: place["w"]!.GetValue<int>(), H: place["h"]!.GetValue<int>());
            Assert.True(own.X + own.W <= 24, title);
            Assert.DoesNotContain(places, p => own.X < p.X + p.W && p.X < own.X + own.W && own.Y < p.Y + p.H && p.Y < own.Y + own.H);
            places.Add(own);
        }
    }

    [Fact]
    public void Query_AsksForMetricsThatThereAre()
    {
        var known = Known().Matches(File.ReadAllText(Repository.Path("docs", "operating", "metrics.md"))).Select(m => m.Groups[1].Value)
            .Concat(Query.All.Where(q => q.Id.StartsWith("rules: ", StringComparison.Ordinal)).Select(q => q.Text.Split('{')[0])).Concat(foreign).ToHashSet();
        var rules = Query.Rules.SelectMany(file => Expression().Matches(File.ReadAllText(file)).Select(m => (Path.GetFileName(file), m.Groups[1].Value)));
        Assert.All(Query.All.Select(q => (q.Id, q.Text)).Concat(rules), query =>
            Assert.All(Metric().Matches(query.Item2), metric => Assert.Contains(known, name => metric.Value == name || (string[])["_bucket", "_count", "_sum"] is var ends && Array.Exists(ends, end => metric.Value == name + end))));
    }

    [Fact]
    public void Query_IsListedOnce_WithTheStepInWhichItAnswers()
    {
        Assert.Equal(Query.All.Select(q => q.Id).Order(StringComparer.Ordinal), Query.Expected.Select(e => e.Id).Order(StringComparer.Ordinal));
        Assert.All(Query.Expected, e => Assert.Contains(e.Step, Scenarios.MonitoringAnswers.Steps));
        Assert.Equal(Query.Rules.Sum(file => File.ReadAllText(file).Split("- record: ").Length - 1), Query.All.Count(q => q.Id.StartsWith("rules: ", StringComparison.Ordinal)));
    }

    [GeneratedRegex(@"\| `(angarium_\w+)` \|")]
    private static partial Regex Known();

    [GeneratedRegex(@"(?m)^ +expr: ((?:.|\n {10})+)")]
    private static partial Regex Expression();

    [GeneratedRegex(@"(?:\w+:)?angarium_\w+(?::\w+)?|\bprocess_\w+|\bALERTS\b")]
    private static partial Regex Metric();
}
