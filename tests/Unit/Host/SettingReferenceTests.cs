using System.Text;
using Angarium.Host.Configuration;
using Angarium.Host.Serving;
using Angarium.TestKit;
using Prometheus;

namespace Angarium.Unit.Host;

public sealed class SettingReferenceTests
{
    [Fact]
    public void Markdown_OfAllRecords_IsTheCommittedPage()
    {
        var page = Path.Combine(Repository.Root, "docs", "operating", "configuration.md");
        Assert.True(
            SettingReference.Markdown(SettingCatalog.All) == File.ReadAllText(page),
            "docs/operating/configuration.md differs: dotnet run --project src/Host -- settings --markdown > docs/operating/configuration.md");
    }

    [Fact]
    public void Markdown_OfAllMetrics_IsTheCommittedPage() => Assert.True(
        MetricReference.Markdown(SettingCatalog.Assemblies) == File.ReadAllText(Path.Combine(Repository.Root, "docs", "operating", "metrics.md")),
        "docs/operating/metrics.md differs: dotnet run --project src/Host -- metrics > docs/operating/metrics.md");

    /// <summary>Whatever the classes of instruments register is on the page, wherever they keep it.</summary>
    [Fact]
    public async Task Collectors_OfAllRoles_AreAllThatAreRegistered()
    {
        var known = MetricReference.Collectors(SettingCatalog.Assemblies).Select(collector => collector.Name);
        using var text = new MemoryStream();
        await Metrics.DefaultRegistry.CollectAndExportAsTextAsync(text);
        Assert.Empty(Encoding.UTF8.GetString(text.ToArray()).Split('\n').Where(line => line.StartsWith("# TYPE angarium_", StringComparison.Ordinal)).Select(line => line.Split(' ')[2]).Except(known));
    }

    [Fact]
    public void InForce_Secret_IsNotShown()
    {
        var catalog = new SettingCatalog([typeof(TestOptions)]);
        var values = new SettingValues();
        values.Set("Test:Password", "hunter2", "test");
        values.Set("Test:Routes:a.example", "x:25", "test");
        var shown = SettingReference.InForce(catalog, SettingBinder.Bind(catalog, values)).ToDictionary();
        Assert.Equal("(set, not shown)", shown["Test:Password"]);
        Assert.Equal("x:25", shown["Test:Routes:a.example"]);
        Assert.Equal("5m,1h", shown["Test:Schedule"]);
    }

    [Fact]
    public void Catalog_EveryRole_BindsItsDefaults()
    {
        var bound = SettingBinder.Bind(SettingCatalog.All, new SettingSources { Development = true }.Read());
        Assert.Empty(bound.Mistakes);
        bound = SettingBinder.Bind(SettingCatalog.All, new SettingSources { Development = false }.Read());
        Assert.Empty(bound.Mistakes);
    }

    [Fact]
    public void Catalog_SameNameTwice_HasTheSameType()
    {
        foreach (var shared in SettingCatalog.All.Definitions.GroupBy(definition => definition.Attribute.Name))
            Assert.Single(shared.Select(definition => definition.Property.PropertyType).Distinct());
    }
}
