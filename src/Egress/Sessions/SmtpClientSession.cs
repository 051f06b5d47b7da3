using System.Buffers;
using System.Globalization;
using System.Text;
using Angarium.Contracts.DomainQueues;
using Angarium.Egress.Routing;
using Angarium.Mail;
using Angarium.Mail.Content;
using Angarium.Spool.Packs;

namespace Angarium.Egress.Sessions;

/// <summary>
/// The client's side of RFC 5321 on one connection: opens it (greeting, EHLO, STARTTLS, AUTH), then carries transactions, pipelined from one to the next
/// where the peer offers it (RFC 2920 §3.1: content may open a group, so the final dot travels with the next MAIL, RCPT and DATA). One task at a time.
/// </summary>
internal sealed class SmtpClientSession(SmtpConnection connection, EgressOptions options, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    private PeerExtensions peer = PeerExtensions.None;
    private bool needsReset;
    private MailTransaction? current, next;

    public SmtpConnection Connection { get; } = connection;

    public PeerExtensions Peer => peer;

    /// <summary>Transactions that the peer has answered to their end, for good or ill.</summary>
    public int Completed { get; private set; }

    public void Dispose()
    {
        Connection.Dispose();
        current?.Dispose();
        next?.Dispose();
    }

    /// <summary>Greets the peer until it is ready for MAIL. <paramref name="stage"/> is where it stood when it failed.</summary>
    /// <exception cref="AttemptException">This host will not do.</exception>
    public async Task OpenAsync(string host, NextHop? hop, bool withoutTls, Action<AttemptStage> stage)
    {
        var policy = hop?.Tls ?? TlsPolicy.May;
        var authorities = hop?.AuthorityFile is { } file ? OfFile(HopFiles.ReadAuthorities, file) : null;
        if (hop is { ImplicitTls: true })
        {
            stage(AttemptStage.Tls);
            await Connection.StartTlsAsync(host, policy == TlsPolicy.Required, authorities, options.EhloTimeout);
        }

        stage(AttemptStage.Greeting);
        var greeting = await Connection.ReadReplyAsync(options.GreetingTimeout);
        if (greeting.Code != 220) throw new AttemptException(greeting);

        stage(AttemptStage.Ehlo);
        await HelloAsync();
        if (Connection.Tls is null && policy != TlsPolicy.None && peer.StartTls && !withoutTls)
        {
            stage(AttemptStage.Tls);
            var reply = await CommandAsync("STARTTLS\r\n"u8, options.EhloTimeout);
            if (reply.Code == 220)
            {
                await Connection.StartTlsAsync(host, policy == TlsPolicy.Required, authorities, options.EhloTimeout);
                // RFC 3207 §4.2: nothing learned before TLS survives it.
                peer = PeerExtensions.None;
                stage(AttemptStage.Ehlo);
                await HelloAsync();
            }
            else if (reply.Code == 421)
            {
                throw new AttemptException(reply);
            }
        }

        if (policy == TlsPolicy.Required && Connection.Tls is null)
        {
            stage(AttemptStage.Tls);
            throw new AttemptException(AttemptFault.TlsFailed, $"{Connection.Remote} does not offer the TLS that its route requires");
        }

        if (hop?.LoginFile is { } login)
        {
            stage(AttemptStage.Login);
            await LogInAsync(login);
        }
    }

    /// <summary>
    /// Carries what the feed has until it has nothing more (null), or the session must end: then the verdict that ended it. Every recipient taken
    /// from the feed has been reported when it returns, save those of a transaction that was asked for and not taken.
    /// </summary>
    public async Task<DeliveryVerdict?> CarryAsync(ITransactionFeed feed)
    {
        Task<MailTransaction?>? asked = null;
        current = null;
        var again = false;
        while (true)
        {
            if (current is null)
            {
                asked ??= feed.NextAsync();
                current = await asked;
                asked = null;
                if (current is null)
                {
                    // It was asked before the rest of the last message came back to the feed.
                    if (!again) return null;
                    again = false;
                    continue;
                }

                if (feed.IsStopped)
                {
                    // Taken while the last one was on the wire; its turn does not come.
                    Abandon(current, feed, DeliveryVerdict.Of(AttemptStage.Mail, AttemptFault.Stopping, "not tried: the session ends"));
                    current = null;
                    continue;
                }

                if (!IsFit(current, feed))
                {
                    current.Dispose();
                    current = null;
                    continue;
                }
            }

            next = null;
            var writing = false;
            try
            {
                if (peer.Pipelining) await ExchangeEnvelopeAsync(current, feed, () => writing = true, () => writing = false);
                else await SpellEnvelopeAsync(current, feed);
                if (current.Accepted.Count > 0)
                {
                    asked ??= feed.NextAsync();
                    writing = true;
                    await WriteContentAsync(current);
                    // Only what is ready this instant travels with the dot: nothing waits for it.
                    if (peer.Pipelining && !feed.IsStopped && asked.IsCompletedSuccessfully && asked.Result is { } ready && current.Later.Count == 0)
                    {
                        asked = null;
                        if (IsFit(ready, feed))
                        {
                            WriteEnvelope(ready);
                            ready.IsAnnounced = true;
                            next = ready;
                        }
                        else
                        {
                            ready.Dispose();
                        }
                    }

                    if (current.Held.HasEnded) throw new AttemptException(AttemptFault.LeaseEnded, "the lease ended");
                    current.Stage = AttemptStage.Dot;
                    Connection.IsAtDot = true;
                    await Connection.FlushAsync(options.BlockTimeout, HasEnded(current));
                    writing = false;
                    var reply = await Connection.ReadReplyAsync(options.DotTimeout);
                    (Connection.IsAtDot, Connection.ContentOctets) = (false, 0);
                    var verdict = DeliveryVerdict.Of(AttemptStage.Dot, reply);
                    if (verdict.EndsSession) throw new AttemptException(reply);
                    needsReset = false;
                    Settle(current, feed, verdict);
                }

                Completed++;
            }
            catch (AttemptException e)
            {
                var last = writing && e is { Fault: AttemptFault.Cut, Reply: null } ? await ReadLastWordsAsync(current.Stage) : null;
                var verdict = last is null ? e.At(current.Stage) : DeliveryVerdict.Of(current.Stage, last);
                if (Completed > 0) verdict = verdict.OnReusedSession(current.Stage);
                verdict = verdict with { EndsSession = true };
                Abandon(current, feed, verdict);
                // Announced, not tried.
                if (next is not null) Abandon(next, feed, verdict with { Kind = OutcomeKind.Returned, PossibleDuplicate = false });
                return verdict;
            }

            current.Dispose();
            again = current.Later.Count > 0;
            if (again) feed.Again(current, current.Later);
            current = next;
        }
    }

    /// <summary>Says goodbye, if the peer listens.</summary>
    public async Task QuitAsync()
    {
        try
        {
            await CommandAsync("QUIT\r\n"u8, options.QuitTimeout);
        }
        catch (AttemptException)
        {
            // It was the last word either way.
        }
    }

    private static Func<bool> HasEnded(MailTransaction transaction) => () => transaction.Held.HasEnded;

    private async Task HelloAsync()
    {
        var name = options.Hostname;
        Write("EHLO "u8, name);
        var reply = await CommandAsync("\r\n"u8, options.EhloTimeout);
        if (reply.IsPositive)
        {
            peer = PeerExtensions.Parse(reply.Text);
            return;
        }

        // RFC 5321 §3.2: an old server that does not know EHLO gets HELO.
        if (!reply.IsPermanent) throw new AttemptException(reply);
        Write("HELO "u8, name);
        reply = await CommandAsync("\r\n"u8, options.EhloTimeout);
        if (!reply.IsPositive) throw new AttemptException(reply);
        peer = PeerExtensions.None;
    }

    private async Task LogInAsync(string file)
    {
        if (!Connection.CertificateValidated) throw new AttemptException(AttemptFault.TlsFailed, $"{Connection.Remote}: no login without a validated certificate");
        var (user, password) = OfFile(HopFiles.ReadLogin, file);
        if (peer.AuthPlain)
        {
            // RFC 4616 §2.
            Write("AUTH PLAIN "u8, Encode($"\0{user}\0{password}"));
        }
        else if (peer.AuthLogin)
        {
            foreach (var word in (string[])["AUTH LOGIN", Encode(user)])
            {
                Write(default, word);
                var asks = await CommandAsync("\r\n"u8, options.EhloTimeout);
                if (asks.Code != 334) throw new AttemptException(asks);
            }

            Write(default, Encode(password));
        }
        else
        {
            throw new AttemptException(AttemptFault.TlsFailed, $"{Connection.Remote} offers neither AUTH PLAIN nor LOGIN");
        }

        var reply = await CommandAsync("\r\n"u8, options.EhloTimeout);
        if (reply.Code != 235) throw new AttemptException(reply);
    }

    private async ValueTask<Reply> CommandAsync(ReadOnlyMemory<byte> command, TimeSpan timeout)
    {
        Connection.Output.Write(command.Span);
        await Connection.FlushAsync(timeout);
        return await Connection.ReadReplyAsync(timeout);
    }

    private ValueTask<Reply> CommandAsync(ReadOnlySpan<byte> command, TimeSpan timeout)
    {
        Connection.Output.Write(command);
        return CommandAsync(ReadOnlyMemory<byte>.Empty, timeout);
    }

    /// <summary>What this peer cannot take fails here, without a word to it.</summary>
    private bool IsFit(MailTransaction transaction, ITransactionFeed feed)
    {
        var entry = transaction.Entry;
        var envelope = transaction.Envelope;
        transaction.Started = time.GetTimestamp();
        DeliveryVerdict? unfit =
            transaction.Held.HasEnded ? DeliveryVerdict.Of(AttemptStage.Mail, AttemptFault.LeaseEnded, "the lease ended")
            : !transaction.IsWellFormed ? DeliveryVerdict.Of(AttemptStage.Mail, AttemptFault.Corrupt, "")
            // RFC 1870 §6.
            : peer.MaxSize > 0 && entry.ContentLength > peer.MaxSize
                ? DeliveryVerdict.Unfit(VerdictScope.Message, 3, 4, string.Create(CultureInfo.InvariantCulture, $"the message has {entry.ContentLength} octets, {Connection.Remote} takes {peer.MaxSize}"))
            // RFC 6531 §3.5: to a peer without SMTPUTF8 neither addresses nor header may be other than ASCII.
            : !peer.SmtpUtf8 && (!Ascii.IsValid(transaction.ReversePath) || (envelope.SmtpUtf8 && entry.ContentIsEightBit))
                ? DeliveryVerdict.Unfit(VerdictScope.Message, 6, 7, $"{Connection.Remote} does not take internationalized mail (SMTPUTF8)")
            // RFC 6152 §3.
            : !peer.EightBitMime && entry.ContentIsEightBit
                ? DeliveryVerdict.Unfit(VerdictScope.Message, 6, 3, $"{Connection.Remote} does not take 8-bit content (8BITMIME)")
            : null;
        if (unfit is { } verdict)
        {
            feed.Report(transaction, transaction.Recipients, verdict);
            transaction.Recipients.Clear();
            return false;
        }

        if (!peer.SmtpUtf8)
        {
            var international = transaction.Recipients.FindAll(i => !Ascii.IsValid(envelope.Recipients[i].Address));
            if (international.Count > 0)
            {
                feed.Report(transaction, international, DeliveryVerdict.Unfit(VerdictScope.Recipient, 6, 7, $"{Connection.Remote} does not take internationalized addresses (SMTPUTF8)"));
                transaction.Recipients.RemoveAll(international.Contains);
            }
        }

        return transaction.Recipients.Count > 0;
    }

    /// <summary>MAIL, RCPT and DATA in one write, unless they went with the last dot; then their replies.</summary>
    private async ValueTask ExchangeEnvelopeAsync(MailTransaction transaction, ITransactionFeed feed, Action writing, Action written)
    {
        var reset = needsReset && !transaction.IsAnnounced;
        if (!transaction.IsAnnounced)
        {
            if (reset) Connection.Output.Write("RSET\r\n"u8);
            WriteEnvelope(transaction);
            writing();
            await Connection.FlushAsync(options.MailTimeout);
            written();
        }

        if (reset) await ReadResetAsync();
        var named = transaction.Recipients.ToArray();
        var mail = await Connection.ReadReplyAsync(options.MailTimeout);
        var taken = IsMailTaken(transaction, feed, mail);
        // Judged already when MAIL was refused: what follows only echoes it, but must be read.
        foreach (var recipient in named)
        {
            if (taken) transaction.Stage = AttemptStage.Rcpt;
            var reply = await Connection.ReadReplyAsync(options.RcptTimeout);
            if (reply.Code == 421) throw new AttemptException(reply);
            if (taken) TakeRecipient(transaction, feed, recipient, reply);
        }

        if (taken) transaction.Stage = AttemptStage.Data;
        var data = await Connection.ReadReplyAsync(options.DataTimeout);
        if (transaction.Accepted.Count > 0)
        {
            TakeData(transaction, feed, data);
        }
        else if (data.Code == 354)
        {
            // RFC 2920 §3.1: a server that takes DATA without a recipient is owed a dot, and nothing else.
            var reply = await CommandAsync(".\r\n"u8, options.DataTimeout);
            if (reply.Code == 421) throw new AttemptException(reply);
            needsReset = false;
        }
        else if (data.Code == 421)
        {
            throw new AttemptException(data);
        }
    }

    /// <summary>Command by command, for peers without PIPELINING.</summary>
    private async ValueTask SpellEnvelopeAsync(MailTransaction transaction, ITransactionFeed feed)
    {
        if (needsReset)
        {
            Connection.Output.Write("RSET\r\n"u8);
            await Connection.FlushAsync(options.MailTimeout);
            await ReadResetAsync();
        }

        WriteMail(transaction);
        await Connection.FlushAsync(options.MailTimeout);
        if (!IsMailTaken(transaction, feed, await Connection.ReadReplyAsync(options.MailTimeout))) return;
        foreach (var recipient in transaction.Recipients.ToArray())
        {
            transaction.Stage = AttemptStage.Rcpt;
            WriteRecipient(transaction, recipient);
            await Connection.FlushAsync(options.RcptTimeout);
            var reply = await Connection.ReadReplyAsync(options.RcptTimeout);
            if (reply.Code == 421) throw new AttemptException(reply);
            TakeRecipient(transaction, feed, recipient, reply);
        }

        if (transaction.Accepted.Count == 0) return;
        transaction.Stage = AttemptStage.Data;
        TakeData(transaction, feed, await CommandAsync("DATA\r\n"u8, options.DataTimeout));
    }

    private async ValueTask ReadResetAsync()
    {
        var reply = await Connection.ReadReplyAsync(options.MailTimeout);
        if (!reply.IsPositive) throw reply.Code == 421 ? new AttemptException(reply) : new AttemptException(AttemptFault.Nonsense, $"{Connection.Remote} answered {reply.Code} to RSET");
        needsReset = false;
    }

    private bool IsMailTaken(MailTransaction transaction, ITransactionFeed feed, Reply reply)
    {
        if (reply.IsPositive)
        {
            needsReset = true;
            return true;
        }

        var verdict = DeliveryVerdict.Of(AttemptStage.Mail, reply);
        if (verdict.EndsSession) throw new AttemptException(reply);
        Report(transaction, feed, transaction.Recipients.ToArray(), verdict);
        return false;
    }

    private static void TakeRecipient(MailTransaction transaction, ITransactionFeed feed, int recipient, Reply reply)
    {
        if (reply.IsPositive)
        {
            transaction.Accepted.Add(recipient);
            return;
        }

        var verdict = DeliveryVerdict.Of(AttemptStage.Rcpt, reply, othersAccepted: transaction.Accepted.Count > 0);
        if (verdict.EndsSession) throw new AttemptException(reply);
        if (verdict.NextTransaction)
        {
            transaction.Later.Add(recipient);
            transaction.Recipients.Remove(recipient);
        }
        else
        {
            Report(transaction, feed, [recipient], verdict);
        }
    }

    private static void TakeData(MailTransaction transaction, ITransactionFeed feed, Reply reply)
    {
        if (reply.Code == 354) return;
        var verdict = DeliveryVerdict.Of(AttemptStage.Data, reply);
        if (verdict.EndsSession) throw new AttemptException(reply);
        Report(transaction, feed, transaction.Accepted.ToArray(), verdict);
        transaction.Accepted.Clear();
        // The others of this message would hear the same.
        if (transaction.Later.Count > 0) Report(transaction, feed, transaction.Later.ToArray(), verdict);
        transaction.Later.Clear();
    }

    /// <summary>The content, dot-stuffed, with its final dot still unsent: that goes only when all of it was right (checksum) and in time (lease).</summary>
    private async ValueTask WriteContentAsync(MailTransaction transaction)
    {
        transaction.Stage = AttemptStage.Content;
        Connection.ContentOctets = transaction.Entry.ContentLength;
        var stuffer = new DotStuffer();
        var ended = HasEnded(transaction);
        while (true)
        {
            ReadOnlyMemory<byte> part;
            try
            {
                part = await transaction.Entry.ReadAsync(CancellationToken.None);
            }
            catch (InvalidDataException e)
            {
                throw new AttemptException(AttemptFault.Corrupt, "the stored message fails its checksum here", e);
            }
            catch (IOException e)
            {
                throw new AttemptException(AttemptFault.SpoolUnavailable, "the stored message could not be read here", e);
            }

            if (part.IsEmpty) break;
            while (!part.IsEmpty)
            {
                var piece = part[..Math.Min(part.Length, SmtpConnection.Window)];
                part = part[piece.Length..];
                try
                {
                    stuffer.Write(piece.Span, Connection.Output);
                }
                catch (InvalidDataException e)
                {
                    throw new AttemptException(AttemptFault.Corrupt, "the stored message has a bare CR or LF", e);
                }

                if (Connection.Unflushed >= SmtpConnection.Window) await Connection.FlushAsync(options.BlockTimeout, ended);
            }

            if (transaction.Held.HasEnded) throw new AttemptException(AttemptFault.LeaseEnded, "the lease ended");
        }

        try
        {
            stuffer.Finish(Connection.Output);
        }
        catch (InvalidDataException e)
        {
            throw new AttemptException(AttemptFault.Corrupt, "the stored message ends in a bare CR", e);
        }
    }

    private void Settle(MailTransaction transaction, ITransactionFeed feed, DeliveryVerdict verdict)
    {
        var accepted = transaction.Accepted.ToArray();
        if (verdict.Kind == OutcomeKind.Delivered && !peer.Dsn)
        {
            // RFC 3461 §5.2.2: the peer cannot tell of success, so the duty to say "relayed" stays with us.
            var owed = Array.FindAll(accepted, i => transaction.Envelope.Recipients[i].Notify.HasFlag(DsnNotify.Success));
            if (owed.Length > 0)
            {
                Report(transaction, feed, owed, verdict, owesRelayedNotice: true);
                accepted = Array.FindAll(accepted, i => !owed.Contains(i));
            }
        }

        if (accepted.Length > 0) Report(transaction, feed, accepted, verdict);
    }

    private static void Report(MailTransaction transaction, ITransactionFeed feed, int[] recipients, DeliveryVerdict verdict, bool owesRelayedNotice = false)
    {
        if (recipients.Length == 0) return;
        feed.Report(transaction, recipients, verdict, owesRelayedNotice);
        if (recipients.Length == transaction.Recipients.Count) transaction.Recipients.Clear();
        else transaction.Recipients.RemoveAll(recipients.Contains);
    }

    private static void Abandon(MailTransaction transaction, ITransactionFeed feed, DeliveryVerdict verdict)
    {
        // Those that were to have a transaction of their own have sent no dot.
        if (transaction.Later.Count > 0) feed.Report(transaction, transaction.Later, verdict with { Kind = OutcomeKind.Returned, PossibleDuplicate = false });
        if (transaction.Recipients.Count > 0) feed.Report(transaction, transaction.Recipients.ToArray(), verdict);
        transaction.Dispose();
    }

    /// <summary>A peer that refuses in mid-content says so and closes: its words are often still there when our write fails.</summary>
    private async ValueTask<Reply?> ReadLastWordsAsync(AttemptStage stage)
    {
        try
        {
            var reply = await Connection.ReadReplyAsync(LastWords);
            return reply.Code == 421 || stage == AttemptStage.Dot || (stage == AttemptStage.Content && (reply.IsTransient || reply.IsPermanent)) ? reply : null;
        }
        catch (AttemptException)
        {
            return null;
        }
    }

    private void WriteEnvelope(MailTransaction transaction)
    {
        WriteMail(transaction);
        foreach (var recipient in transaction.Recipients) WriteRecipient(transaction, recipient);
        Connection.Output.Write("DATA\r\n"u8);
    }

    private void WriteMail(MailTransaction transaction)
    {
        var envelope = transaction.Envelope;
        var output = Connection.Output;
        Write("MAIL FROM:<"u8, transaction.ReversePath);
        output.Write(">"u8);
        if (peer.Size)
        {
            output.Write(" SIZE="u8);
            var digits = output.GetSpan(20);
            transaction.Entry.ContentLength.TryFormat(digits, out var written, default, CultureInfo.InvariantCulture);
            output.Advance(written);
        }

        if (peer.EightBitMime && (transaction.Entry.ContentIsEightBit || envelope.Body == BodyType.EightBitMime)) output.Write(" BODY=8BITMIME"u8);
        if (peer.SmtpUtf8 && (envelope.SmtpUtf8 || !Ascii.IsValid(transaction.ReversePath) || transaction.Recipients.Exists(i => !Ascii.IsValid(envelope.Recipients[i].Address))))
        {
            output.Write(" SMTPUTF8"u8);
        }

        if (peer.Dsn)
        {
            if (envelope.Return != DsnReturn.Unspecified) output.Write(envelope.Return == DsnReturn.Full ? " RET=FULL"u8 : " RET=HDRS"u8);
            if (envelope.EnvelopeId is { } id) Write(" ENVID="u8, id);
        }

        output.Write("\r\n"u8);
    }

    private void WriteRecipient(MailTransaction transaction, int index)
    {
        var recipient = transaction.Envelope.Recipients[index];
        var output = Connection.Output;
        Write("RCPT TO:<"u8, recipient.Address);
        output.Write(">"u8);
        if (peer.Dsn)
        {
            if (recipient.Notify == DsnNotify.Never)
            {
                output.Write(" NOTIFY=NEVER"u8);
            }
            else if (recipient.Notify != DsnNotify.Unspecified)
            {
                var lead = " NOTIFY="u8;
                foreach (var wish in (ReadOnlySpan<DsnNotify>)[DsnNotify.Success, DsnNotify.Failure, DsnNotify.Delay])
                {
                    if (!recipient.Notify.HasFlag(wish)) continue;
                    output.Write(lead);
                    output.Write(wish switch { DsnNotify.Success => "SUCCESS"u8, DsnNotify.Failure => "FAILURE"u8, _ => "DELAY"u8 });
                    lead = ","u8;
                }
            }

            if (recipient.OriginalRecipient is { } original) Write(" ORCPT="u8, original);
        }

        output.Write("\r\n"u8);
    }

    private void Write(ReadOnlySpan<byte> command, string text)
    {
        Connection.Output.Write(command);
        Encoding.UTF8.GetBytes(text, Connection.Output);
    }

    private static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static T OfFile<T>(Func<string, T> read, string file)
    {
        try
        {
            return read(file);
        }
        catch (InvalidDataException e)
        {
            throw new AttemptException(AttemptFault.TlsFailed, e.Message, e);
        }
    }
}
