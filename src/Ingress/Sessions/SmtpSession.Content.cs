using System.Buffers;
using System.Diagnostics;
using System.Text;
using Angarium.Contracts.Telemetry;
using Angarium.Ingress.Content;
using Angarium.Ingress.Submission;
using Angarium.Mail;
using Angarium.Mail.Commands;
using Angarium.Mail.Content;
using Angarium.Mail.Replies;
using Angarium.Mail.Status;
using Angarium.Mail.Trace;
using Angarium.Spool.Packs;

namespace Angarium.Ingress.Sessions;

// The content of a message, by DATA or by BDAT, and its commit. Process death anywhere in here: the client saw no 250 and sends again (RFC 1047).
internal sealed partial class SmtpSession
{
    /// <summary>Octets of content too large that are still read, so that the refusal can be given in step; beyond, the connection closes.</summary>
    private const long Patience = 1 << 20;

    private static readonly byte[] SendContent = ReplyWriter.Encode(new Reply(354, default, "End data with <CR><LF>.<CR><LF>"));
    private static readonly byte[] ChunkOk = ReplyWriter.Encode(new Reply(250, MailStatus.Ok, "Chunk received"));
    private static readonly Reply NoRoom = new(452, MailStatus.SystemFull, "Insufficient storage, try again later");
    private static readonly Reply CannotSign = new(451, MailStatus.SystemTrouble, "Cannot sign the message now, try again later");
    private static readonly Reply SpoolDown = new(451, MailStatus.SystemTrouble, "Cannot store the message now, try again later");

    private readonly ArrayBufferWriter<byte> _trace = new(512);
    private ContentGatherer? _gatherer;
    private SubmittedContent? _submitted;
    private EndOfDataScanner? _scanner;
    private bool _isFull;

    private async ValueTask DataAsync()
    {
        if (!BeginContent(ContentFraming.Dots, _mail!.Size ?? 0))
        {
            Postpone(NoRoom, Rejection.Storage);
            return;
        }

        // RFC 5321 §4.1.1.4: content follows 354, not DATA.
        if (HasInput())
        {
            EndWith(Early, Rejection.Early);
            return;
        }

        Answer(SendContent);
        await FlushAsync();
        if (_isEnding) return;
        var progress = ScanProgress.NeedMore;
        var pace = new Pace();
        while (progress == ScanProgress.NeedMore)
        {
            if (await ReadAsync(pace.IsDue(), inContent: true) is not { } read)
            {
                _isEnding = true;
                return;
            }

            (progress, var consumed) = await TakeAsync(read.Buffer);
            pace.Count(consumed);
            _pipe.Input.AdvanceTo(read.Buffer.GetPosition(consumed), progress == ScanProgress.NeedMore ? read.Buffer.End : read.Buffer.GetPosition(consumed));
            if (IsHopeless()) return;
        }

        if (progress == ScanProgress.Broken) EndWith(_scanner!.Violation.Reply(), Rejection.Content);
        else await FinishAsync();
    }

    /// <summary>One chunk, RFC 3030 §2. Its octets are taken whatever the answer: they must never be read as commands.</summary>
    private async ValueTask BdatAsync(BdatCommand bdat)
    {
        var refusal = BeginChunk(bdat, out var reason);
        if (bdat.Size > _server.ContentLimits.MaxOctets + Patience)
        {
            EndWith(ContentViolation.TooLarge.Reply(), Rejection.Limit);
            return;
        }

        var progress = ScanProgress.NeedMore;
        var pace = new Pace();
        for (var remaining = bdat.Size; remaining > 0;)
        {
            if (await ReadAsync(pace.IsDue(), inContent: true) is not { } read)
            {
                _isEnding = true;
                return;
            }

            var chunk = read.Buffer.Slice(0, Math.Min(remaining, read.Buffer.Length));
            if (refusal is null && progress == ScanProgress.NeedMore) (progress, _) = await TakeAsync(chunk);
            remaining -= chunk.Length;
            pace.Count(chunk.Length);
            _pipe.Input.AdvanceTo(chunk.End);
            if (refusal is null && IsHopeless()) return;
        }

        if (refusal is not null)
        {
            if (reason == Rejection.Storage) Postpone(refusal, reason);
            else Refuse(refusal, reason);
        }
        else if (progress == ScanProgress.Broken) EndWith(_scanner!.Violation.Reply(), Rejection.Content);
        else if (!bdat.IsLast)
        {
            _state = SessionState.Chunks;
            // What is wrong already is said at once: the client need not send the rest.
            if (_scanner!.Violation != ContentViolation.None || _isFull) await FinishAsync();
            else Answer(ChunkOk);
        }
        else
        {
            // Room for the CRLF that may be missing at the end.
            if (!_isFull && !await _gatherer!.MakeRoomAsync(2, CancellationToken.None)) Overflow();
            _scanner!.Finish(_gatherer!);
            if (_scanner.Violation.BreaksFraming()) EndWith(_scanner.Violation.Reply(), Rejection.Content);
            else await FinishAsync();
        }
    }

