using Angarium.Spool.Ledger;

namespace Angarium.Simulation.World;

/// <summary>A silo's ledger, with the clauses left out that a run breaks on purpose.</summary>
internal sealed class BrokenLedger(SimWorld world, SimSilo silo, LedgerWriter ledger) : ILedger
{
    public bool IsHealthy => ledger.IsHealthy || world.Breaks == Breaks.LedgerHealth;

    public Task AppendAsync(IReadOnlyList<LedgerRecord> records, TimeSpan? beginBy = null)
    {
        switch (world.Breaks)
        {
            case Breaks.AppendFirst:
                silo.Process.Start(async () =>
                {
                    await silo.Process.Delay(1, 3_000);
                    try
                    {
                        await ledger.AppendAsync(records, beginBy);
                    }
                    catch (Exception e) when (e is IOException or TimeoutException)
                    {
                        // It was acknowledged long ago.
                    }
                });
                return Task.CompletedTask;
            case Breaks.DecidedFirst:
                return ledger.AppendAsync([.. records.Where(r => !r.Decides)], beginBy);
            case Breaks.DecideBy:
                return LateAsync(records, beginBy);
            default:
                return ledger.AppendAsync(records, beginBy);
        }
    }

    // Stuck before it begins, and nobody gives it up.
    private async Task LateAsync(IReadOnlyList<LedgerRecord> records, TimeSpan? beginBy)
    {
        if (beginBy is not null && world.Loop.Chance(0.5)) await silo.Process.Delay(5_000, 90_000);
        await ledger.AppendAsync(records);
    }
}
