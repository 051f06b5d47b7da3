using System.Reflection;
using Angarium.Contracts.Configuration;

namespace Angarium.Host.Configuration;

/// <summary>One property of an options record that binds a setting. A value; any thread.</summary>
internal sealed record SettingDefinition(Type Record, PropertyInfo Property, SettingAttribute Attribute)
{
    /// <summary>Ends in `:*`: every name below it is one pair of a map.</summary>
    public bool IsMap => Attribute.Name.EndsWith(":*", StringComparison.Ordinal);

    /// <summary>The full name, or the part before the keys of a map.</summary>
    public string Name => IsMap ? Attribute.Name[..^2] : Attribute.Name;

    /// <summary>What the reference calls the type.</summary>
    public string Kind => SettingText.KindOf(Property.PropertyType);

    public bool Covers(string name) => IsMap
        ? name.Length > Name.Length + 1 && name[Name.Length] == ':' && name.StartsWith(Name, StringComparison.OrdinalIgnoreCase)
        : name.Equals(Name, StringComparison.OrdinalIgnoreCase);
}
