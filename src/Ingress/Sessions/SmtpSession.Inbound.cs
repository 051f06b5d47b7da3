using Angarium.Contracts.Inbound;
using Angarium.Ingress.Policy;
using Angarium.Mail;
using Angarium.Mail.Commands;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Sessions;

// Recipients of the domains that tenants take mail for: who is one is asked of the silos, in the transaction, so that no mail has to be sent back later (design, promise 9).
internal sealed partial class SmtpSession
{
    // RFC 3463 §3.5: directory server failure.
    private static readonly Reply CannotTell = new(451, new EnhancedStatus(4, 4, 3), "Cannot tell now whether this is a recipient here, try again later");
    private static readonly Reply DomainPaused = new(450, new EnhancedStatus(4, 2, 1), "This domain takes no mail at the moment");

    /// <summary>RFC 5321 §4.5.3.1.10: the client sends the message to the others in a transaction of their own.</summary>
    private static readonly Reply OfAnother = new(452, MailStatus.TooManyRecipients, "This recipient needs a transaction of its own");

    private RcptCommand? _rcpt;

    /// <summary>Whose mail the transaction is; of meaning once it has a recipient.</summary>
    private string _tenant = "";

    private async ValueTask RcptAsync()
    {
        var rcpt = _rcpt!;
        _rcpt = null;
        if (await RcptAsync(rcpt) == Step.Flush) await SlowFlushAsync();
    }

    private async ValueTask<Step> RcptAsync(RcptCommand rcpt)
    {
        var (address, domain) = (rcpt.Address!, rcpt.Address!.QueueDomain.Value);
        var verdict = await _server.Inbound.JudgeAsync(domain, address.Mailbox);
        if (verdict.IsUnreachable) return PostponeRecipient(CannotTell, Rejection.Admission);
        return verdict.Answer.Standing switch
        {
            InboundStanding.Accepted => Take(rcpt, address.ToString(), domain, verdict.Answer.Tenant),
            InboundStanding.Unknown => RefuseRecipient(RelayPolicy.NoSuchUser, Rejection.Recipient),
            InboundStanding.Paused => PostponeRecipient(DomainPaused, Rejection.Quota),
            _ => RefuseRecipient(RelayPolicy.RelayDenied, Rejection.Relay),
        };
    }

    private Step Take(RcptCommand rcpt, string address, string domain, string tenant)
    {
        // A message is one tenant's: its lane, its events.
        if (_recipients.Count > 0 && tenant != _tenant) return Postpone(OfAnother, Rejection.Limit);
        _tenant = tenant;
        _recipients.Add(new EnvelopeRecipient(address, rcpt.Notify, rcpt.OriginalRecipient));
        _domains.Add(domain);
        _state = SessionState.Recipients;
        Answer(RecipientOk);
        return Step.GoOn;
    }

    private Step PostponeRecipient(Reply reply, Rejection reason)
    {
        _refusedRecipients = true;
        return Postpone(reply, reason);
    }
}
