using System.Buffers;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Submission;
using Angarium.Mail;
using Angarium.Mail.Commands;
using Angarium.Mail.Content;
using Angarium.Mail.Replies;
using Angarium.Mail.Sasl;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Sessions;

// Message submission, RFC 6409: who logs in, as whom it may send, and what is done to its messages besides. Process death anywhere in here: the client saw no 250 and sends again.
internal sealed partial class SmtpSession
{
    /// <summary>Failed logins of one connection.</summary>
    private const int MaxFailedLogins = 5;

    private static readonly byte[] LoggedIn = ReplyWriter.Encode(new Reply(235, new EnhancedStatus(2, 7, 0), "Authentication succeeded"));
    private static readonly Reply NeedsTls = new(538, new EnhancedStatus(5, 7, 11), "Encryption required, send STARTTLS first");
    private static readonly Reply TlsFirst = new(530, new EnhancedStatus(5, 7, 0), "Send STARTTLS first");
    private static readonly Reply LogInFirst = new(530, new EnhancedStatus(5, 7, 0), "Authentication required");
    private static readonly Reply LoggedInAlready = new(503, MailStatus.InvalidCommand, "You have logged in already");
    private static readonly Reply LoginCancelled = new(501, new EnhancedStatus(5, 7, 0), "Authentication cancelled");
    private static readonly Reply TooManyLogins = new(421, new EnhancedStatus(4, 7, 0), "Too many failed logins, closing");
    private static readonly Reply LoginRevoked = new(421, new EnhancedStatus(4, 7, 0), "Credentials have changed, log in again");

    private TenantAccount? _account;

    /// <summary>The tenant's as of the login: with more of them the credential may be another's, or none any more.</summary>
    private long _revocations;

    private AuthCommand? _auth;
    private int _failedLogins;

    /// <summary>AUTH is announced: under TLS, to who has not logged in yet.</summary>
    private bool OffersAuth => _facts.IsSubmission && _tls is not null && _account is null;

    private Step Auth(AuthCommand auth)
    {
        if (!_facts.IsSubmission) return Refuse(SmtpGrammar.NotOffered, Rejection.Syntax);
        if (_tls is null) return Refuse(NeedsTls, Rejection.Login);
        if (_account is not null) return Refuse(LoggedInAlready, Rejection.Sequence);
        _auth = auth;
        return Step.Auth;
    }

    private async ValueTask AuthAsync()
    {
        var auth = _auth!;
        _auth = null;
        if (!_server.Submissions.Failures.MayTry(_watch.Client))
        {
            EndWith(LoginFailures.TooMany, Rejection.Login);
            return;
        }

        var dialog = new SaslDialog(_server.Submissions.Logins);
        var step = await dialog.BeginAsync(auth.Mechanism, auth.Initial);
        while (step.Challenge is { } challenge)
        {
            Answer(new Reply(334, default, Convert.ToBase64String(challenge)));
            if (await ReadResponseAsync() is not { } line) return;
            if (SaslLine.IsCancelled(line)) step = SaslStep.Refuse(LoginCancelled);
            else step = SaslLine.TryDecodeLine(line, out var response) ? await dialog.NextAsync(response) : SaslStep.Refuse(CommandReplies.BadBase64);
        }

        if (step.Account is { } account) await EnterAsync(account);
        else await LoginFailedAsync(step.Refusal!);
    }

    private async ValueTask EnterAsync(TenantAccount account)
    {
        // As of the check: what is revoked while the tenant is asked counts.
        _revocations = account.Facts.Revocations;
        if (!await account.TryEnterAsync())
        {
            EndWith(TenantAccount.TooManyConnections, Rejection.Quota);
            return;
        }

        (_account, _client) = (account, new ClientStanding(false, account.Id, HasLoggedIn: true));
        Answer(LoggedIn);
    }

    private async ValueTask LoginFailedAsync(Reply refusal)
    {
        if (ReferenceEquals(refusal, SaslDialog.Wrong))
        {
            LoginWrong(_facts.Remote.Address);
            await Task.Delay(_server.Submissions.Failures.Failed(_watch.Client), _server.Time);
            if (++_failedLogins >= MaxFailedLogins)
            {
                EndWith(TooManyLogins, Rejection.Login);
                return;
            }
        }

        if (refusal.Code / 100 == 4) Postpone(refusal, Rejection.Login);
        else Refuse(refusal, Rejection.Login);
    }

    /// <summary>One line of an exchange without its CRLF; null = the session is over, or the line was none.</summary>
    private async ValueTask<byte[]?> ReadResponseAsync()
    {
        for (var restart = true; await ReadAsync(restart) is { } read; restart = false)
        {
            var buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end).ToArray();
                _pipe.Input.AdvanceTo(buffer.GetPosition(1, end));
                if (line is [.. var text, (byte)'\r'] && text.Length <= SaslLine.Max) return text;
                Refuse(line.Length > SaslLine.Max ? CommandReplies.LineTooLong : BareLineFeed, Rejection.Syntax);
                return null;
            }

            if (buffer.Length > SaslLine.Max + 1)
            {
                // Its end may never come, and what follows must not be read as a command.
                _pipe.Input.AdvanceTo(buffer.End);
                EndWith(CommandReplies.LineTooLong, Rejection.Syntax);
                return null;
            }

            _pipe.Input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted) break;
        }

        _isEnding = true;
        return null;
    }

    /// <summary>Why this may not be the sender of a submission, or null.</summary>
    private Reply? JudgeSender(MailCommand mail)
    {
        if (_account is not { } account) return _tls is null ? TlsFirst : LogInFirst;
        if (account.Facts is { MaxSize: > 0 } facts && mail.Size > facts.MaxSize) return ContentViolation.TooLarge.Reply();
        // The null reverse-path is nobody's domain: who wrote the message is judged by its From field.
        return mail.ReversePath is { } sender && account.Facts.Find(sender.QueueDomain.Value) is null ? SubmittedContent.NotYours(sender.QueueDomain.Value) : null;
    }

    /// <summary>The last of what MAIL asks: whether the tenant's quota has room for one more.</summary>
    private async ValueTask AdmitAsync()
    {
        var (refusal, _) = await _account!.TakeAsync();
        if (refusal is null)
        {
            Answer(SenderOk);
            return;
        }

        EndTransaction();
        Postpone(refusal, Rejection.Quota);
    }
}
