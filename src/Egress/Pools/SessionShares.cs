namespace Angarium.Egress.Pools;

/// <summary>
/// The sessions of one process over the pools that it serves: half of them are shared evenly, so that no pool's backlog leaves none to another, and the rest is whose who needs it first. Pure.
/// </summary>
internal static class SessionShares
{
    /// <param name="all">Sessions of the process.</param>
    /// <param name="running">Of each pool.</param>
    /// <param name="pool">Which of them asks how many it may have.</param>
    public static int Of(int all, IReadOnlyList<int> running, int pool)
    {
        var reserved = all / (2 * running.Count);
        var most = all;
        for (var i = 0; i < running.Count; i++)
            if (i != pool) most -= Math.Max(running[i], reserved);
        return most;
    }
}
