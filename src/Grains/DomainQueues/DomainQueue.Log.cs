using Angarium.Contracts.Configuration;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.DomainQueues;

internal sealed partial class DomainQueue
{
    private void LogOutcome(LedgerRecord record, QueueEntry? entry, StoreTime born)
    {
        // The worker that made the attempt has logged a deferral already; here it changes nothing for good.
        if (record.Kind == LedgerKind.Deferred || !_log.IsEnabled(LogLevel.Information)) return;
        var recipient = Options.LogRecipients switch
        {
            LoggedRecipients.None => "",
            LoggedRecipients.Full when record.Summary is { } summary => summary.Recipient,
            LoggedRecipients.Full => record.Key.ToString(),
            _ => _domain,
        };
        var delay = born == default ? -1 : Math.Round((record.Time - born).TotalSeconds, 3);
        LogFinal(entry?.Message ?? record.Summary?.Message.First ?? record.Key, recipient, record.Kind, record.Attempt, record.Remote ?? "", record.Reply, record.Tls ?? "", delay);
    }

    [LoggerMessage(2001, LogLevel.Information, "{Outcome} message={MessageId} recipient={Recipient} attempt={Attempt} remote={RemoteHost} reply=\"{Reply}\" tls={Tls} delay={Delay}s", EventName = "Outcome")]
    private partial void LogFinal(RecipientKey messageId, string recipient, LedgerKind outcome, int attempt, string remoteHost, Reply? reply, string tls, double delay);

    [LoggerMessage(2002, LogLevel.Information, "Domain {Domain}: this activation ends: {Why}")]
    private partial void LogDeposed(string domain, string why);

    [LoggerMessage(2003, LogLevel.Error, "Domain {Domain}: an invariant of the queue broke; its mail is swept to a new activation")]
    private partial void LogBroken(string domain, Exception exception);

    [LoggerMessage(2004, LogLevel.Warning, "Domain {Domain}: the ledger took no record: {Error}")]
    private partial void LogLedgerFailed(string domain, string error);

    [LoggerMessage(2005, LogLevel.Warning, "Domain {Domain}: the queue index cannot be reached: {Error}")]
    private partial void LogIndexUnreachable(string domain, string error);

    [LoggerMessage(2006, LogLevel.Warning, "Domain {Domain}: the queue index is full; {Waiting} changes wait in memory")]
    private partial void LogIndexFull(string domain, int waiting);

    [LoggerMessage(2007, LogLevel.Warning, "Domain {Domain}: worker {Worker} let a lease of {Recipients} recipients in {Pack} end without a report")]
    private partial void LogLeaseLost(string domain, string worker, int recipients, PackName pack);

    [LoggerMessage(2008, LogLevel.Error, "Domain {Domain}: message {MessageId} is held: {Leases} leases in a row ended without a report; see `angarium queue show`")]
    private partial void LogWalking(string domain, RecipientKey messageId, int leases);

    [LoggerMessage(2009, LogLevel.Warning, "Domain {Domain}: message {MessageId} was not found in {Pack}; the sweep offers it again if it is anywhere")]
    private partial void LogNotFound(string domain, RecipientKey messageId, PackName pack);

    [LoggerMessage(2010, LogLevel.Warning, "Domain {Domain}: a notice about message {MessageId} could not be written and is tried again: {Error}")]
    private partial void LogNoticeFailed(string domain, RecipientKey messageId, string error);

    [LoggerMessage(2014, LogLevel.Critical, "Domain {Domain}: no notice about message {MessageId}: no pack holds it any more, so whether its sender may be told is unknown")]
    private partial void LogOriginalGone(string domain, RecipientKey messageId);

    [LoggerMessage(2011, LogLevel.Warning, "Domain {Domain}: its holds cannot be read, so nothing is granted: {Error}")]
    private partial void LogControlUnreadable(string domain, string error);

    [LoggerMessage(2013, LogLevel.Error, "Domain {Domain}: worker {Worker} reports an outcome of kind {Kind}, which this build does not know; run the build of the workers on the silos, too")]
    private partial void LogUnknownOutcome(string domain, string worker, int kind);

    [LoggerMessage(2012, LogLevel.Debug, "Domain {Domain}: its site could not be told of its demand: {Error}")]
    private partial void LogSiteUnreachable(string domain, string error);
}
