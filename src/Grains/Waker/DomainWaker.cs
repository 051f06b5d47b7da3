using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Waker;

/// <summary>
/// Activates the domains that have something due soon (design rule 16: 40 s before, which hides the wait of a new owner). A background service of the silo; what
/// it remembers is only whom it called just now.
/// </summary>
internal sealed partial class DomainWaker(IQueueIndex index, IGrainFactory grains, IStoreClock clock, IStanding standing, ILogger<DomainWaker> log) : BackgroundService
{
    private const int PerPartition = 64;
    private static readonly TimeSpan Ahead = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, StoreTime> _called = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await PassAsync(stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(log, e.Message);
            }
        }
    }

    internal async Task PassAsync(CancellationToken cancellationToken)
    {
        var now = clock.Now;
        foreach (var old in _called.Where(c => now - c.Value >= Again).Select(c => c.Key).ToList()) _called.Remove(old);
        var until = standing.IsSoleProcess ? now : now + Ahead;
        // Domains called just now are still in the list until they have read what is due: look behind them.
        foreach (var wake in await index.WakesAsync(IndexPartition.All, until, PerPartition + _called.Count, cancellationToken))
        {
            if (!_called.TryAdd(wake.Domain, now)) continue;
            await grains.GetGrain<IDomainQueueWake>(wake.Domain).Wake();
        }
    }

    [LoggerMessage(2101, LogLevel.Warning, "Waking domains failed and is tried again: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
