using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Ledger;

public sealed partial class LedgerWriter
{
    [LoggerMessage(1030, LogLevel.Warning, "An append to {Stream} failed: its records go to a new stream")]
    private static partial void LogAppendFailed(ILogger logger, LedgerStream stream, Exception failure);

    [LoggerMessage(1031, LogLevel.Error, "The ledger cannot be written: nothing new is attempted until it can")]
    private static partial void LogUnhealthy(ILogger logger, Exception failure);

    [LoggerMessage(1032, LogLevel.Warning, "{Stream} is over but could not be sealed now")]
    private static partial void LogNotSealed(ILogger logger, LedgerStream stream, Exception failure);

    [LoggerMessage(1034, LogLevel.Warning, "{Stream} was ended by another silo or stayed empty: the ledger goes on as writer {Writer:x16}")]
    private static partial void LogNewWriter(ILogger logger, LedgerStream stream, ulong writer);

    [LoggerMessage(1033, LogLevel.Critical, "The ledger's own code failed")]
    private static partial void LogBroke(ILogger logger, Exception failure);
}
