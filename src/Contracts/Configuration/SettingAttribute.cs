namespace Angarium.Contracts.Configuration;

/// <summary>
/// Names one setting on a property of an options record: the binder, the check of unknown names and the generated reference all read it. A list is one
/// comma-separated string; a duration is a number with ms, s, m, h or d.
/// </summary>
/// <param name="name">Path such as `Ingress:MaxSize`; a name that ends in `:*` binds a map from the last segment.</param>
/// <param name="help">One sentence: meaning, unit, range, source of the default.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string name, string help) : Attribute
{
    public string Name { get; } = name;

    public string Help { get; } = help;

    /// <summary>Taken over on change without a restart.</summary>
    public bool Reloads { get; init; }

    /// <summary>Never printed.</summary>
    public bool Secret { get; init; }

    /// <summary>How the default reads in the reference when the value itself does not say it.</summary>
    public string? DefaultText { get; init; }

    /// <summary>Least and greatest value of a number, or in seconds of a duration.</summary>
    public double Min { get; init; } = double.NegativeInfinity;

    public double Max { get; init; } = double.PositiveInfinity;
}
