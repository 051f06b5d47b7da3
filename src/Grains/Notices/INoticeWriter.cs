using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.Notices;

/// <summary>
/// Writes what is owed to a sender (RFC 3461 to 3464) into the spool like any message. Called by the domain's queue between *decided* and *finished*
/// (design rule 7). Any turn; holds no state that a crash could lose: a repeat writes the same Message-ID again.
/// </summary>
public interface INoticeWriter
{
    /// <summary>
    /// True = a notice was owed. Completes when every notice owed for these recipients of one entry is durable, or none is owed (null reverse-path, strangers' mail, NOTIFY=NEVER …).
    /// </summary>
    /// <exception cref="IOException">Not durable: the owner tries again later; the recipients stay decided.</exception>
    Task<bool> WriteAsync(NoticeKind kind, EntryPlace place, IReadOnlyList<LedgerRecord> outcomes, CancellationToken cancellationToken);
}

/// <summary>What a sender is told of a recipient.</summary>
public enum NoticeKind { Failed, Expired, Relayed, Delayed }
