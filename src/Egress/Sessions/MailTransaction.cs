using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Egress.Sessions;

/// <summary>One message for some recipients of one domain, on its way through one transaction. Owned by one session; ends with it.</summary>
internal sealed class MailTransaction(HeldGrant held, SpooledEntry entry, List<int> recipients) : IDisposable
{
    private const int LongestAddress = 1000;

    public HeldGrant Held { get; } = held;

    public SpooledEntry Entry { get; } = entry;

    public Envelope Envelope => Entry.Envelope;

    /// <summary>Recipients in hand (indexes into the envelope's), in the order of their RCPT.</summary>
    public List<int> Recipients { get; } = recipients;

    /// <summary>The reverse-path to give: the message's, or its one recipient's own. A message that has none has none for anybody.</summary>
    public string ReversePath { get; } = entry.Envelope is { ReturnTag: { } tag, ReversePath.Length: > 0 } && recipients.Count == 1 ? tag.For(entry.Keys[recipients[0]]) : entry.Envelope.ReversePath;

    /// <summary>Those whose RCPT was accepted.</summary>
    public List<int> Accepted { get; } = [];

    /// <summary>Those that the receiver wants in a transaction of their own.</summary>
    public List<int> Later { get; } = [];

    public AttemptStage Stage { get; set; } = AttemptStage.Mail;

    public long Started { get; set; }

    /// <summary>MAIL was sent already, together with the dot of the transaction before.</summary>
    public bool IsAnnounced { get; set; }

    /// <summary>Nothing in the envelope could end a command early. Acceptance saw to it; a pack that says otherwise is damaged.</summary>
    public bool IsWellFormed => IsClean(ReversePath) && IsClean(Envelope.EnvelopeId)
        && Recipients.TrueForAll(i => IsClean(Envelope.Recipients[i].Address) && IsClean(Envelope.Recipients[i].OriginalRecipient));

    public void Dispose() => Entry.Dispose();

    private static bool IsClean(string? text)
    {
        if (text is null) return true;
        if (text.Length > LongestAddress) return false;
        foreach (var c in text)
            if (char.IsControl(c)) return false;
        return true;
    }
}

/// <summary>Where a session's transactions come from and their outcomes go. Called by one session at a time.</summary>
internal interface ITransactionFeed
{
    /// <summary>The next transaction, its entry open; null = none for this session now. May be asked before the last one is reported.</summary>
    Task<MailTransaction?> NextAsync();

    /// <summary>Nothing more may be begun: what was taken and not begun goes back.</summary>
    bool IsStopped { get; }

    void Report(MailTransaction transaction, IReadOnlyList<int> recipients, DeliveryVerdict verdict, bool owesRelayedNotice = false);

    /// <summary>Recipients of this message that go in another transaction, next.</summary>
    void Again(MailTransaction transaction, List<int> recipients);
}
