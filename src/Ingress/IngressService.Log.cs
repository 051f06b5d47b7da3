using Microsoft.Extensions.Logging;

namespace Angarium.Ingress;

internal sealed partial class IngressService
{
    [LoggerMessage(3030, LogLevel.Warning, "Shutdown: {Count} sessions were cut before their end")]
    private partial void Cut(int count);

    [LoggerMessage(3031, LogLevel.Error, "The look for sessions that wait too long, or for changed files, failed")]
    private partial void TickFailed(Exception exception);
}
