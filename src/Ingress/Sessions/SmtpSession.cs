using System.Buffers;
using System.IO.Pipelines;
using Angarium.Ingress.Content;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Tls;
using Angarium.Mail;
using Angarium.Mail.Commands;
using Angarium.Mail.Content;
using Angarium.Mail.Replies;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Sessions;

/// <summary>
/// One SMTP connection from banner to close (RFC 5321): reads commands by <see cref="SmtpGrammar"/>, content by the scanner of Mail, and answers 250 to a message
/// only after the spool has it. Runs as one loop on the pool, never two steps at once; replies to a pipelined group leave in one flush. Nothing of it survives a
/// crash, and nothing needs to: what was answered 250 is in the spool.
/// This file holds the loop; the handlers of commands and of content are in the files beside it.
/// </summary>
internal sealed partial class SmtpSession : IAsyncDisposable
{
    /// <summary>Commands without a message, such as NOOP or RSET, that a client gets for nothing between messages.</summary>
    private const int FreeCommands = 100;

    /// <summary>Replies that may gather before they are sent although more commands are there.</summary>
    private const int MaxGathered = 128;

    /// <summary>Octets of a line that is too long which are skipped in search of its end.</summary>
    private const int MaxSkipped = 64 << 10;

    /// <summary>Octets of content that count as progress: less of it does not renew the client's time.</summary>
    private const int Progress = 4 << 10;

    private static readonly Reply Early = new(554, MailStatus.ProtocolTrouble, "Octets sent before it was your turn");
    private static readonly Reply BareLineFeed = new(500, MailStatus.SyntaxError, "Lines end with CRLF");
    private static readonly Reply TooSlow = new(421, MailStatus.BadConnection, "Timeout, closing");
    private static readonly Reply TooManyErrors = new(421, new EnhancedStatus(4, 7, 0), "Too many errors, closing");

    private readonly SmtpServer _server;
    private readonly ConnectionWatch _watch;
    private ClientStanding _client;
    private readonly ConnectionFacts _facts;
    private IDuplexPipe _pipe;
    private TlsPipe? _tls;
    private SessionState _state = SessionState.Start;
    private string _hello = "";
    private bool _isExtended, _isEnding, _lingers, _skipping;
    private int _errors, _junk, _messages, _gathered;
    private long _skipped;

    public SmtpSession(SmtpServer server, ConnectionWatch watch, ClientStanding client, ConnectionFacts facts, IDuplexPipe pipe) =>
        (_server, _watch, _client, _facts, _pipe) = (server, watch, client, facts, pipe);

    /// <summary>What the command loop is to do next.</summary>
    private enum Step : byte { GoOn, Read, Flush, Data, Bdat, StartTls, Auth, Admit, Rcpt }

    public async Task RunAsync()
    {
        _watch.Attach(_pipe);
        if (_facts.ImplicitTls && !await AcceptTlsAsync()) return;
        // RFC 5321 §4.3.1: the client waits for the greeting. One that does not is no mail server.
        if (HasInput()) EndWith(Early, Rejection.Early);
        else Answer(new Reply(220, default, $"{_server.Options.Hostname} ESMTP Angarium"));
        var restart = true;
        while (!_isEnding)
        {
            if (await ReadAsync(restart) is not { } read) break;
            var buffer = read.Buffer;
            var before = buffer.Length;
            var step = ReadCommands(ref buffer, out var bdat);
            restart = buffer.Length < before;
            _pipe.Input.AdvanceTo(buffer.Start, step == Step.Read ? buffer.End : buffer.Start);
            if (step == Step.Read && read.IsCompleted) break;
            switch (step)
            {
                case Step.Flush:
                    await SlowFlushAsync();
                    break;
                case Step.Data:
                    await DataAsync();
                    break;
                case Step.Bdat:
                    await BdatAsync(bdat!);
                    break;
                case Step.StartTls:
                    await StartTlsAsync();
                    break;
                case Step.Auth:
                    await AuthAsync();
                    break;
                case Step.Admit:
                    await AdmitAsync();
                    break;
                case Step.Rcpt:
                    await RcptAsync();
                    break;
            }
        }

        await FlushAsync();
        if (_lingers) await LingerAsync();
    }

