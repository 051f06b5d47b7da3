using System.Globalization;
using Angarium.Contracts.Configuration;

namespace Angarium.Host.Configuration;

/// <summary>All records, bound; or every mistake, one line each.</summary>
internal sealed record BoundSettings(IReadOnlyDictionary<Type, object> Records, IReadOnlyList<string> Mistakes)
{
    public T Get<T>() where T : class => (T)Records[typeof(T)];
}

/// <summary>Values in, records out: parses, checks ranges, refuses unknown names, then asks each record for its own rules. Pure.</summary>
internal static class SettingBinder
{
    public static BoundSettings Bind(SettingCatalog catalog, SettingValues values)
    {
        var mistakes = new List<string>(values.Mistakes);
        foreach (var value in values.All.Where(value => value.Origin != "default" && catalog.Find(value.Name) is null))
        {
            var nearest = catalog.Nearest(value.Name);
            mistakes.Add($"{value.Name}: there is no such setting{Where(value)}; " + (nearest is null ? "`angarium settings` lists all." : $"did you mean `{nearest}`?"));
        }

        var records = new Dictionary<Type, object>();
        foreach (var type in catalog.Records)
        {
            var record = Activator.CreateInstance(type)!;
            foreach (var definition in catalog.Definitions.Where(definition => definition.Record == type))
            {
                if (definition.IsMap) BindMap(record, definition, values);
                else if (values[definition.Name] is { } value && Parse(definition, value, mistakes) is { } parsed) definition.Property.SetValue(record, parsed);
            }

            records[type] = record;
        }

        // Rules across settings mean something only once each of them could be read.
        if (mistakes.Count == 0) mistakes.AddRange([.. records.Values.OfType<IValidates>().SelectMany(record => record.Validate()), .. ShutdownBudget.Validate(records), .. ClusterRules.Validate(records), .. ListenerClashes.Validate(records)]);
        return new BoundSettings(records, [.. mistakes.Distinct().Order(StringComparer.Ordinal)]);
    }

    private static void BindMap(object record, SettingDefinition definition, SettingValues values)
    {
        var pairs = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var value in values.All.Where(value => definition.Covers(value.Name))) pairs[value.Name[(definition.Name.Length + 1)..].Trim()] = value.Text.Trim();
        if (pairs.Count > 0) definition.Property.SetValue(record, pairs);
    }

    private static object? Parse(SettingDefinition definition, SettingValue value, List<string> mistakes)
    {
        var type = definition.Property.PropertyType;
        // An empty text is the default, so that a chart may render every variable.
        if (value.Text.Trim().Length == 0 && type != typeof(string) && type != typeof(IReadOnlyList<string>)) return null;
        var shown = definition.Attribute.Secret ? "the value" : $"`{Shorten(value.Text)}`";
        if (!SettingText.TryParse(type, value.Text, out var parsed, out var expected))
        {
            mistakes.Add($"{definition.Name}: {shown} is not {expected}{Where(value)}.");
            return null;
        }

        if (OutOfRange(definition.Attribute, parsed!) is not { } range) return parsed;
        mistakes.Add($"{definition.Name}: {shown} is out of range{Where(value)}; it must be {range}.");
        return null;
    }

    /// <summary>Null = within; else the range in words.</summary>
    private static string? OutOfRange(SettingAttribute attribute, object parsed)
    {
        var duration = parsed is TimeSpan or IReadOnlyList<TimeSpan>;
        double[] numbers = parsed switch
        {
            TimeSpan one => [one.TotalSeconds],
            IReadOnlyList<TimeSpan> many => [.. many.Select(one => one.TotalSeconds)],
            int or long or double => [Convert.ToDouble(parsed, CultureInfo.InvariantCulture)],
            _ => [],
        };
        if (numbers.All(number => number >= attribute.Min && number <= attribute.Max)) return null;
        string Text(double bound) => duration ? SettingText.Format(TimeSpan.FromSeconds(bound)) : bound.ToString(CultureInfo.InvariantCulture);
        return double.IsInfinity(attribute.Max) ? $"at least {Text(attribute.Min)}"
            : double.IsInfinity(attribute.Min) ? $"at most {Text(attribute.Max)}"
            : $"between {Text(attribute.Min)} and {Text(attribute.Max)}";
    }

    private static string Where(SettingValue value) => value.Origin == "default" ? "" : $" (in {value.Origin})";

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
