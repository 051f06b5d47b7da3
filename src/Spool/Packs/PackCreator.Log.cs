using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Packs;

internal sealed partial class PackCreator
{
    [LoggerMessage(1001, LogLevel.Warning, "Pack {Pack} could not be written, its fate is unknown: trying again")]
    private static partial void LogAttemptFailed(ILogger logger, PackName pack, Exception failure);

    [LoggerMessage(1002, LogLevel.Error, "Pack {Pack} could not be written for 20 s: its clients are told to come again")]
    private static partial void LogGivenUp(ILogger logger, PackName pack);
}
