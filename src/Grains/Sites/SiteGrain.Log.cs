using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Sites;

internal sealed partial class SiteGrain
{
    [LoggerMessage(2501, LogLevel.Warning, "Site {Site} is suspended until {Until}: {Remote} {Reply}")]
    private static partial void Suspended(ILogger log, string site, StoreTime until, string? remote, Reply? reply);

    [LoggerMessage(2502, LogLevel.Information, "Site {Site} answers again.")]
    private static partial void Recovered(ILogger log, string site);

    [LoggerMessage(2503, LogLevel.Debug, "Pool {Pool} could not be reached; what it declares decides which orders were placed.")]
    private static partial void PoolNotReached(ILogger log, Exception error, string pool);

    [LoggerMessage(2505, LogLevel.Warning, "Site {Site} was taken over by another activation: this one ends.")]
    private static partial void SupersededBy(ILogger log, string site);

    [LoggerMessage(2504, LogLevel.Debug, "Domain {Domain} could not be told of its site's state; it learns it with its next demand.")]
    private static partial void DomainNotTold(ILogger log, Exception error, string domain);
}
