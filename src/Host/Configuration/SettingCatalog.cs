using System.Reflection;
using Angarium.Api;
using Angarium.Contracts.Configuration;
using Angarium.Egress;
using Angarium.Grains;
using Angarium.Ingress;
using Angarium.Spool;

namespace Angarium.Host.Configuration;

/// <summary>
/// Every setting of every options record of the given assemblies, found by their attributes, so that a new one needs no list to be kept. Immutable; any thread.
/// </summary>
internal sealed class SettingCatalog
{
    /// <summary>Where the roles of this executable keep their options and metrics.</summary>
    public static IReadOnlyList<Assembly> Assemblies { get; } =
        [typeof(SpoolOptions).Assembly, typeof(IngressOptions).Assembly, typeof(GrainsServices).Assembly, typeof(EgressOptions).Assembly, typeof(ApiOptions).Assembly, typeof(SettingCatalog).Assembly];

    /// <summary>The records of all the roles in this executable.</summary>
    public static SettingCatalog All { get; } = new(Assemblies.SelectMany(assembly => assembly.GetTypes()));

    public SettingCatalog(IEnumerable<Type> types)
    {
        Definitions =
        [
            .. from type in types
               where type is { IsClass: true, IsAbstract: false }
               from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
               let attribute = property.GetCustomAttribute<SettingAttribute>()
               where attribute is not null
               orderby attribute.Name, type.FullName
               select new SettingDefinition(type, property, attribute),
        ];
        Records = [.. Definitions.Select(definition => definition.Record).Distinct()];
    }

    /// <summary>Ordered by name. Two records may bind the same setting.</summary>
    public IReadOnlyList<SettingDefinition> Definitions { get; }

    public IReadOnlyList<Type> Records { get; }

    public SettingDefinition? Find(string name) => Definitions.FirstOrDefault(definition => definition.Covers(name));

    /// <summary>The known name that a mistyped one most resembles; null when none is near.</summary>
    public string? Nearest(string name)
    {
        var best = Definitions
            .Select(definition => definition.Attribute.Name)
            .Distinct(StringComparer.OrdinalIgnoreCase)
            .Select(known => (Known: known, Distance: Distance(name, known)))
            .MinBy(candidate => candidate.Distance);
        return best.Known is not null && best.Distance <= Math.Max(2, name.Length / 3) ? best.Known : null;
    }

    /// <summary>Levenshtein's distance, case ignored; the same last segment elsewhere counts as near.</summary>
    private static int Distance(string from, string to)
    {
        if (from.Length > 200) return int.MaxValue;
        if (LastSegment(from).Equals(LastSegment(to), StringComparison.OrdinalIgnoreCase)) return 1;
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
            {
                var change = diagonal + (char.ToUpperInvariant(from[i - 1]) == char.ToUpperInvariant(to[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[to.Length];
    }

    private static string LastSegment(string name) => name[(name.LastIndexOf(':') + 1)..];
}
