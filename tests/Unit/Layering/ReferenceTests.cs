using System.Text.RegularExpressions;
using System.Xml.Linq;
using Angarium.TestKit;

namespace Angarium.Unit.Layering;

/// <summary>Arrows point one way: Host → {Ingress, Grains, Egress, Api} → {Contracts, Spool} → Mail. A project exists only where it forbids a reference.</summary>
public partial class ReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Mail"] = [],
        ["Spool"] = ["Mail"],
        ["Contracts"] = ["Mail"],
        ["Ingress"] = ["Contracts", "Spool", "Mail"],
        ["Grains"] = ["Contracts", "Spool", "Mail"],
        ["Egress"] = ["Contracts", "Spool", "Mail"],
        ["Api"] = ["Contracts", "Spool", "Mail"],
        ["Host"] = ["Ingress", "Grains", "Egress", "Api", "Contracts", "Spool", "Mail"],
    };

    /// <summary>Packages that only the named projects may know.</summary>
    private static readonly Dictionary<string, string[]> OnlyIn = new()
    {
        ["StackExchange.Redis"] = ["Grains"],
        ["Azure.Storage.Blobs"] = ["Spool"],
        ["DnsClient"] = ["Egress"],
        ["MimeKit"] = ["Grains", "Ingress", "Api"],
        ["Microsoft.Orleans.Sdk"] = ["Contracts"],
        ["Microsoft.Orleans.Server"] = ["Grains", "Host"],
        ["System.CommandLine"] = ["Host"],
    };

    public static TheoryData<string> Projects => [.. Allowed.Keys];

    [Fact]
    public void Source_EveryProject_IsInTheTable() =>
        Assert.Equal(Allowed.Keys.Order(), Directory.GetDirectories(Repository.Path("src")).Where(d => Directory.GetFiles(d, "*.csproj").Length > 0).Select(Path.GetFileName).Order());

    [Fact]
    public void LogEvents_HaveIdsOfTheirOwn()
    {
        var ids = Directory.GetFiles(Repository.Path("src"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(f => LogEvent().Matches(File.ReadAllText(f)).Select(m => (Id: m.Groups[1].Value, File: Path.GetFileName(f)))).ToList();
        Assert.True(ids.Count > 50);
        Assert.Empty(ids.GroupBy(i => i.Id).Where(g => g.Count() > 1).Select(g => $"{g.Key}: {string.Join(", ", g.Select(i => i.File))}"));
    }

    [GeneratedRegex(@"LoggerMessage\((\d+)")]
    private static partial Regex LogEvent();

    [Theory, MemberData(nameof(Projects))]
    public void Project_ItsReferences_AreAllowed(string project)
    {
        var xml = XDocument.Load(Repository.Path("src", project, project + ".csproj"));
        foreach (var reference in xml.Descendants("ProjectReference"))
            Assert.Contains(Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value), Allowed[project]);
        foreach (var package in xml.Descendants("PackageReference").Select(p => p.Attribute("Include")!.Value))
            if (OnlyIn.TryGetValue(package, out var owners)) Assert.Contains(project, owners);
        if (project == "Mail") Assert.Empty(xml.Descendants("PackageReference").Concat(xml.Descendants("FrameworkReference")));
    }

    [Theory, MemberData(nameof(Projects))]
    public void Assembly_WhatItUses_IsAllowed(string project)
    {
        // Transitive references compile without being written in the project file: what the assembly really uses is what counts.
        var assembly = System.Reflection.Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, (project == "Host" ? "angarium" : "Angarium." + project) + ".dll"));
        foreach (var name in assembly.GetReferencedAssemblies().Select(a => a.Name!))
        {
            if (name.StartsWith("Angarium.", StringComparison.Ordinal)) Assert.Contains(name["Angarium.".Length..], Allowed[project]);
            if (project == "Mail") Assert.True(name.StartsWith("System.", StringComparison.Ordinal), $"Mail uses {name}");
            if (project is "Mail" or "Spool") Assert.False(name.StartsWith("Orleans", StringComparison.Ordinal), $"{project} uses {name}");
            if (name.StartsWith("StackExchange.Redis", StringComparison.Ordinal)) Assert.Equal("Grains", project);
        }
    }
}
