using Angarium.Ingress.Tls;
using Angarium.Mail;
using Angarium.Mail.Commands;
using Angarium.Mail.Content;
using Angarium.Mail.Replies;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Sessions;

// The handlers of commands: each is called only where the grammar allows it, answers, and says what the loop does next.
internal sealed partial class SmtpSession
{
    private static readonly byte[] SenderOk = ReplyWriter.Encode(new Reply(250, MailStatus.SenderOk, "Ok"));
    private static readonly byte[] RecipientOk = ReplyWriter.Encode(new Reply(250, MailStatus.RecipientOk, "Ok"));
    private static readonly byte[] Ok = ReplyWriter.Encode(new Reply(250, MailStatus.Ok, "Ok"));
    private static readonly byte[] Bye = ReplyWriter.Encode(new Reply(221, MailStatus.Ok, "Bye"));

    // RFC 5321 §3.5.3: neither confirmed nor denied; who is a recipient is told at RCPT alone.
    private static readonly byte[] CannotVerify = ReplyWriter.Encode(new Reply(252, MailStatus.Ok, "Cannot verify, but will take mail for those who are here"));
    private static readonly byte[] Help = ReplyWriter.Encode(new Reply(214, MailStatus.Ok, "This is a mail relay: RFC 5321"));
    private static readonly byte[] TlsReady = ReplyWriter.Encode(new Reply(220, MailStatus.Ok, "Ready to start TLS"));
    private static readonly Reply NoExpansion = new(502, MailStatus.InvalidCommand, "No lists are shown");
    private static readonly Reply TlsActive = new(503, MailStatus.InvalidCommand, "TLS is active already");
    private static readonly Reply TooManyMessages = new(421, new EnhancedStatus(4, 7, 0), "Too many messages in one connection, closing");
    private static readonly Reply TooManyRecipients = new(452, MailStatus.TooManyRecipients, "Too many recipients");
    private static readonly Reply NoRecipients = new(503, MailStatus.InvalidCommand, "Send RCPT first");
    private static readonly Reply NoValidRecipients = new(554, MailStatus.InvalidCommand, "No valid recipients");

    private MailCommand? _mail;
    private List<EnvelopeRecipient> _recipients = [];
    private List<string> _domains = [];
    private bool _refusedRecipients;

    /// <summary>STARTTLS is announced: there is a certificate, and TLS is not active yet.</summary>
    private bool OffersTls => _tls is null && _server.Certificate.Current is not null;

    private Step Handle(SmtpCommand command, GrammarRule rule)
    {
        var step = command switch
        {
            HelloCommand hello => Hello(hello),
            MailCommand mail => Mail(mail),
            RcptCommand rcpt => Rcpt(rcpt),
            AuthCommand auth => Auth(auth),
            BdatCommand => Step.Bdat,
            _ => command.Verb switch
            {
                SmtpVerb.Data => _recipients.Count > 0 ? Step.Data : Refuse(_refusedRecipients ? NoValidRecipients : NoRecipients, Rejection.Sequence),
                SmtpVerb.Rset => Reset(),
                SmtpVerb.Noop => Junk(Ok),
                SmtpVerb.Help => Junk(Help),
                SmtpVerb.Vrfy => Junk(CannotVerify),
                SmtpVerb.Expn => Refuse(NoExpansion, Rejection.Syntax),
                SmtpVerb.Quit => Quit(),
                SmtpVerb.StartTls => _tls is not null ? Refuse(TlsActive, Rejection.Sequence) : OffersTls ? Step.StartTls : Refuse(SmtpGrammar.NotOffered, Rejection.Syntax),
                _ => Refuse(SmtpGrammar.NotOffered, Rejection.Syntax),
            },
        };
        return step;
    }

    private Step Hello(HelloCommand hello)
    {
        // RFC 5321 §4.1.4: a second EHLO is an RSET too.
        EndTransaction();
        (_hello, _isExtended, _state) = (hello.Name, hello.IsExtended, SessionState.Greeted);
        if (hello.IsExtended) return Junk(_server.EhloReply(OffersTls, OffersAuth));
        Answer(new Reply(250, default, _server.Options.Hostname));
        return Step.GoOn;
    }

