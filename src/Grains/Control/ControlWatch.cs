using Angarium.Grains.Membership;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Control;

/// <summary>Has this silo hear of what operators changed elsewhere, every ten seconds (design rule 20). A background service; no state that a crash could lose.</summary>
internal sealed partial class ControlWatch(ControlDocuments control, IStanding standing, ILogger<ControlWatch> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (standing.IsSoleProcess) return;
        using var timer = new PeriodicTimer(Interval);
        do
        {
            try
            {
                await control.HearAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(log, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(2901, LogLevel.Warning, "Whether holds were changed elsewhere cannot be seen now: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
