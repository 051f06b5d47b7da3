using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>What an operator asks of a domain's queue. Key: the queue domain. Role: api (and the Unix socket of one process).</summary>
[Alias("angarium.IDomainQueueAdmin")]
public interface IDomainQueueAdmin : IGrainWithStringKey
{
    /// <summary>Counts, site, suspension and the first <paramref name="limit"/> queued recipients by due time.</summary>
    [Alias("Show")]
    Task<QueueSnapshot> Show(int limit);

    /// <summary>Makes queued recipients due now; a suspended site is tried at once. Returns how many were not due before.</summary>
    /// <exception cref="IOException">In words for people: not all of it could be reached just now.</exception>
    [Alias("RetryThese"), ResponseTimeout("00:05:00")]
    Task<int> Retry(QueueSelection which);

    /// <summary>
    /// Finishes queued recipients without delivery, with a reason in the ledger, and without a notice; or, where their senders are to be told, fails them. Returns how many. What is leased just now is left
    /// alone and counted in no case.
    /// </summary>
    /// <exception cref="IOException">In words for people: not all of it could be reached just now, or the queue was taken over in the last 35 s.</exception>
    [Alias("DropThese"), ResponseTimeout("00:05:00")]
    Task<int> Drop(QueueSelection which, string reason, bool isTold);

    /// <summary>Holds the domain or one message (a document: outlives restarts). Held mail does not expire.</summary>
    [Alias("Hold")]
    Task Hold(RecipientKey? message);

    [Alias("Release"), ResponseTimeout("00:05:00")]
    Task Release(RecipientKey? message);
}

/// <summary>What an operator is shown of a domain's queue at one moment; times are the store's. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.QueueSnapshot")]
public sealed record QueueSnapshot
{
    [Id(0)] public required string Domain { get; init; }

    [Id(1)] public long Queued { get; init; }

    [Id(2)] public int Leased { get; init; }

    [Id(3)] public bool Held { get; init; }

    [Id(4)] public string? Site { get; init; }

    [Id(5)] public StoreTime SuspendedUntil { get; init; }

    /// <summary>Why the site was last suspended, in the peer's words or ours.</summary>
    [Id(6)] public string? SiteTrouble { get; init; }

    [Id(7)] public StoreTime OldestDue { get; init; }

    [Id(8)] public QueuedRecipient[] Recipients { get; init; } = [];

    /// <summary>The queue index could not be reached: what waits there is neither counted nor listed.</summary>
    [Id(9)] public bool IndexAway { get; init; }

    /// <summary>Operators' orders that keep mail of this domain from being sent: its site's, its tenants'.</summary>
    [Id(10)] public Suspension[] Suspensions { get; init; } = [];
}

/// <summary>One queued recipient, as an operator is shown it. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.QueuedRecipient")]
public sealed record QueuedRecipient
{
    [Id(0)] public RecipientKey Key { get; init; }

    [Id(1)] public RecipientKey Message { get; init; }

    [Id(2)] public required string Tenant { get; init; }

    [Id(3)] public int Attempts { get; init; }

    [Id(4)] public StoreTime Due { get; init; }

    [Id(5)] public StoreTime Born { get; init; }

    /// <summary>`ready`, `leased`, `waiting`, `held`, `suspended` (its site or tenant, by an operator), `deciding`.</summary>
    [Id(6)] public required string State { get; init; }

    [Id(7)] public EntryPlace Place { get; init; }

    /// <summary>The reverse-path, the recipient's address and the octets of the content, as the spool has them; null and 0 = it could not be read just now.</summary>
    [Id(8)] public string? Sender { get; init; }

    [Id(9)] public string? Address { get; init; }

    [Id(10)] public long Size { get; init; }
}
