using Angarium.Mail;

namespace Angarium.Spool.Ledger;

/// <summary>What a ledger record says. Numbers are stored: never reuse one.</summary>
public enum LedgerKind : byte
{
    /// <summary>A receiver took it. Finishes the recipient.</summary>
    Delivered = 1,

    /// <summary>An attempt ended with 4yz or without a reply; tried again at Due.</summary>
    Deferred = 2,

    /// <summary>A receiver refused it for good. Decides; a notice may be owed before <see cref="Finished"/>.</summary>
    Failed = 3,

    /// <summary>Its lifetime is over. Decides, as <see cref="Failed"/>.</summary>
    Expired = 4,

    /// <summary>A receiver took it and a success notice is owed (RFC 3461 §5.2.2). Decides.</summary>
    Relayed = 5,

    /// <summary>What was decided has been told to whom it was owed. Finishes.</summary>
    Finished = 6,

    /// <summary>An operator dropped it, with a reason. Finishes.</summary>
    Dropped = 7,

    /// <summary>Event: a lease ended without a report.</summary>
    LeaseLost = 8,

    /// <summary>Event: a report under a lease that was not current.</summary>
    StaleReport = 9,

    /// <summary>Event: a delay notice was written.</summary>
    DelayNotice = 10,

    /// <summary>Event: held or released by an operator or by rule 17.</summary>
    Held = 11,
    Released = 12,
}

/// <summary>
/// One record of the ledger: an attempt's outcome, a decision or an event, of one recipient. The first record of a recipient from a process carries a
/// <see cref="Summary"/>, so that trace outlives the pack.
/// </summary>
public sealed record LedgerRecord
{
    public required RecipientKey Key { get; init; }

    public required LedgerKind Kind { get; init; }

    public StoreTime Time { get; init; }

    /// <summary>Number of this attempt, from 1; 0 = none was made.</summary>
    public int Attempt { get; init; }

    /// <summary>The remote's reply, or our own words (then <see cref="Own"/>).</summary>
    public Reply? Reply { get; init; }

    /// <summary>The reply is ours, not a peer's: automation ignores it.</summary>
    public bool Own { get; init; }

    /// <summary>Host name and address of the receiver; null = none was reached. At most 300 characters.</summary>
    public string? Remote { get; init; }

    /// <summary>TLS version and whether the certificate was validated, for people; null = plaintext or not connected.</summary>
    public string? Tls { get; init; }

    /// <summary>The final dot was sent and its reply is unknown: what follows may be a second copy.</summary>
    public bool PossibleDuplicate { get; init; }

    /// <summary>Its attempts were told from its age (design rule 19): it may be the first record of its recipient, whatever its number.</summary>
    public bool IsRecovered { get; init; }

    /// <summary>It may be the first of its recipient: with it goes what is told of an acceptance.</summary>
    public bool MayBeFirst => (Attempt <= 1 || IsRecovered) && (Kind is LedgerKind.Deferred or LedgerKind.Dropped or LedgerKind.Delivered || Decides);

    /// <summary>Deferred: when it is tried again.</summary>
    public StoreTime Due { get; init; }

    public EnvelopeSummary? Summary { get; init; }

    /// <summary>Finishes the recipient (design rule 6).</summary>
    public bool Finishes => Kind is LedgerKind.Delivered or LedgerKind.Finished or LedgerKind.Dropped;

    /// <summary>The recipient is never leased again from then on (design rule 7).</summary>
    public bool Decides => Kind is LedgerKind.Failed or LedgerKind.Expired or LedgerKind.Relayed;
}

/// <summary>Enough of the envelope to answer for a recipient whose pack is gone. Addresses are cut at 320 octets; of an envelope that was not read they are empty, and its size is zero.</summary>
public sealed record EnvelopeSummary
{
    public required MessageId Message { get; init; }

    public required string ReversePath { get; init; }

    public required string Recipient { get; init; }

    public required string Tenant { get; init; }

    public StoreTime Accepted { get; init; }

    public long Size { get; init; }

    /// <summary>As of the envelope.</summary>
    public string? Labels { get; init; }
}
