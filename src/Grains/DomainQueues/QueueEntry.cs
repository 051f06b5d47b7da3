using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>Where an entry stands in its domain's memory.</summary>
internal enum EntryState
{
    /// <summary>In its lane: may be leased.</summary>
    Ready,

    /// <summary>A worker has it, or its report is on its way into the ledger.</summary>
    Leased,

    /// <summary>Decided, or being decided: never leased again; its notice and its *finished* are owed.</summary>
    Deciding,

    /// <summary>On its way into the index with a new due time; read back from there (design rule 8).</summary>
    Leaving,

    /// <summary>Finished or struck: no longer in memory.</summary>
    Gone,
}

/// <summary>
/// One message for one domain, as far as its recipients share due time and attempts; split when their outcomes differ. In the memory of one activation;
/// everything in it can be had again from pack, ledger and index. Touched on its domain's turn alone.
/// </summary>
internal sealed class QueueEntry
{
    private const int Recovered = 128;

    public required Lane Lane { get; init; }

    public required EntryPlace Birth { get; init; }

    public required RecipientKey Message { get; init; }

    public required RecipientKey[] Keys { get; set; }

    /// <summary>When the message was accepted; zero = not known.</summary>
    public StoreTime Born { get; init; }

    public StoreTime Due { get; set; }

    public int Attempts { get; init; }

    /// <summary>Its attempts were told from its age (design rule 19): whether one of them was recorded is not known.</summary>
    public bool IsRecovered { get; init; }

    /// <summary>Leased without the owner token until then (design rule 11); zero = read back.</summary>
    public StoreTime FreshUntil { get; init; }

    /// <summary>When this activation took it up: by hand-over, or read back from the index.</summary>
    public StoreTime TakenUp { get; init; }

    /// <summary>It is in the index, or on its way there before anything that comes later.</summary>
    public bool InIndex { get; set; }

    public EntryState State { get; set; }

    /// <summary>Its place in <see cref="ReadyLanes"/> while it is ready.</summary>
    public LinkedListNode<QueueEntry>? Node { get; set; }

    /// <summary>Index writes that it waits for while <see cref="EntryState.Leaving"/>.</summary>
    public int Writes { get; set; }

    public QueueEntry With(RecipientKey[] keys, EntryState state, StoreTime? due = null, int? attempts = null) => new()
    {
        Lane = Lane, Birth = Birth, Message = Message, Keys = keys, Born = Born, Due = due ?? Due, Attempts = attempts ?? Attempts, IsRecovered = IsRecovered && attempts is null,
        FreshUntil = FreshUntil, TakenUp = TakenUp, InIndex = InIndex, State = state,
    };

    public IndexRow Row(RecipientKey key) => new(Lane, new IndexMember(key, Birth.Offset, Birth.Length, Message.Ordinal), Due, RowAttempts(Attempts, IsRecovered));

    /// <summary>As a row of the index says it, in the one octet that it has for that.</summary>
    public static int RowAttempts(int attempts, bool isRecovered) => Math.Min(attempts, Recovered - 1) | (isRecovered ? Recovered : 0);

    public static (int Attempts, bool IsRecovered) OfRow(int attempts) => (attempts & (Recovered - 1), (attempts & Recovered) != 0);
}
