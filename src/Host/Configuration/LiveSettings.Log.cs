using Microsoft.Extensions.Logging;

namespace Angarium.Host.Configuration;

internal sealed partial class LiveSettings
{
    [LoggerMessage(5001, LogLevel.Information, "settings taken over: {Settings}")]
    private static partial void LogTaken(ILogger logger, string settings);

    [LoggerMessage(5002, LogLevel.Warning, "settings changed that need a restart; the old values stay in force: {Settings}")]
    private static partial void LogNeedsRestart(ILogger logger, string settings);

    [LoggerMessage(5003, LogLevel.Error, "settings not taken over, the old ones stay in force; {Count} mistakes: {Mistakes}")]
    private static partial void LogRefused(ILogger logger, int count, string mistakes);
}