    public async ValueTask DisposeAsync()
    {
        EndTransaction();
        _account?.Leave();
        if (_tls is not null) await _tls.DisposeAsync();
    }

    /// <summary>Carries out the commands that are there, up to one that has to wait for something.</summary>
    private Step ReadCommands(ref ReadOnlySequence<byte> buffer, out BdatCommand? bdat)
    {
        bdat = null;
        Span<byte> copy = stackalloc byte[SmtpCommandParser.MaxRcptLine];
        while (!_isEnding)
        {
            if (buffer.PositionOf((byte)'\n') is not { } end)
            {
                // The line is longer than any command may be: it is skipped to its end, as long as that comes.
                if (_skipping || buffer.Length > SmtpCommandParser.MaxRcptLine) Skip(ref buffer);
                return Step.Read;
            }

            var line = buffer.Slice(0, end);
            var length = line.Length;
            buffer = buffer.Slice(buffer.GetPosition(1, end));
            if (_skipping)
            {
                (_skipping, _skipped) = (false, 0);
                continue;
            }

            Step step;
            if (length >= SmtpCommandParser.MaxRcptLine) step = Refuse(CommandReplies.LineTooLong, Rejection.Syntax);
            else
            {
                scoped ReadOnlySpan<byte> text;
                if (line.IsSingleSegment) text = line.FirstSpan;
                else
                {
                    line.CopyTo(copy);
                    text = copy[..(int)length];
                }

                // RFC 5321 §2.3.8: a line ends with CRLF and nothing else.
                step = text is [.. var command, (byte)'\r'] ? Execute(command, !buffer.IsEmpty, out bdat) : Refuse(BareLineFeed, Rejection.Syntax);
            }

            if (step != Step.GoOn) return step;
            if (_gathered > MaxGathered) return Step.Flush;
        }

        return Step.Read;
    }

    private Step Execute(ReadOnlySpan<byte> line, bool hasMore, out BdatCommand? bdat)
    {
        bdat = null;
        var parsed = SmtpCommandParser.Parse(line);
        var rule = SmtpGrammar.For(parsed.Verb);
        // RFC 2920 §3.1; and a client that said HELO was never told that it may send more than one command.
        if (hasMore && (rule.IsLast || !_isExtended) && parsed.Verb != SmtpVerb.Quit)
        {
            EndWith(Early, Rejection.Early);
            return Step.Read;
        }

        bdat = parsed.Command as BdatCommand;
        if ((rule.Allowed & _state) == 0)
        {
            // Its octets follow all the same: they must not be read as commands.
            if (bdat is not null) return Step.Bdat;
            return Refuse(SmtpGrammar.OutOfOrder(rule, _state), Rejection.Sequence);
        }

        if (parsed.Refusal is { } refusal)
        {
            // RFC 3030 §2: how many octets follow a BDAT that cannot be read, nobody knows.
            if (parsed.Verb != SmtpVerb.Bdat) return Refuse(refusal, Rejection.Syntax);
            EndWith(refusal, Rejection.Syntax);
            return Step.Read;
        }

        return Handle(parsed.Command!, rule);
    }

    private void Skip(ref ReadOnlySequence<byte> buffer)
    {
        if (!_skipping) Refuse(CommandReplies.LineTooLong, Rejection.Syntax);
        _skipping = true;
        _skipped += buffer.Length;
        buffer = buffer.Slice(buffer.End);
        if (_skipped > MaxSkipped) EndWith(TooManyErrors, Rejection.Limit);
    }