    private Step Mail(MailCommand mail)
    {
        if (_server.Registry.IsDraining)
        {
            EndWith(ConnectionRegistry.ShuttingDown, Rejection.Shutdown, lingers: false);
            return Step.Read;
        }

        var options = _server.Options;
        if (_messages >= options.MaxMessagesPerConnection && !_client.IsTrusted)
        {
            EndWith(TooManyMessages, Rejection.Limit, lingers: false);
            return Step.Read;
        }

        if (mail.NamesAuthor && !_facts.IsSubmission) return Refuse(CommandReplies.UnknownParameter, Rejection.Syntax);
        if (_account is { } account && account.Facts.Revocations != _revocations)
        {
            EndWith(LoginRevoked, Rejection.Login);
            return Step.Read;
        }

        if (_facts.IsSubmission && JudgeSender(mail) is { } unfit) return Refuse(unfit, Rejection.Sender);
        if (_server.Admission.Refusal is { } refusal) return Postpone(refusal, Rejection.Admission);
        // RFC 1870 §6.1.
        if (mail.Size > options.MaxSize) return Refuse(ContentViolation.TooLarge.Reply(), Rejection.Limit);
        _mail = mail;
        // Lists of their own for each message: the spool keeps them for as long as it likes.
        (_recipients, _domains, _refusedRecipients) = ([], [], false);
        _state = SessionState.Mail;
        if (_account is not null) return Step.Admit;
        Answer(SenderOk);
        return Step.GoOn;
    }

    private Step Rcpt(RcptCommand rcpt)
    {
        // RFC 5321 §4.5.3.1.10.
        var most = _account?.Facts.MaxRecipients is > 0 and var own ? Math.Min(own, _server.Options.MaxRecipients) : _server.Options.MaxRecipients;
        if (_recipients.Count >= most) return Postpone(TooManyRecipients, Rejection.Limit);
        if (rcpt.Address is { IsAscii: false } && !_mail!.SmtpUtf8) return RefuseRecipient(CommandReplies.NeedsSmtpUtf8, Rejection.Syntax);
        var verdict = _server.Policy.Judge(_client, rcpt.Address);
        if (verdict.MayBeInbound)
        {
            _rcpt = rcpt;
            return Step.Rcpt;
        }

        if (verdict.Refusal is { } refusal) return RefuseRecipient(refusal, ReferenceEquals(refusal, Policy.RelayPolicy.NoSuchUser) ? Rejection.Recipient : Rejection.Relay);
        return Take(rcpt, verdict.Address, verdict.Domain, _client.Tenant);
    }

    private Step RefuseRecipient(Reply reply, Rejection reason)
    {
        _refusedRecipients = true;
        return Refuse(reply, reason);
    }

    /// <summary>A refusal that is not the client's error.</summary>
    private Step Postpone(Reply reply, Rejection reason)
    {
        IngressInstruments.Rejected(reason).Inc();
        Answer(reply);
        return Step.GoOn;
    }

    private Step Reset()
    {
        EndTransaction();
        return Junk(Ok);
    }

    private Step Quit()
    {
        Answer(Bye);
        _isEnding = true;
        return Step.Read;
    }

    /// <summary>Commands that bring no message on are free up to a number; then each is an error.</summary>
    private Step Junk(ReadOnlySpan<byte> reply)
    {
        Answer(reply);
        if (++_junk <= FreeCommands || _client.IsTrusted || ++_errors <= _server.Options.MaxErrors) return Step.GoOn;
        EndWith(TooManyErrors, Rejection.Limit);
        return Step.Read;
    }

    private void EndTransaction()
    {
        _gatherer?.Dispose();
        _submitted?.Dispose();
        (_gatherer, _submitted) = (null, null);
        _mail = null;
        (_recipients, _domains) = ([], []);
        if (_state != SessionState.Start) _state = SessionState.Greeted;
    }

    /// <summary>RFC 3207 §4: after the handshake nothing is known of the client, and nothing that came before it counts.</summary>
    private async ValueTask StartTlsAsync()
    {
        // Octets behind STARTTLS were sent in the clear by who knows whom: they must not be read as commands that came through TLS.
        if (HasInput())
        {
            EndWith(Early, Rejection.Early);
            return;
        }

        Answer(TlsReady);
        await FlushAsync();
        if (_isEnding) return;
        EndTransaction();
        (_state, _hello, _isExtended) = (SessionState.Start, "", false);
        await AcceptTlsAsync();
    }

    private async ValueTask<bool> AcceptTlsAsync()
    {
        var options = _server.Certificate.Current;
        _watch.Progress();
        _watch.Wait(isIdle: true);
        var tls = options is null ? null : await TlsPipe.AcceptAsync(_pipe, options, CancellationToken.None);
        if (!_watch.Resume() || tls is null)
        {
            // There is no common language left to say why in.
            IngressInstruments.Rejected(Rejection.Tls).Inc();
            _isEnding = true;
            if (tls is not null) await tls.DisposeAsync();
            return false;
        }

        IngressInstruments.TlsHandshakes.Inc();
        (_tls, _pipe) = (tls, tls);
        _watch.Attach(tls);
        return true;
    }
}
