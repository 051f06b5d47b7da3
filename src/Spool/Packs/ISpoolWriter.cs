using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>
/// Group commit (design rules 1 to 3): while a creation is in flight, arriving messages gather; the next pack takes them all. One instance a process;
/// its random writer id is drawn at start and ends with a conflict. Calls may come from any thread.
/// </summary>
public interface ISpoolWriter
{
    /// <summary>
    /// Completes once the message is durable, or refused. <see cref="CommitStatus.Committed"/> justifies a 250; nothing else does. Cancelling abandons
    /// the wait, not a message that is already in a pack in flight (the client saw no 250 and may send again: RFC 1047).
    /// </summary>
    Task<CommitReceipt> CommitAsync(NewMessage message, CancellationToken cancellationToken);
}

/// <summary>An accepted message on its way into a pack.</summary>
public sealed record NewMessage
{
    /// <summary>The envelope with all recipients. The writer orders them by domain and gives them consecutive ordinals in that order.</summary>
    public required Envelope Envelope { get; init; }

    /// <summary>The queue domain (A-label, lower case; or an address literal in lower case) of each recipient, parallel to Envelope.Recipients.</summary>
    public required IReadOnlyList<string> Domains { get; init; }

    /// <summary>Trace fields put before the content, CRLF-terminated; within them 23 octets at <see cref="IdOffset"/> are overwritten with the message id.</summary>
    public ReadOnlyMemory<byte> Trace { get; init; }

    /// <summary>Offset in <see cref="Trace"/> of the 23 octets for the message id; -1 = none.</summary>
    public int IdOffset { get; init; } = -1;

    /// <summary>Content in memory (dot-unstuffed, CRLF lines), when it was small enough.</summary>
    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>Content in a scratch file instead; it then travels alone in its pack.</summary>
    public ScratchContent? Scratch { get; init; }

    public long ContentLength => Scratch?.Length ?? Content.Length;
}

/// <summary>What became of a commit, and so what the client is answered.</summary>
public enum CommitStatus
{
    Committed,

    /// <summary>The store cannot be written now: 451.</summary>
    Unavailable,

    /// <summary>There is no room: 452.</summary>
    Full,
}

/// <summary>The answer to a commit; <paramref name="Id"/> means something only when committed.</summary>
public readonly record struct CommitReceipt(CommitStatus Status, MessageId Id);

/// <summary>Told of every pack that has become durable, once, on the writer's thread: must return at once and never throw. It hands the recipients over to their domains.</summary>
public interface ICommitListener
{
    void OnCommitted(CommittedPack pack);
}

/// <summary>A pack just made durable. <paramref name="CommitBegan"/>: store time at which the request that made it visible began (design rule 11).</summary>
public sealed record CommittedPack(PackId Id, StoreTime CommitBegan, IReadOnlyList<PackEntry> Entries);
