using Angarium.Mail;

namespace Angarium.Contracts.DomainQueues;

/// <summary>What an egress session asks of a domain's queue: outcomes out, the next batch in. Key: the queue domain. Role: egress.</summary>
[Alias("angarium.IDomainQueueExchange")]
public interface IDomainQueueExchange : IGrainWithStringKey
{
    /// <summary>Repeats of (session, number) get the same answer (design rule 17).</summary>
    [Alias("Exchange")]
    Task<ExchangeAnswer> Exchange(ExchangeRequest request);

    /// <summary>Renews a worker's leases of this domain; every 5 s (design rule 15).</summary>
    [Alias("Renew")]
    ValueTask<RenewAnswer> Renew(RenewRequest request);
}

/// <summary>What a session tells its domain's queue (the outcomes of what it was granted) and asks of it (more). A value; repeated with the same number until it is answered (design rule 17).</summary>
[GenerateSerializer, Immutable, Alias("angarium.ExchangeRequest")]
public sealed record ExchangeRequest
{
    /// <summary>Random, one per connection of a worker.</summary>
    [Id(0)] public ulong Session { get; init; }

    /// <summary>From 1, rising by one per request of the session to this domain.</summary>
    [Id(1)] public int Number { get; init; }

    /// <summary>Store time at the worker when it was sent: leases in the answer end 20 s after it.</summary>
    [Id(2)] public StoreTime SentAt { get; init; }

    [Id(3)] public required string Worker { get; init; }

    /// <summary>The site whose permit the session holds.</summary>
    [Id(4)] public required string Site { get; init; }

    /// <summary>Most messages wanted (each for up to MaxRecipients recipients); 0 = only reporting.</summary>
    [Id(5)] public int Want { get; init; }

    /// <summary>Most recipients per grant: 100 by default.</summary>
    [Id(6)] public int MaxRecipients { get; init; }

    [Id(7)] public AttemptOutcome[] Outcomes { get; init; } = [];
}

/// <summary>How an attempt ended for some recipients of one lease. Numbers are a wire contract.</summary>
public enum OutcomeKind : byte
{
    Delivered = 1,

    /// <summary>4yz, a cut, or our own trouble with this message: tried again by the schedule.</summary>
    Deferred = 2,

    /// <summary>5yz, or our own refusal (5.6.3, 5.6.7, …).</summary>
    Failed = 3,

    /// <summary>Not attempted (connection lost before its turn, shutdown): due again at once, no attempt counted.</summary>
    Returned = 4,

    /// <summary>The place named no pack: back to the sweep (design rule 5).</summary>
    NotFound = 5,
}

/// <summary>How an attempt ended for recipients that were leased together. A value; the worker repeats it until it is acknowledged.</summary>
[GenerateSerializer, Immutable, Alias("angarium.AttemptOutcome")]
public sealed record AttemptOutcome
{
    [Id(0)] public ulong Lease { get; init; }

    [Id(1)] public required RecipientKey[] Keys { get; init; }

    [Id(2)] public OutcomeKind Kind { get; init; }

    [Id(3)] public Reply? Reply { get; init; }

    /// <summary>The reply is our own text, not a peer's.</summary>
    [Id(4)] public bool Own { get; init; }

    [Id(5)] public string? Remote { get; init; }

    [Id(6)] public string? Tls { get; init; }

    /// <summary>The final dot was sent and no reply came.</summary>
    [Id(7)] public bool PossibleDuplicate { get; init; }

    /// <summary>Delivered to a peer without DSN while NOTIFY=SUCCESS was asked: we owe a "relayed" notice (RFC 3461 §5.2.2).</summary>
    [Id(8)] public bool OwesRelayedNotice { get; init; }

    /// <summary>Place of the entry, so that an activation that did not grant the lease can record it.</summary>
    [Id(9)] public EntryPlace Place { get; init; }

    /// <summary>From the envelope the worker read: for the first record of each recipient, parallel to Keys; null when it was not read.</summary>
    [Id(10)] public RecipientSummary[]? Summaries { get; init; }
}

/// <summary>What the ledger keeps of a recipient's envelope when the pack is gone. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.RecipientSummary")]
public sealed record RecipientSummary
{
    [Id(0)] public RecipientKey Message { get; init; }

    [Id(1)] public required string ReversePath { get; init; }

    [Id(2)] public required string Recipient { get; init; }

    [Id(3)] public required string Tenant { get; init; }

    [Id(4)] public StoreTime Accepted { get; init; }

    [Id(5)] public long Size { get; init; }

    /// <summary>As of the envelope; null = nothing.</summary>
    [Id(6)] public string? Labels { get; init; }
}

/// <summary>What the session shall do next.</summary>
public enum ExchangeNext : byte
{
    /// <summary>Send what was granted, then exchange again.</summary>
    Send = 0,

    /// <summary>Nothing is due here now: report Dry to the pool, which names another domain, an idle wait, or the end.</summary>
    Dry = 1,

    /// <summary>Nothing may be granted for a moment (clock, ledger, membership): ask again after RetryAfter.</summary>
    Wait = 2,
}

/// <summary>The queue's answer to an exchange: what it recorded, what it grants, what comes next. A value; a repeated request has the same one.</summary>
[GenerateSerializer, Immutable, Alias("angarium.ExchangeAnswer")]
public sealed record ExchangeAnswer
{
    /// <summary>The outcomes are recorded (or are stale events): the worker forgets them. False: repeat them.</summary>
    [Id(0)] public bool Acknowledged { get; init; }

    [Id(1)] public ExchangeNext Next { get; init; }

    [Id(2)] public Grant[] Grants { get; init; } = [];

    [Id(3)] public TimeSpan RetryAfter { get; init; }
}

/// <summary>The right to try one entry for some of its recipients, until <see cref="Deadline"/>.</summary>
[GenerateSerializer, Immutable, Alias("angarium.Grant")]
public sealed record Grant
{
    [Id(0)] public ulong Lease { get; init; }

    [Id(1)] public EntryPlace Place { get; init; }

    [Id(2)] public required RecipientKey[] Keys { get; init; }

    /// <summary>Number of this attempt, from 1.</summary>
    [Id(3)] public int Attempt { get; init; }

    /// <summary>20 s after the request was sent. What has not sent its final dot by then is aborted (design rule 15).</summary>
    [Id(4)] public StoreTime Deadline { get; init; }

    /// <summary>The message it belongs to.</summary>
    [Id(5)] public RecipientKey Message { get; init; }
}

/// <summary>The leases of one domain that a worker still works under. A value (design rule 15).</summary>
[GenerateSerializer, Immutable, Alias("angarium.RenewRequest")]
public sealed record RenewRequest
{
    [Id(0)] public required string Worker { get; init; }

    [Id(1)] public StoreTime SentAt { get; init; }

    [Id(2)] public required HeldLease[] Leases { get; init; }
}

/// <summary>A lease as its worker has it, told so that an activation that did not grant it can hold its entry (design rule 16). A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.HeldLease")]
public sealed record HeldLease
{
    [Id(0)] public ulong Lease { get; init; }

    [Id(1)] public EntryPlace Place { get; init; }

    [Id(2)] public required RecipientKey[] Keys { get; init; }
}

/// <summary>Leases not listed in Renewed end when they would have ended.</summary>
[GenerateSerializer, Immutable, Alias("angarium.RenewAnswer")]
public sealed record RenewAnswer
{
    [Id(0)] public ulong[] Renewed { get; init; } = [];

    /// <summary>20 s after the request was sent.</summary>
    [Id(1)] public StoreTime Until { get; init; }
}
