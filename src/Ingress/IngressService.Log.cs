using Microsoft.Extensions.Logging;

namespace Angarium.Ingress;

internal sealed partial class IngressService
{
    [LoggerMessage(3030, LogLevel.Warning, "Shutdown: {Count} sessions were cut before their end")]
    private partial void Cut(int count);

    [LoggerMessage(3031, LogLevel.Error, "A changed file could not be taken over")]
    private partial void RefreshFailed(Exception exception);
}
