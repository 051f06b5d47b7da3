namespace Angarium.Chaos.Accounting;

/// <summary>
/// One recipient of one message that the sink took, as it noted before it replied. <paramref name="Began"/> is the time of MAIL, <paramref name="Dot"/> that of the final
/// dot, <paramref name="Answered"/> that of the 250, null when none was sent. Immutable.
/// </summary>
internal sealed record Arrival(long Sequence, long Number, string MessageId, string Peer, string Recipient, bool IsIntact, DateTimeOffset Began, DateTimeOffset Dot, DateTimeOffset? Answered);
