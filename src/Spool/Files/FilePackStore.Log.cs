using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Files;

internal sealed partial class FilePackStore
{
    [LoggerMessage(1020, LogLevel.Information, "Spool: {Packs} packs in {Segments} segments, of which {Scanned} had to be read through")]
    private static partial void LogLoaded(ILogger logger, int packs, long segments, int scanned);

    [LoggerMessage(1021, LogLevel.Critical, "Segment {Path} is damaged from {From} to {To}, before its last good pack: what lay there is skipped; run `angarium spool verify`")]
    private static partial void LogDamage(ILogger logger, string path, long from, long to);

    [LoggerMessage(1022, LogLevel.Information, "Segment {Path} ends in {Bytes} octets of a write that was never acknowledged")]
    private static partial void LogTorn(ILogger logger, string path, long bytes);

    [LoggerMessage(1023, LogLevel.Critical, "Segment {Path} cannot be read: the mail in it waits for the next start")]
    private static partial void LogUnreadable(ILogger logger, string path, Exception failure);

    [LoggerMessage(1024, LogLevel.Error, "Pack {Pack} could not be written; its segment is not touched again")]
    private static partial void LogAbandoned(ILogger logger, PackName pack, Exception failure);

    [LoggerMessage(1025, LogLevel.Error, "The disk is full: pack {Pack} was not written")]
    private static partial void LogFull(ILogger logger, PackName pack);

    [LoggerMessage(1026, LogLevel.Warning, "Segment {Path} could not be sealed: the next start reads it through")]
    private static partial void LogNotSealed(ILogger logger, string path, Exception failure);

    [LoggerMessage(1027, LogLevel.Warning, "The deletion of pack {Pack} could not be noted")]
    private static partial void LogNotDeleted(ILogger logger, PackName pack, Exception failure);

    [LoggerMessage(1028, LogLevel.Warning, "Segment {Path} could not be unlinked")]
    private static partial void LogNotUnlinked(ILogger logger, string path, Exception failure);
}
