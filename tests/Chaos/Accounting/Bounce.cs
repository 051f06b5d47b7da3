namespace Angarium.Chaos.Accounting;

/// <summary>A Final-Recipient of a notice that came back to the sink. Immutable.</summary>
internal sealed record Bounce(string Recipient, DateTimeOffset At);
