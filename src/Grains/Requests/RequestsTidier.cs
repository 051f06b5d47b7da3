using Angarium.Grains.Membership;
using Angarium.Spool.Documents;
using Angarium.Spool.Time;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Requests;

/// <summary>Deletes remembered requests that are over, on one silo of all. A background service; no state that a crash could lose.</summary>
internal sealed partial class RequestsTidier(IDocumentStore documents, IStoreClock clock, ISilos silos, TimeProvider time, ILogger<RequestsTidier> log) : BackgroundService
{
    /// <summary>Any number: which silo it falls to is all that matters.</summary>
    private const ulong Item = 0x7265717565737473;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                if (silos.IsMine(Item) && clock.IsSettled) await RememberedRequests.TidyAsync(documents, clock.Now, stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(log, e.Message);
            }
        }
    }

    [LoggerMessage(2850, LogLevel.Warning, "Remembered requests that are over cannot be deleted and are tried again in an hour: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
