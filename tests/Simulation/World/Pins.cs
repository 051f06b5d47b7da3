namespace Angarium.Simulation.World;

/// <summary>
/// For each clause a seed that notices its absence, and that passes with it. Pins move whenever the steps of a seed do: ANGARIUM_FIND_PINS=1 finds them anew and prints this table.
/// </summary>
internal static class Pins
{
    /// <summary>Clauses whose absence no seed has noticed, and why that is.</summary>
    public static readonly IReadOnlyDictionary<Breaks, string> Unnoticed = new Dictionary<Breaks, string>
    {
    };

    public static readonly IReadOnlyDictionary<Breaks, int> Seeds = new Dictionary<Breaks, int>
    {
    };
}
