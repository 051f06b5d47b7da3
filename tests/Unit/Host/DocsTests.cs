using System.Text.RegularExpressions;
using Angarium.Host.Configuration;
using Angarium.TestKit;
using Angarium.TestKit.Documents;

namespace Angarium.Unit.Host;

/// <summary>The pages say nothing of what is not there: links, anchors, settings, metrics and files of the repository.</summary>
public sealed partial class DocsTests
{
    private static readonly string s_root = Repository.Root;

    public static TheoryData<string> Pages() => [.. Documentation.Pages];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_Links_LeadSomewhere(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(s_root, page))!;
        foreach (Match link in Link().Matches(File.ReadAllText(Path.Combine(s_root, page))))
        {
            var target = link.Groups[1].Value;
            if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal)) continue;
            var parts = target.Split('#', 2);
            var file = parts[0].Length == 0 ? Path.Combine(s_root, page) : Path.GetFullPath(Path.Combine(folder, parts[0]));
            Assert.True(File.Exists(file) || Directory.Exists(file), $"{page}: {target}");
            if (parts.Length == 2) Assert.Contains(parts[1], Heading().Matches(File.ReadAllText(file)).Select(h => Anchor(h.Groups[1].Value)));
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_SettingsAndMetrics_Exist(string page)
    {
        var text = File.ReadAllText(Path.Combine(s_root, page));
        var metrics = File.ReadAllText(Path.Combine(s_root, "docs/operating/metrics.md"));
        Assert.All(Metric().Matches(text), metric => Assert.Contains($"`{metric.Value}`", metrics, StringComparison.Ordinal));
        Assert.All(Setting().Matches(text).Select(m => m.Groups[1].Value).Where(name => !name.Contains('*')), name =>
            Assert.True(SettingCatalog.All.Find(name.Replace("<key>", "x").Replace("<name>", "x").Replace("<domain>", "example.org")) is not null || SettingCatalog.All.Definitions.Any(d => d.IsMap && d.Name == name || d.Name.StartsWith(name + ":", StringComparison.Ordinal)), $"{page}: {name}"));
        Assert.All(Source().Matches(text).Select(m => m.Groups[1].Value).Where(path => !path.Contains('*')), path =>
            Assert.True(Path.Exists(Path.Combine(s_root, path)), $"{page}: {path}"));
    }

    private static string Anchor(string heading) => new([.. heading.ToLowerInvariant().Replace(' ', '-').Where(c => char.IsLetterOrDigit(c) || c is '-' or '_')]);

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?m)^#+ (.+)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\bangarium_[a-z_]+[a-z](?=[`{]|\b)")]
    private static partial Regex Metric();

    /// <summary>Alone, or with a value behind it.</summary>
    [GeneratedRegex(@"`([A-Z][A-Za-z]+(?::[A-Za-z*<>]+)+)(?:=[^`]*)?`")]
    private static partial Regex Setting();

    [GeneratedRegex(@"`((?:src|tests|docs)/[^`\s]+)`")]
    private static partial Regex Source();
}
