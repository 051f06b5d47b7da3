using Microsoft.Extensions.Logging;

namespace Angarium.Host.Serving;

/// <summary>What the process itself logs. Any thread.</summary>
internal static partial class ServeLog
{
    [LoggerMessage(5010, LogLevel.Information, "ready: {Listeners}; data in {Data}")]
    public static partial void Ready(ILogger logger, string listeners, string data);

    [LoggerMessage(5011, LogLevel.Warning, "nobody may relay here: neither Ingress:TrustedNetworks nor Ingress:Domains is set, so every recipient is refused")]
    public static partial void RelaysNothing(ILogger logger);
}
