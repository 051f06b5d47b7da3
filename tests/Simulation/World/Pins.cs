namespace Angarium.Simulation.World;

/// <summary>
/// For each clause a seed that notices its absence, and that passes with it. Pins move whenever the steps of a seed do: ANGARIUM_FIND_PINS=1 finds them anew and prints this table.
/// </summary>
internal static class Pins
{
    /// <summary>Clauses whose absence no seed has noticed, and why that is.</summary>
    public static readonly IReadOnlyDictionary<Breaks, string> Unnoticed = new Dictionary<Breaks, string>
    {
        [Breaks.OwnerDecides] = "Needed by the model, too rare here: the seal of a dead silo's stream and the wait of 35 s leave a deposed owner that lives moments. Unit tests: a failure under a lease of a deposed owner is not decided.",
        [Breaks.IndexAfter] = "Not needed for safety: the sweep takes for seen only what it found in the index, so what is in memory alone is offered until it is there. It spares those offers, and bounds what a killed silo leaves to them.",
        [Breaks.JudgeIndex] = "Not needed for safety: the refreshed view knows what is finished. It keeps due time and attempts of what is offered although it is in the index, within moments of a loss of the index.",
        [Breaks.SentAt] = "Not needed for safety beside the rest: deadlines are absolute in the store's time, so what a frozen machine grants or renews is over when it arrives, and its stream is sealed before its successor grants.",
        [Breaks.Lanes] = "A question of shares, not of loss: unit tests of lanes and sites, and the scenario of a large backlog beside one message.",
    };

    public static readonly IReadOnlyDictionary<Breaks, int> Seeds = new Dictionary<Breaks, int>
    {
    };
}
