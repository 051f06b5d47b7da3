using Angarium.Contracts.Configuration;
using Angarium.Grains.DomainQueues;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Cleaner;

/// <summary>Runs a pass of the cleaner every minute. A background service of the silo; no state that a crash could lose.</summary>
internal sealed partial class CleanerService(PackCleaner cleaner, ISettings<GrainsOptions> settings, ILogger<CleanerService> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await cleaner.PassAsync(settings.Current.LedgerRetention, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(log, e.Message);
            }
        }
    }

    [LoggerMessage(2701, LogLevel.Warning, "Cleaning failed and is tried again: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
