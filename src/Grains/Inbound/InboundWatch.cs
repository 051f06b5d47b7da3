using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Inbound;

/// <summary>Has this silo hear of inbound domains that were entered elsewhere, every five seconds. A background service; no state that a crash could lose.</summary>
internal sealed partial class InboundWatch(InboundNames names, TimeProvider time, ILogger<InboundWatch> log) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        do
        {
            try
            {
                await names.LookAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(log, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(2910, LogLevel.Warning, "Whether inbound domains were entered elsewhere cannot be seen now: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
