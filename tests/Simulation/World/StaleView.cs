using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Simulation.World;

/// <summary>A view that says what it knows without looking (rule 13 broken).</summary>
internal sealed class StaleView(IRecordView view) : IRecordView
{
    public IReadOnlyList<LedgerPosition> Positions => view.Positions;

    public StoreTime ListedFrom => view.ListedFrom;

    public RecipientBits Bits(RecipientKey key) => view.Bits(key);

    public Task RefreshAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public EntryPlace? Locate(RecipientKey key, EntryPlace birth) => view.Locate(key, birth);

    public StoreTime? Born(RecipientKey key) => view.Born(key);

    public LedgerRecord? Decision(RecipientKey key) => view.Decision(key);

    public bool IsFullOfDecisions => view.IsFullOfDecisions;
}
