using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Worker;

internal sealed partial class DomainFeed
{
    private void SpoolUnreadable(EntryPlace place, string reason) => SpoolUnreadable(context.Logger, place, reason);

    private void EntryCorrupt(EntryPlace place, MessageId message) => EntryCorrupt(context.Logger, place, message);

    private void EntryOfAnother(EntryPlace place, MessageId message, string other) => EntryOfAnother(context.Logger, domain, place, message, other);

    private void ExchangeFailed(string domain, int number, int outcomes, string reason) => ExchangeFailed(context.Logger, domain, number, outcomes, reason);

    private void LeasesDropped(Exception? e, int count) => LeasesDropped(context.Logger, e, domain, count);

    [LoggerMessage(4020, LogLevel.Warning, "Spool not readable: entry {Place}: {Reason}")]
    private static partial void SpoolUnreadable(ILogger logger, EntryPlace place, string reason);

    [LoggerMessage(4021, LogLevel.Critical, "Stored message damaged: entry {Place}, message {MessageId}; deferred")]
    private static partial void EntryCorrupt(ILogger logger, EntryPlace place, MessageId messageId);

    [LoggerMessage(4024, LogLevel.Error, "Not carried: the queue of {Domain} granted entry {Place}, message {MessageId}, which is mail for {Other}")]
    private static partial void EntryOfAnother(ILogger logger, string domain, EntryPlace place, MessageId messageId, string other);

    [LoggerMessage(4022, LogLevel.Warning, "Exchange not answered: domain {Domain}, number {Number}, outcomes {Outcomes}: {Reason}; repeating")]
    private static partial void ExchangeFailed(ILogger logger, string domain, int number, int outcomes, string reason);

    [LoggerMessage(4023, LogLevel.Error, "Leases dropped: domain {Domain}, {Count} leases that a session neither reported nor returned")]
    private static partial void LeasesDropped(ILogger logger, Exception? e, string domain, int count);
}
