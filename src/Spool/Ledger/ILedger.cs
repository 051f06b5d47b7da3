namespace Angarium.Spool.Ledger;

/// <summary>
/// Group commit of this process's ledger stream: arriving records gather while an append is in flight. One instance a grain host. Any thread.
/// </summary>
public interface ILedger
{
    /// <summary>False while appends fail: nothing new is leased then (design rule 9).</summary>
    bool IsHealthy { get; }

    /// <summary>
    /// Completes once all the records are durable and in this silo's view. <paramref name="beginBy"/>: a decision is given up when its append has not begun within
    /// 10 s of its check (design rule 6); then, and when the append fails for good, this throws.
    /// </summary>
    /// <exception cref="IOException">The records are not durable, or may not be.</exception>
    /// <exception cref="TimeoutException">Not begun in time: nothing was or will be written.</exception>
    Task AppendAsync(IReadOnlyList<LedgerRecord> records, TimeSpan? beginBy = null);
}
