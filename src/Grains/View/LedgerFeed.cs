using Angarium.Spool.Ledger;

namespace Angarium.Grains.View;

/// <summary>Where the process's ledger puts its durable records before it acknowledges them (design rule 10). Any thread; no state of its own.</summary>
public sealed class LedgerFeed
{
    private readonly RecordView _view;

    internal LedgerFeed(RecordView view) => _view = view;

    public void OnDurable(IReadOnlyList<LedgerRecord> records) => _view.OnDurable(records);
}
