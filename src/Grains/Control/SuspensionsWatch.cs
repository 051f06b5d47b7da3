using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Control;

/// <summary>Has this silo know what operators suspended before it grants anything, and hear every five seconds of what was changed elsewhere. A background service; no state that a crash could lose.</summary>
internal sealed partial class SuspensionsWatch(Suspensions suspensions, ILogger<SuspensionsWatch> log) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await suspensions.RefreshAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (suspensions.Current is null) LogUnknown(log, e.Message);
                else LogFailed(log, e.Message);
            }

            await Task.Delay(suspensions.Current is null ? s_retry : s_interval, stoppingToken);
        }
    }

    [LoggerMessage(2920, LogLevel.Warning, "What operators suspended cannot be read, so nothing is granted: {Error}")]
    private static partial void LogUnknown(ILogger logger, string error);

    [LoggerMessage(2921, LogLevel.Warning, "Whether operators' suspensions were changed elsewhere cannot be seen now; they stay as they are known: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
