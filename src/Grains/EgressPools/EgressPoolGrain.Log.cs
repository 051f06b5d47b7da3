using Microsoft.Extensions.Logging;

namespace Angarium.Grains.EgressPools;

internal sealed partial class EgressPoolGrain
{
    [LoggerMessage(2401, LogLevel.Debug, "Pool {Pool} could not tell a site of its reports; the site finds out when it compares.")]
    private static partial void SiteNotTold(ILogger log, Exception error, string pool);

    [LoggerMessage(2403, LogLevel.Warning, "Pool {Pool} was taken over by another activation: this one ends.")]
    private static partial void Superseded(ILogger log, string pool);

    [LoggerMessage(2402, LogLevel.Warning, "Pool {Pool} could not make its list of workers durable; new workers get no orders until it can.")]
    private static partial void WorkersNotSaved(ILogger log, Exception error, string pool);

    [LoggerMessage(2404, LogLevel.Error, "Pool {Pool} failed in a tick.")]
    private static partial void TickFailed(ILogger log, Exception error, string pool);

    [LoggerMessage(2903, LogLevel.Warning, "Pool {Pool}: mail waits for it, and no egress process serves it.")]
    private static partial void Unserved(ILogger log, string pool);

    [LoggerMessage(2405, LogLevel.Warning, "Pool {Pool} could not be confirmed in the store for {Span}: this activation ends, so that another silo may take it.")]
    private static partial void Unconfirmed(ILogger log, string pool, TimeSpan span);
}
