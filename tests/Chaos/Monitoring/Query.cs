using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Angarium.TestKit;

namespace Angarium.Chaos.Monitoring;

/// <summary>A query of a panel, or a recorded series of the rules, as the repository has it; and in which step of the scenario it has to answer (`queries.tsv`). Immutable.</summary>
/// <param name="Id">`dashboard: panel: A`, or `rules: name of the series`.</param>
/// <param name="Text">To be asked for as it is: what Grafana puts in is put in.</param>
internal sealed partial record Query(string Id, string Text)
{
    public static IReadOnlyList<string> Rules => [.. Directory.GetFiles(Repository.Path("helm", "angarium", "rules"), "*.yaml").Order(StringComparer.Ordinal)];

    public static IReadOnlyList<string> Dashboards => [.. Directory.GetFiles(Repository.Path("helm", "angarium", "dashboards"), "*.json").Order(StringComparer.Ordinal)];

    /// <summary>Of all dashboards and rules.</summary>
    public static IReadOnlyList<Query> All { get; } = [.. Dashboards.SelectMany(OfDashboard), .. Rules.SelectMany(OfRules)];

    /// <summary>Lines of `queries.tsv`: step, id, and for some what one of the values has to be.</summary>
    public static IReadOnlyList<Expectation> Expected { get; } =
        [.. File.ReadLines(Repository.Path("tests", "Chaos", "Monitoring", "queries.tsv")).Where(line => line.Length > 0 && line[0] != '#').Select(Expectation.Parse)];

    public static IEnumerable<(string Panel, JsonObject Json)> Panels(string file) =>
        JsonNode.Parse(File.ReadAllText(file))!["panels"]!.AsArray().Select(panel => (panel!["title"]!.GetValue<string>(), panel.AsObject()));

    private static IEnumerable<Query> OfDashboard(string file)
    {
        var name = Path.GetFileNameWithoutExtension(file);
        foreach (var (panel, json) in Panels(file))
            foreach (var target in json["targets"]!.AsArray())
                yield return new Query($"{name}: {panel}: {target!["refId"]!.GetValue<string>()}", Filled(target["expr"]!.GetValue<string>()));
    }

    private static IEnumerable<Query> OfRules(string file) => Record().Matches(File.ReadAllText(file)).Select(record =>
    {
        var labels = record.Groups["label"].Success ? $"{{{record.Groups["label"].Value}=\"{record.Groups["value"].Value}\"}}" : "";
        return new Query($"rules: {record.Groups["name"].Value}{labels}", record.Groups["name"].Value + labels);
    });

    /// <summary>Two scrapes and more lie in the shortest span.</summary>
    private static string Filled(string text) => Variable().Replace(text.Replace("$__rate_interval", "30s", StringComparison.Ordinal).Replace("$__range", "5m", StringComparison.Ordinal), ".*");

    [GeneratedRegex(@"- record: (?<name>\S+)\n +expr:.*\n(?: {10}.*\n)*?(?: +labels:\n +(?<label>\w+): (?<value>\w+)\n)?(?= {6}\S| {2}- |$)")]
    private static partial Regex Record();

    [GeneratedRegex(@"\$[a-z]+\b")]
    private static partial Regex Variable();
}

/// <summary>Where a query has to have an answer. A value.</summary>
/// <param name="Above">One value at least is above that; null = any number will do.</param>
internal sealed record Expectation(string Step, string Id, double? Above)
{
    public static Expectation Parse(string line) => line.Split('\t') switch
    {
        [var step, var id] => new Expectation(step, id, null),
        [var step, var id, var above] => new Expectation(step, id, double.Parse(above, CultureInfo.InvariantCulture)),
        _ => throw new InvalidDataException("queries.tsv: " + line),
    };

    public bool IsMetBy(IReadOnlyList<double> values) => values.Any(value => !double.IsNaN(value) && (Above is not { } above || value > above));
}