    /// <summary>Why this chunk is refused, or null: it is taken.</summary>
    private Reply? BeginChunk(BdatCommand bdat, out Rejection reason)
    {
        var rule = SmtpGrammar.For(SmtpVerb.Bdat);
        reason = Rejection.Sequence;
        if ((rule.Allowed & _state) == 0) return SmtpGrammar.OutOfOrder(rule, _state);
        if (_recipients.Count == 0) return _refusedRecipients ? NoValidRecipients : NoRecipients;
        if (_state == SessionState.Chunks || BeginContent(ContentFraming.Counted, Math.Max(_mail!.Size ?? 0, bdat.Size))) return null;
        reason = Rejection.Storage;
        EndTransaction();
        return NoRoom;
    }

    private bool BeginContent(ContentFraming framing, long expected)
    {
        _submitted = _account is null ? null : new SubmittedContent();
        _gatherer = ContentGatherer.TryCreate(_server.Budget, _server.Scratch, expected, _submitted is null ? null : _submitted.Append);
        if (_gatherer is null) return false;
        _scanner = new EndOfDataScanner(_server.ContentLimits, framing);
        _isFull = false;
        return true;
    }

    /// <summary>Scans what is there into the gatherer; says how far the content went.</summary>
    private async ValueTask<(ScanProgress Progress, long Consumed)> TakeAsync(ReadOnlySequence<byte> buffer)
    {
        var total = 0L;
        foreach (var segment in buffer)
        {
            for (var rest = segment; !rest.IsEmpty;)
            {
                var part = rest.Length > ContentGatherer.Window ? rest[..ContentGatherer.Window] : rest;
                if (!await _gatherer!.MakeRoomAsync(part.Length, CancellationToken.None)) Overflow();
                var progress = _scanner!.Scan(part.Span, _gatherer, out var consumed);
                total += consumed;
                if (progress != ScanProgress.NeedMore) return (progress, total);
                rest = rest[part.Length..];
            }
        }

        return (ScanProgress.NeedMore, total);
    }

    /// <summary>Memory and disk are taken: the rest is read to its end and dropped.</summary>
    private void Overflow()
    {
        _isFull = true;
        _gatherer!.Discard();
    }

    /// <summary>Whether the content has outgrown the limit by so much that waiting for its end serves nobody.</summary>
    private bool IsHopeless()
    {
        if (_scanner!.Octets <= _server.ContentLimits.MaxOctets + Patience) return false;
        EndWith(ContentViolation.TooLarge.Reply(), Rejection.Limit);
        return true;
    }

    /// <summary>The end of the content was seen: refuses it or commits it.</summary>
    private async ValueTask FinishAsync()
    {
        if (_scanner!.Violation is not ContentViolation.None and var violation)
            Refuse(violation.Reply(), violation switch { ContentViolation.Loop => Rejection.Loop, ContentViolation.TooLarge => Rejection.Limit, _ => Rejection.Content });
        else if (_isFull || !await _gatherer!.CompleteAsync(CancellationToken.None)) Postpone(NoRoom, Rejection.Storage);
        else await CommitAsync(_gatherer);
        EndTransaction();
    }

