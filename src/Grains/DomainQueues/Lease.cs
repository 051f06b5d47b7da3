using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// A worker's right to try one entry until <see cref="Until"/> (design rule 15). In memory only; a successor hears of it by its renewal or report. Touched on
/// its domain's turn alone.
/// </summary>
internal sealed class Lease
{
    public required ulong Id { get; init; }

    public required string Worker { get; init; }

    /// <summary>Null = granted by a former activation and held for its worker (design rule 16).</summary>
    public required QueueEntry? Entry { get; init; }

    public required EntryPlace Place { get; init; }

    /// <summary>In whose part of the window it counts.</summary>
    public required QueuePool Pool { get; init; }

    /// <summary>Recipients not reported yet.</summary>
    public required HashSet<RecipientKey> Open { get; init; }

    public StoreTime Until { get; set; }

    /// <summary>Reports of it that are on their way into the ledger: it does not end meanwhile.</summary>
    public int Recording { get; set; }

    /// <summary>It has ended, and that is being recorded: no renewal brings it back.</summary>
    public bool IsLost { get; set; }

    public bool IsOwn => Entry is not null;
}
