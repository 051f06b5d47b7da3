using Angarium.Contracts.Configuration;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Sweep;

/// <summary>
/// Runs view, sweep, checkpoints and gauges on a silo: opens the view, sweeps every 10 s while there is work, else every 30 s, and (one silo for all) writes a checkpoint
/// every ten minutes. A silo of a cluster begins to sweep 5 s later: the index has outlived it, and what is fresh, and the others that start, need processor and storage first. A background
/// service; no state that a crash could lose.
/// </summary>
internal sealed partial class SweepService(
    RecordView view, PackSweep sweep, IIndexTotals index, ActiveDomains active, ISilos silos, IStanding standing, ISettings<GrainsOptions> settings, IStoreClock clock, ILogger<SweepService> log)
    : BackgroundService
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Busy = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CheckpointEvery = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var closing = stoppingToken.Register(view.Close);
        while (!await TryAsync(() => view.OpenAsync(stoppingToken), stoppingToken)) await Task.Delay(TimeSpan.FromSeconds(1), stoppingToken);
        await Task.WhenAll(SweepAsync(stoppingToken), CheckpointsAsync(stoppingToken), GaugesAsync(stoppingToken));
    }

    private async Task SweepAsync(CancellationToken stoppingToken)
    {
        if (!standing.IsSoleProcess) await Task.Delay(First, stoppingToken);
        while (true)
        {
            var work = true;
            await TryAsync(async () => work = await sweep.PassAsync(stoppingToken), stoppingToken);
            await Task.Delay(work ? Busy : Quiet, stoppingToken);
        }
    }

    private async Task CheckpointsAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await Task.Delay(CheckpointEvery, stoppingToken);
            if (silos.IsMine(RecordView.Share)) await TryAsync(() => view.CheckpointAsync(settings.Current.LedgerRetention, stoppingToken), stoppingToken);
        }
    }

    private async Task GaugesAsync(CancellationToken stoppingToken)
    {
        var totals = default(IndexTotals);
        StoreTime? sampledAt = null;
        while (true)
        {
            if (sampledAt is not { } at || clock.Now - at >= index.SampleEvery)
            {
                sampledAt = clock.Now;
                await TryAsync(async () => totals = await index.TotalsAsync([.. IndexPartition.All.Where(p => silos.IsMine((ulong)p))], stoppingToken), stoppingToken);
            }

            DomainQueueInstruments.QueueRecipients.Set(totals.Queued + active.Total);
            DomainQueueInstruments.OldestDueSeconds.Set(totals.OldestDue is { } due && due < clock.Now ? (clock.Now - due).TotalSeconds : 0);
            await Task.Delay(TimeSpan.FromSeconds(2), stoppingToken);
        }
    }

    private async Task<bool> TryAsync(Func<Task> work, CancellationToken stoppingToken)
    {
        try
        {
            await work();
            return true;
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            LogFailed(log, e.Message);
            return false;
        }
    }

    [LoggerMessage(2303, LogLevel.Error, "View or sweep failed and is tried again: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
