using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Packs;

public sealed partial class PackWriter
{
    [LoggerMessage(1003, LogLevel.Error, "Writer {Writer:x16} has met a pack of its own name that it did not write: it ends, {Successor:x16} goes on")]
    private static partial void LogWriterEnded(ILogger logger, ulong writer, ulong successor);

    [LoggerMessage(1004, LogLevel.Error, "The recipients of pack {Pack} could not be handed over: the sweep will offer them")]
    private static partial void LogListenerBroke(ILogger logger, PackId pack, Exception failure);

    [LoggerMessage(1005, LogLevel.Error, "A pack could not be committed: its clients are told to come again")]
    private static partial void LogCommitBroke(ILogger logger, Exception failure);
}
