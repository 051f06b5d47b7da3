namespace Angarium.Contracts.Telemetry;

/// <summary>
/// Which names of very many may be a metric's label: those that are counted most, so many at a time and no more; all the others share <see cref="Other"/>. Chosen anew every ten minutes, so that a
/// process makes so many series in that time at most. Any thread; nothing survives a crash.
/// </summary>
/// <param name="most">How many.</param>
/// <param name="forget">A name is a label no more: what stands under it is to go.</param>
/// <param name="time">For the ten minutes.</param>
public sealed class TopNames(int most, Action<string> forget, TimeProvider? time = null)
{
    public const string Other = "other";

    /// <summary>Names that are counted for each that may be a label: of more, those that come first.</summary>
    private const int Candidates = 100;

    private static readonly TimeSpan s_chosenFor = TimeSpan.FromMinutes(10);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private HashSet<string> _named = new(StringComparer.Ordinal);
    private long _chosenAt = (time ?? TimeProvider.System).GetTimestamp();

    /// <summary>Counts, and says under which label.</summary>
    public string Count(string name, int count)
    {
        lock (_gate)
        {
            if (_time.GetElapsedTime(_chosenAt) >= s_chosenFor) Choose();
            if (_counts.TryGetValue(name, out var before)) _counts[name] = before + count;
            else if (_counts.Count < most * Candidates) _counts.Add(name, count);
            if (_named.Contains(name) || _named.Count < most && _named.Add(name)) return name;
            return Other;
        }
    }

    private void Choose()
    {
        _chosenAt = _time.GetTimestamp();
        var chosen = _counts.OrderByDescending(c => c.Value).Take(most).Select(c => c.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _named)
            if (!chosen.Contains(gone)) forget(gone);
        _named = chosen;
        // Half of the past counts: who is quiet for ten minutes does not lose its place to who was busy for one.
        foreach (var (name, count) in _counts.ToArray())
        {
            if (count > 1) _counts[name] = count / 2;
            else _counts.Remove(name);
        }
    }
}
