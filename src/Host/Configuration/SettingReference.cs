using System.Globalization;
using System.Text;
using Angarium.Contracts.Configuration;

namespace Angarium.Host.Configuration;

/// <summary>The catalogue for people: docs/operating/configuration.md, and the values in force with secrets left out. Pure.</summary>
internal static class SettingReference
{
    private const string Intro = """
        # Configuration

        Generated from the options records by `angarium settings --markdown`; a test fails when this page differs.

        Settings come from, the later over the earlier: the built-in defaults, the JSON file named by `--config FILE` (or `ANGARIUM_CONFIG`; else, outside development,
        `/etc/angarium/angarium.json` where there is one), the environment (`ANGARIUM_` and the path with `__` for `:`, as in `ANGARIUM_Ingress__MaxSize`), and `--set Name=value`. Names ignore case. In JSON the path is nested objects
        or one key with colons. A list is one comma-separated text; a duration is a number with `ms`, `s`, `m`, `h` or `d`. An unknown name is a mistake.

        `DOTNET_ENVIRONMENT` chooses the defaults: `Production` (the default) or `Development` (what `dotnet run --project src/Host` gives).

        A change of the file (or SIGHUP) is taken over without a restart where **live** says yes. A file with a mistake changes nothing and is reported in one line.

        `angarium settings` prints the values in force; `angarium settings --check` only checks them. How to add one: [add-a-setting](../how-to/add-a-setting.md).
        """;

    /// <summary>The value of a setting that no source names, as the reference shows it.</summary>
    public static string DefaultOf(SettingDefinition definition) =>
        definition.Attribute.DefaultText ?? SettingText.Format(definition.IsMap ? null : definition.Property.GetValue(Activator.CreateInstance(definition.Record)));

    public static string Markdown(SettingCatalog catalog)
    {
        var page = new StringBuilder(Intro).Append('\n');
        foreach (var area in catalog.Definitions.DistinctBy(definition => definition.Attribute.Name).GroupBy(AreaOf).OrderBy(area => area.Key == "General" ? "" : area.Key, StringComparer.Ordinal))
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {area.Key}\n\n| setting | default | live | meaning |\n| --- | --- | --- | --- |\n");
            foreach (var definition in area) page.Append(Row(definition));
        }

        return page.ToString();
    }

    /// <summary>Every setting and its value in force, one line each.</summary>
    public static IEnumerable<(string Name, string Value)> InForce(SettingCatalog catalog, BoundSettings bound)
    {
        foreach (var definition in catalog.Definitions.DistinctBy(definition => definition.Attribute.Name))
        {
            var value = definition.Property.GetValue(bound.Records[definition.Record]);
            if (value is IReadOnlyDictionary<string, string> map)
            {
                foreach (var (key, text) in map) yield return ($"{definition.Name}:{key}", Show(definition, text));
            }
            else yield return (definition.Name, Show(definition, SettingText.Format(value)));
        }
    }

    private static string Show(SettingDefinition definition, string text) => definition.Attribute.Secret && text.Length > 0 ? "(set, not shown)" : text;

    private static string AreaOf(SettingDefinition definition) =>
        definition.Name.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon ? definition.Name[..colon] : "General";

    private static string Row(SettingDefinition definition)
    {
        var text = DefaultOf(definition);
        var cell = definition.Attribute.DefaultText is not null ? Escape(text) : text.Length == 0 ? "none" : $"`{Escape(text)}`";
        if (Defaults.Development.TryGetValue(definition.Name, out var development)) cell += $" (development `{development}`)";
        var bounds = Bounds(definition.Attribute);
        return $"| `{definition.Attribute.Name.Replace(":*", ":<key>", StringComparison.Ordinal)}` | {cell} | {(definition.Attribute.Reloads ? "yes" : "")} | {Escape(definition.Attribute.Help)} ({definition.Kind}{bounds}) |\n";
    }

    private static string Bounds(SettingAttribute attribute)
    {
        string Text(double bound) => bound.ToString(CultureInfo.InvariantCulture);
        return (double.IsInfinity(attribute.Min), double.IsInfinity(attribute.Max)) switch
        {
            (true, true) => "",
            (false, true) => $", at least {Text(attribute.Min)}",
            (true, false) => $", at most {Text(attribute.Max)}",
            _ => $", {Text(attribute.Min)} to {Text(attribute.Max)}",
        };
    }

    private static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");
}