    private async ValueTask CommitAsync(ContentGatherer content)
    {
        var began = _server.Time.GetTimestamp();
        var accepted = _server.Clock.Now;
        var (signed, added) = (new SignedMessage("", null), "");
        if (_submitted is { } submitted)
        {
            (var refusal, var domain, added) = submitted.Finish(_account!.Facts, accepted.ToDateTimeOffset());
            if (refusal is not null)
            {
                Refuse(refusal, Rejection.Sender);
                return;
            }

            if (await _server.Submissions.Signer.SignAsync(_account, domain!, submitted.Prepare(domain!, added, accepted.ToDateTimeOffset()), _mail!.ReversePath is not null) is not { } made)
            {
                Postpone(CannotSign, Rejection.Storage);
                return;
            }

            signed = made;
        }

        var message = BuildMessage(content, accepted, signed, added);
        CommitReceipt receipt;
        try
        {
            // Never cancelled, not even when the client goes: the spool may hold on to the buffers until it answers.
            receipt = await _server.Spool.CommitAsync(message, CancellationToken.None);
        }
        catch (Exception e)
        {
            CommitFailed(e, _facts.Remote.Address);
            receipt = new CommitReceipt(CommitStatus.Unavailable, default);
        }

        switch (receipt.Status)
        {
            case CommitStatus.Committed:
                Accepted(receipt.Id, message, _server.Time.GetElapsedTime(began));
                break;
            case CommitStatus.Full:
                Postpone(NoRoom, Rejection.Storage);
                break;
            default:
                Postpone(SpoolDown, Rejection.Storage);
                break;
        }
    }

    private void Accepted(MessageId id, NewMessage message, TimeSpan elapsed)
    {
        var text = id.ToString();
        Answer(new Reply(250, MailStatus.Ok, "Ok: queued as " + text));
        _messages++;
        _errors = _junk = 0;
        IngressInstruments.Accepted.Inc();
        IngressInstruments.AcceptedRecipients.Inc(message.Domains.Count);
        IngressInstruments.AcceptedBytes.Inc(message.ContentLength);
        IngressInstruments.Commit.Observe(elapsed.TotalSeconds);
        MessageTrace.Begin("accept", ActivityKind.Server, id, elapsed)
            ?.SetTag("angarium.tenant", _tenant).SetTag("angarium.recipients", message.Domains.Count).SetTag("angarium.octets", message.ContentLength).SetTag("network.protocol.name", "smtp").Dispose();
        MessageAccepted(text, message, elapsed.TotalSeconds);
    }

    private NewMessage BuildMessage(ContentGatherer content, StoreTime accepted, SignedMessage signed, string added)
    {
        var mail = _mail!;
        _trace.ResetWrittenCount();
        var idOffset = (int)Encoding.ASCII.GetBytes(signed.Fields, _trace) + new ReceivedField
        {
            Hello = _hello,
            Client = _facts.Remote.Address,
            Host = _server.Options.Hostname,
            Time = accepted.ToDateTimeOffset(),
            IsExtended = _isExtended,
            IsTls = _tls is not null,
            IsAuthenticated = _account is not null,
            IsSmtpUtf8 = mail.SmtpUtf8,
            Tls = _tls is null ? null : $"{_tls.Protocol} {_tls.Cipher}",
            For = _recipients.Count == 1 ? _recipients[0].Address : null,
        }.Write(_trace);
        Encoding.ASCII.GetBytes(added, _trace);
        return new NewMessage
        {
            Envelope = new Envelope
            {
                ReversePath = mail.ReversePath?.ToString() ?? "",
                Body = mail.Body,
                SmtpUtf8 = mail.SmtpUtf8,
                Return = mail.Return,
                EnvelopeId = mail.EnvelopeId,
                Tenant = _tenant,
                Accepted = accepted,
                NoticesAllowed = _client.MayRelay,
                ReturnTag = signed.ReturnTag,
                Recipients = _recipients,
            },
            Domains = _domains,
            Trace = _trace.WrittenMemory,
            IdOffset = idOffset,
            Content = content.Content,
            Scratch = content.Scratch,
        };
    }

    /// <summary>A client's time is renewed when enough octets came, not with each: else one octet a minute would hold a connection for ever.</summary>
    private struct Pace()
    {
        private long _octets = Progress;

        public void Count(long octets) => _octets += octets;

        public bool IsDue()
        {
            if (_octets < Progress) return false;
            _octets = 0;
            return true;
        }
    }
}
