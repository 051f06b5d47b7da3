namespace Angarium.Host.Configuration;

/// <summary>One value as it was written, and where, for the line about a mistake.</summary>
internal sealed record SettingValue(string Name, string Text, string Origin);

/// <summary>Values by name (case ignored), later layers over earlier ones, and what was wrong with the layers themselves. Built on one thread.</summary>
internal sealed class SettingValues
{
    private readonly Dictionary<string, SettingValue> _values = new(StringComparer.OrdinalIgnoreCase);

    public List<string> Mistakes { get; } = [];

    public IEnumerable<SettingValue> All => _values.Values;

    public SettingValue? this[string name] => _values.GetValueOrDefault(name);

    public void Set(string name, string text, string origin) => _values[name] = new SettingValue(name, text, origin);

    public void SetDefault(string name, string text)
    {
        if (!_values.ContainsKey(name)) Set(name, text, "default");
    }
}
