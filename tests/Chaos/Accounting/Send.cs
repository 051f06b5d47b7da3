namespace Angarium.Chaos.Accounting;

/// <summary>What a client knows of the message that it sent.</summary>
internal enum SendOutcome
{
    /// <summary>A whole 250 to the final dot was read.</summary>
    Acknowledged,

    /// <summary>A 4yz or 5yz: the relay did not take it.</summary>
    Refused,

    /// <summary>No answer: it may or may not have been taken, and is never sent again.</summary>
    Unknown,
}

/// <summary>What a client noted of one message, which it sent once. Immutable.</summary>
internal sealed record Send(long Number, string Tenant, string Ingress, SendOutcome Outcome, string Reply, DateTimeOffset Began, DateTimeOffset Ended, IReadOnlyList<string> Recipients);
