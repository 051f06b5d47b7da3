namespace Angarium.Chaos.Accounting;

/// <summary>
/// One fault from its beginning until what it struck served again. <paramref name="Doubles"/> names the processes whose attempts under way it may double: empty = none,
/// `*` = anyone's. Immutable.
/// </summary>
internal sealed record Strike(string Kind, string Victim, string Doubles, DateTimeOffset Start, DateTimeOffset End)
{
    /// <summary>Whether it can be the reason that what <paramref name="peer"/> sent between two moments was sent again.</summary>
    public bool Excuses(string peer, DateTimeOffset from, DateTimeOffset to) =>
        Start <= to && End >= from && (Doubles == "*" || Doubles.Split(',').Contains(peer));
}
