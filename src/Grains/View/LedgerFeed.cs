using Angarium.Spool.Ledger;

namespace Angarium.Grains.View;

/// <summary>Where the process's ledger puts its durable records before it acknowledges them (design rule 10), and what the process asks of that for `/readyz`. Any thread; no state of its own.</summary>
public sealed class LedgerFeed
{
    private readonly RecordView _view;

    internal LedgerFeed(RecordView view) => _view = view;

    /// <summary>The ledger was read to its end once: without that a silo takes fresh mail, and no other.</summary>
    public bool IsRead => _view.IsOpen;

    /// <param name="stream">This process's stream, as it is now.</param>
    /// <param name="end">Its end behind these records: all before it was fed as well.</param>
    /// <param name="records">What was appended.</param>
    public void OnDurable(LedgerStream stream, long end, IReadOnlyList<LedgerRecord> records) => _view.OnDurable(stream, end, records);
}
