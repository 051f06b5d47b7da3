using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Tenants;

/// <summary>Has this silo know of tenants' pools before it grants anything, and hear every five seconds of what was changed elsewhere. A background service; no state that a crash could lose.</summary>
internal sealed partial class TenantPoolsWatch(TenantPools pools, ILogger<TenantPoolsWatch> log) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await pools.RefreshAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (pools.Current is null) LogUnknown(log, e.Message);
                else LogFailed(log, e.Message);
            }

            await Task.Delay(pools.Current is null ? s_retry : s_interval, stoppingToken);
        }
    }

    [LoggerMessage(2900, LogLevel.Warning, "The pools of tenants cannot be read, so nothing is granted: {Error}")]
    private static partial void LogUnknown(ILogger logger, string error);

    [LoggerMessage(2902, LogLevel.Warning, "Whether pools of tenants were changed elsewhere cannot be seen now; they stay as they are known: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