    /// <summary>The next octets, after the gathered replies were sent; null = the session is over: the client is gone or was ended by the watch.</summary>
    private async ValueTask<ReadResult?> ReadAsync(bool restart, bool inContent = false)
    {
        // Here too, and not only where it waits: a client whose octets are always there before it is asked for them makes progress all the same.
        if (restart) _watch.Progress();
        if (_pipe.Input.TryRead(out var read))
        {
            if (!read.IsCanceled) return read.Buffer.IsEmpty && read.IsCompleted ? null : read;
            _pipe.Input.AdvanceTo(read.Buffer.Start);
        }

        var isIdle = !inContent && _state is SessionState.Start or SessionState.Greeted;
        while (true)
        {
            if (!_watch.Wait(isIdle)) return EndedByWatch();
            if (_gathered > 0)
            {
                _gathered = 0;
                if ((await _pipe.Output.FlushAsync()).IsCompleted)
                {
                    _watch.Resume();
                    return null;
                }
            }

            read = await _pipe.Input.ReadAsync();
            if (!_watch.Resume())
            {
                _pipe.Input.AdvanceTo(read.Buffer.Start);
                return EndedByWatch();
            }

            if (!read.IsCanceled) return read.Buffer.IsEmpty && read.IsCompleted ? null : read;
            _pipe.Input.AdvanceTo(read.Buffer.Start);
        }
    }

    private ReadResult? EndedByWatch()
    {
        var shutdown = _watch.End == SessionEnd.Shutdown;
        EndWith(shutdown ? ConnectionRegistry.ShuttingDown : TooSlow, shutdown ? Rejection.Shutdown : Rejection.Timeout, lingers: false);
        return null;
    }

    /// <summary>Whether the client has sent octets that nobody has asked for yet. They stay where they are.</summary>
    private bool HasInput()
    {
        if (!_pipe.Input.TryRead(out var read)) return false;
        var has = !read.Buffer.IsEmpty;
        _pipe.Input.AdvanceTo(read.Buffer.Start);
        return has;
    }

    /// <summary>Sends the gathered replies. A client that does not take them is ended by the watch, as one that does not talk; one that was ended already is cut by it.</summary>
    private async ValueTask FlushAsync()
    {
        _gathered = 0;
        _watch.Progress();
        var waits = _watch.Wait(isIdle: false);
        await _pipe.Output.FlushAsync();
        if (waits && !_watch.Resume() && !_isEnding) EndedByWatch();
    }

    /// <summary>Errors are answered late from the tenth on, and not at all after the twentieth; trusted clients are spared.</summary>
    private async ValueTask SlowFlushAsync()
    {
        if (_errors > _server.Options.SlowErrors && !_client.IsTrusted) await Task.Delay(_server.Options.SlowDelay, _server.Time);
        await FlushAsync();
    }

    private async ValueTask LingerAsync()
    {
        if (_facts.Linger <= TimeSpan.Zero) return;
        using var patience = new CancellationTokenSource(_facts.Linger, _server.Time);
        try
        {
            while (true)
            {
                var read = await _pipe.Input.ReadAsync(patience.Token);
                _pipe.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || read.IsCanceled) return;
            }
        }
        catch (OperationCanceledException)
        {
            // It had its time to read the reply.
        }
    }

    private void Answer(Reply reply)
    {
        ReplyWriter.Write(_pipe.Output, reply);
        _gathered++;
    }

    private void Answer(ReadOnlySpan<byte> encoded)
    {
        _pipe.Output.Write(encoded);
        _gathered++;
    }

    /// <summary>Answers an error, counts it, and ends the session when there were too many.</summary>
    private Step Refuse(Reply reply, Rejection reason)
    {
        IngressInstruments.Rejected(reason).Inc();
        _errors++;
        Answer(reply);
        if (_client.IsTrusted) return Step.GoOn;
        if (_errors > _server.Options.MaxErrors)
        {
            EndWith(TooManyErrors, Rejection.Limit);
            return Step.Read;
        }

        return _errors > _server.Options.SlowErrors ? Step.Flush : Step.GoOn;
    }

    /// <summary>Answers and ends the session.</summary>
    private void EndWith(Reply reply, Rejection reason, bool lingers = true)
    {
        IngressInstruments.Rejected(reason).Inc();
        Answer(reply);
        _isEnding = true;
        _lingers = lingers;
    }
}
