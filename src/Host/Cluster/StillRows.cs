namespace Angarium.Host.Cluster;

/// <summary>
/// Finds silos that answer the others' probes and have lost the store: their rows stand still while this silo's own moves. What such a silo owns is nobody else's, and it may do nothing
/// with it: its domains, sites and pool would stand still for as long. What a row says of the time is its silo's clock, so only that it changes counts, by this silo's monotonic clock. While
/// the store takes nothing from this silo either, or it has not looked, no time passes for anybody. One caller at a time; nothing survives a crash.
/// </summary>
internal sealed class StillRows(TimeProvider time, TimeSpan longest)
{
    /// <summary>24 times what rows are written in: nobody is slow for so long.</summary>
    public static readonly TimeSpan Usual = TimeSpan.FromMinutes(2);

    /// <summary>Longer than this without a sight of the own row's move, and all begin anew.</summary>
    private static readonly TimeSpan s_own = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, (DateTime Alive, long Since)> _rows = [];

    /// <summary>How long a row may stand still.</summary>
    public TimeSpan Longest => longest;

    /// <summary>Other active silos whose rows have stood still for longer.</summary>
    public IReadOnlyList<string> See(MembershipDocument document, string own)
    {
        var now = time.GetTimestamp();
        var active = document.Silos.Where(row => row.Status == SiloStatus.Active).ToDictionary(row => row.Silo, row => row.Alive);
        var isMoving = active.TryGetValue(own, out var mine) && _rows.TryGetValue(own, out var seen) && time.GetElapsedTime(seen.Since, now) <= s_own;
        if (!isMoving) _rows.Clear();
        foreach (var gone in _rows.Keys.Where(silo => !active.ContainsKey(silo)).ToList()) _rows.Remove(gone);
        foreach (var (silo, alive) in active)
            if (!_rows.TryGetValue(silo, out var row) || row.Alive != alive) _rows[silo] = (alive, now);
        return [.. _rows.Where(row => row.Key != own && time.GetElapsedTime(row.Value.Since, now) > longest).Select(row => row.Key)];
    }
}
