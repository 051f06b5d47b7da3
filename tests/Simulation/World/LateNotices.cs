using Angarium.Grains.Notices;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Spool.Ledger;

namespace Angarium.Simulation.World;

/// <summary>Says that a notice is durable before it is (rule 7 broken).</summary>
internal sealed class LateNotices(SimProcess process, INoticeWriter notices) : INoticeWriter
{
    public Task<bool> WriteAsync(NoticeKind kind, EntryPlace place, IReadOnlyList<LedgerRecord> outcomes, CancellationToken cancellationToken)
    {
        process.Start(async () =>
        {
            await process.Delay(1, 5_000);
            try
            {
                await notices.WriteAsync(kind, place, outcomes, cancellationToken);
            }
            catch (IOException)
            {
                // Nobody asks again.
            }
        });
        return Task.FromResult(true);
    }
}
