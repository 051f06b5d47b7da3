using System.Text.Json;
using System.Text.RegularExpressions;
using Angarium.Host.Configuration;
using Angarium.TestKit;

namespace Angarium.Unit.Documents;

/// <summary>Which values the chart has, by its values.schema.json; what stands below `settings` are settings of the relay. Read once; immutable.</summary>
internal static partial class ChartSchema
{
    private static readonly JsonElement s_root = JsonDocument.Parse(File.ReadAllText(Repository.Path("helm", "angarium", "values.schema.json"))).RootElement;

    private static readonly JsonElement s_nothing = JsonDocument.Parse("{}").RootElement;

    public static bool IsValue(string name) => Properties(s_root).TryGetProperty(name, out _);

    /// <summary>What is wrong with a path as `--set` takes it; null = there is such a value.</summary>
    public static string? Mistake(string path) => Mistake(Part().Matches(path).Select(part => part.Groups[1].Value.Replace("\\.", ".", StringComparison.Ordinal)));

    /// <summary>The same of names, one within the other.</summary>
    public static string? Mistake(IEnumerable<string> names)
    {
        var at = s_root;
        var gone = "";
        foreach (var name in names)
        {
            gone += "." + name;
            at = Resolve(at);
            if (Properties(at).TryGetProperty(name, out var next)) at = next;
            else if (gone.EndsWith(".settings." + name, StringComparison.Ordinal)) return SettingCatalog.All.Find(name) is null ? $"there is no setting {name}" : null;
            // A map, or what Kubernetes takes as it is.
            else if (at.TryGetProperty("properties", out _) || !IsOpen(at)) return $"the chart has no value {gone[1..]}";
            else return null;
        }

        return null;
    }

    private static bool IsOpen(JsonElement at) => at.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.GetString() is "object" or "array";

    private static JsonElement Resolve(JsonElement at) => at.TryGetProperty("$ref", out var name) ? Resolve(s_root.GetProperty("definitions").GetProperty(name.GetString()!.Split('/')[^1])) : at;

    private static JsonElement Properties(JsonElement at) => Resolve(at).TryGetProperty("properties", out var properties) ? properties : s_nothing;

    [GeneratedRegex(@"((?:\\.|[^.\[])+)(?:\[\d+\])?\.?")]
    private static partial Regex Part();
}
