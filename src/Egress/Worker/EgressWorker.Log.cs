using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Worker;

internal sealed partial class EgressWorker
{
    [LoggerMessage(4040, LogLevel.Error, "Session broke: site {Site}, domain {Domain}")]
    internal static partial void SessionBroke(ILogger logger, Exception e, string site, string domain);

    [LoggerMessage(4041, LogLevel.Information, "Egress ready: worker {Worker}, pool {Pool}")]
    private static partial void Heard(ILogger logger, string worker, string pool);

    [LoggerMessage(4883, LogLevel.Warning, "Pool {Pool} hears no poll of this process, which carries none of its mail: {Reason}")]
    private static partial void Unheard(ILogger logger, string pool, string reason);

    [LoggerMessage(4042, LogLevel.Warning, "No accepted poll for 20 s: {Sessions} sessions close between transactions")]
    private static partial void NotHeard(ILogger logger, int sessions);

    [LoggerMessage(4043, LogLevel.Debug, "Poll failed: {Reason}")]
    private static partial void PollFailed(ILogger logger, string reason);

    [LoggerMessage(4044, LogLevel.Information, "Egress drains: {Sessions} sessions")]
    private static partial void Draining(ILogger logger, int sessions);

    [LoggerMessage(4045, LogLevel.Information, "Egress ended: {Leases} leases unreported")]
    private static partial void Drained(ILogger logger, int leases);
}
