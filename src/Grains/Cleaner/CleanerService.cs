using Angarium.Contracts.Configuration;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Membership;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Cleaner;

/// <summary>Runs a pass of the cleaner every minute, or every five where each pass is a listing over a network. A background service of the silo; no state that a crash could lose.</summary>
internal sealed partial class CleanerService(PackCleaner cleaner, IStanding standing, ISettings<GrainsOptions> settings, ILogger<CleanerService> log) : BackgroundService
{
    private TimeSpan Interval => TimeSpan.FromMinutes(standing.IsSoleProcess ? 1 : 5);

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
