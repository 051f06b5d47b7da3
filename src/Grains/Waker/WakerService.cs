using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Waker;

/// <summary>Runs the waker's passes. A background service of the silo; no state that a crash could lose.</summary>
internal sealed partial class WakerService(DomainWaker waker, ILogger<WakerService> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(waker.Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await waker.PassAsync(stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(log, e.Message);
            }
        }
    }

    [LoggerMessage(2101, LogLevel.Warning, "Waking domains failed and is tried again: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
