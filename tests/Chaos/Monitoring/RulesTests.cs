using System.Text.RegularExpressions;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Chaos.Monitoring;

/// <summary>Alert rules, their unit tests and their runbooks belong together.</summary>
public sealed partial class RulesTests
{
    private static string Tests => Repository.Path("tests", "Chaos", "Monitoring", "rules");

    private static string Runbooks => Repository.Path("docs", "operating", "runbooks");

    private static IReadOnlyList<Match> Alerts => [.. Query.Rules.SelectMany(file => Alert().Matches(File.ReadAllText(file)))];

    [Fact]
    public async Task Rules_AreValid() => await PromtoolAsync(["check", "rules", .. Query.Rules]);

    [Fact]
    public async Task Rules_UnitTests_Pass() => await PromtoolAsync(["test", "rules", .. Directory.GetFiles(Tests, "*.test.yaml")]);

    [Fact]
    public void Alert_HasATestThatItFires_AndOneThatItDoesNot()
    {
        var tests = string.Concat(Directory.GetFiles(Tests, "*.test.yaml").Select(File.ReadAllText));
        Assert.All(Alerts, alert =>
        {
            var name = alert.Groups["name"].Value;
            Assert.Matches($@"(?s)alertname: {name}\n +exp_alerts:\n +- exp_labels", tests);
            Assert.Matches($@"alertname: {name}\n +exp_alerts: \[\]", tests);
        });
    }

    [Fact]
    public void Alert_HasARunbook_WhichSaysWhatToDo()
    {
        Assert.Equal(Alerts.Select(alert => alert.Groups["name"].Value).Order(StringComparer.Ordinal), Directory.GetFiles(Runbooks).Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal));
        var index = File.ReadAllText(Repository.Path("docs", "operating", "runbook.md"));
        Assert.All(Alerts, alert =>
        {
            var name = alert.Groups["name"].Value;
            Assert.EndsWith($"/docs/operating/runbooks/{name}.md", alert.Groups["runbook"].Value, StringComparison.Ordinal);
            var page = File.ReadAllText(Path.Combine(Runbooks, name + ".md"));
            Assert.All((string[])["# ", $"\nAlert `{name}`.\n", "\n## What it means\n", "\n## What to look at\n", "\n## What to do\n"], part => Assert.Contains(part, page, StringComparison.Ordinal));
            Assert.Contains($"[{page[2..page.IndexOf('\n', StringComparison.Ordinal)]}](runbooks/{name}.md)", index, StringComparison.Ordinal);
        });
    }

    /// <summary>So that the scenario, in which the recorded series answers, has shown that the alert can fire.</summary>
    [Fact]
    public void Alert_ComparesARecordedSeries()
    {
        var recorded = Query.All.Where(query => query.Id.StartsWith("rules: ", StringComparison.Ordinal)).Select(query => query.Text.Split('{')[0]).ToHashSet();
        Assert.NotEmpty(Alerts);
        Assert.All(Alerts, alert => Assert.Contains(alert.Groups["series"].Value, recorded));
        Assert.Equal(Query.Rules.Sum(file => File.ReadAllText(file).Split("- alert: ").Length - 1), Alerts.Count);
    }

    private static async Task PromtoolAsync(string[] arguments)
    {
        var (code, output) = await Child.RunAsync("promtool", arguments, TimeSpan.FromMinutes(1));
        Assert.True(code == 0, output);
    }

    [GeneratedRegex(@"- alert: (?<name>\w+)\n +expr: (?<series>\S+) [<>] [0-9.]+\n +for: \w+\n +labels:\n +severity: (?:info|warning|critical)\n +annotations:\n +summary: "".+""\n +runbook_url: (?<runbook>https://\S+)\n")]
    private static partial Regex Alert();
}
