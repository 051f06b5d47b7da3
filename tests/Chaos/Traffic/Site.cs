namespace Angarium.Chaos.Traffic;

/// <summary>Receivers behind one MX set and how they behave, in shares of what they are asked. Immutable.</summary>
internal sealed record Site(string Name, IReadOnlyList<string> Addresses)
{
    /// <summary>RCPT answered 451.</summary>
    public double Deferred { get; init; } = 0.03;

    /// <summary>Connections closed at the final dot, nothing taken.</summary>
    public double CutBefore { get; init; } = 0.003;

    /// <summary>Messages taken, and the connection closed without a reply: a second copy is right.</summary>
    public double CutAfter { get; init; } = 0.003;

    /// <summary>Replies to the final dot that come late, by one to <see cref="Slowest"/>.</summary>
    public double Slow { get; init; } = 0.01;

    public TimeSpan Slowest { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Connections greeted with 421.</summary>
    public double Busy { get; init; } = 0.01;
}
