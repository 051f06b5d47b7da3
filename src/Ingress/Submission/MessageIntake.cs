using System.Buffers;
using System.Diagnostics;
using System.Text;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Intake;
using Angarium.Contracts.Telemetry;
using Angarium.Ingress.Content;
using Angarium.Ingress.Sessions;
using Angarium.Mail;
using Angarium.Mail.Content;
using Angarium.Mail.Status;
using Angarium.Mail.Trace;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Submission;

/// <summary>
/// Messages that came over HTTP, taken in as submission takes them: the tenant's quota, its domains, its signatures, one commit. Any thread. Process death anywhere in here: the client was
/// not answered and sends again.
/// </summary>
internal sealed partial class MessageIntake(
    ISettings<IngressOptions> settings, Submissions submissions, Policy.RelayPolicy policy, ISpoolWriter spool, Sessions.Admission admission, ConnectionRegistry registry, GatherBudget budget, IStoreClock clock,
    ILogger<MessageIntake> log) : IMessageIntake
{
    private static readonly Reply NoRoom = new(452, MailStatus.SystemFull, "Insufficient storage, try again later");
    private static readonly Reply SpoolDown = new(451, MailStatus.SystemTrouble, "Cannot store the message now, try again later");
    private static readonly Reply CannotSign = new(451, MailStatus.SystemTrouble, "Cannot sign the message now, try again later");

    public async ValueTask<IntakeLogin> LoginAsync(string key)
    {
        var verdict = await submissions.Logins.KeyAsync(key);
        return new IntakeLogin(verdict.Account, verdict.IsUnreachable);
    }

    public IDisposable? TryReserve(long octets) => budget.TryTakeMemory(octets) ? new Reservation(budget, octets) : null;

    public async ValueTask<IntakeAnswer> SubmitAsync(IntakeMessage message)
    {
        var account = (TenantAccount)message.Tenant;
        if (registry.IsDraining) return Refuse(ConnectionRegistry.ShuttingDown);
        if (admission.Refusal is { } busy) return Refuse(busy);
        if (Judge(message, account, out var domains) is { } unfit) return Refuse(unfit);

        using var submitted = new SubmittedContent();
        submitted.Append(message.Content.Span);
        var accepted = clock.Now;
        var (refusal, domain, added) = submitted.Finish(account.Facts, accepted.ToDateTimeOffset());
        if (refusal is not null) return Refuse(refusal);
        // Counted last: what is refused for what it is costs no quota.
        var (over, retryAfter) = await account.TakeAsync();
        if (over is not null) return new IntakeAnswer(over, retryAfter, []);
        if (await submissions.Signer.SignAsync(account, domain!, submitted.Prepare(domain!, added, accepted.ToDateTimeOffset()), message.ReversePath is not null) is not { } signed) return Refuse(CannotSign);
        return await CommitAsync(message, account, domains, accepted, signed, added);
    }

    private static IntakeAnswer Refuse(Reply reply) => new(reply, TimeSpan.Zero, []);

    private Reply? Judge(IntakeMessage message, TenantAccount account, out string[] domains)
    {
        domains = new string[message.Recipients.Count];
        var options = settings.Current;
        if (message.Content.Length > (account.Facts.MaxSize is > 0 and var own ? Math.Min(own, options.MaxSize) : options.MaxSize)) return ContentViolation.TooLarge.Reply();
        if (message.ReversePath is { } sender && account.Facts.Find(sender.QueueDomain.Value) is null) return SubmittedContent.NotYours(sender.QueueDomain.Value);
        // As DATA would be judged: bare line ends, lines that are too long, NUL.
        var scanner = new EndOfDataScanner(new ContentLimits { MaxOctets = options.MaxSize, MaxLine = options.MaxTextLine, MaxHeader = options.MaxHeader, MaxHops = options.MaxHops }, ContentFraming.Counted);
        var seen = new ArrayBufferWriter<byte>(message.Content.Length + 2);
        scanner.Scan(message.Content.Span, seen, out _);
        scanner.Finish(seen);
        if (scanner.Violation != ContentViolation.None) return scanner.Violation.Reply();
        var standing = new Policy.ClientStanding(false, account.Id, HasLoggedIn: true);
        for (var i = 0; i < domains.Length; i++)
        {
            var verdict = policy.Judge(standing, message.Recipients[i]);
            if (verdict.Refusal is { } refusal) return refusal;
            domains[i] = verdict.Domain;
        }

        return null;
    }

    private async ValueTask<IntakeAnswer> CommitAsync(IntakeMessage message, TenantAccount account, string[] domains, StoreTime accepted, SignedMessage signed, string added)
    {
        var trace = new ArrayBufferWriter<byte>(512);
        var idOffset = (int)Encoding.ASCII.GetBytes(signed.Fields, trace);
        idOffset += new ReceivedField
        {
            Hello = "http", Client = message.Client, Host = settings.Current.Hostname, Time = accepted.ToDateTimeOffset(), IsHttp = true, For = domains.Length == 1 ? message.Recipients[0].ToString() : null,
        }.Write(trace);
        Encoding.ASCII.GetBytes(added, trace);
        CommitReceipt receipt;
        try
        {
            // Never cancelled, not even when the client goes: the spool may hold on to the buffers until it answers.
            receipt = await spool.CommitAsync(new NewMessage
            {
                Envelope = new Envelope
                {
                    ReversePath = message.ReversePath?.ToString() ?? "", Body = Ascii.IsValid(message.Content.Span) ? BodyType.SevenBit : BodyType.EightBitMime,
                    SmtpUtf8 = message.Recipients.Append(message.ReversePath).Any(address => address is { IsAscii: false }), Tenant = account.Id, Class = message.Class, Accepted = accepted,
                    NotBefore = message.NotBefore is { } at ? StoreTime.FromDateTimeOffset(at) : default, NoticesAllowed = true, ReturnTag = signed.ReturnTag, Labels = message.Labels,
                    Recipients = [.. message.Recipients.Select(address => new EnvelopeRecipient(address.ToString()))],
                },
                Domains = domains, Trace = trace.WrittenMemory, IdOffset = idOffset, Content = message.Content,
            }, CancellationToken.None);
        }
        catch (Exception e)
        {
            CommitFailed(e, account.Id);
            receipt = new CommitReceipt(CommitStatus.Unavailable, default);
        }

        if (receipt.Status != CommitStatus.Committed) return Refuse(receipt.Status == CommitStatus.Full ? NoRoom : SpoolDown);
        IngressInstruments.Accepted.Inc();
        IngressInstruments.AcceptedRecipients.Inc(domains.Length);
        IngressInstruments.AcceptedBytes.Inc(message.Content.Length);
        // As the writer gives them: in the order of the domains, from the message's first.
        var keys = new RecipientKey[domains.Length];
        var ordinal = receipt.Id.First.Ordinal;
        foreach (var i in Enumerable.Range(0, domains.Length).OrderBy(i => domains[i], StringComparer.Ordinal)) keys[i] = receipt.Id.First with { Ordinal = ordinal++ };
        MessageTrace.Begin("accept", ActivityKind.Server, receipt.Id, clock.Now - accepted)
            ?.SetTag("angarium.tenant", account.Id).SetTag("angarium.recipients", domains.Length).SetTag("angarium.octets", message.Content.Length).SetTag("network.protocol.name", "http").Dispose();
        Accepted(receipt.Id.ToString(), message.ReversePath?.ToString() ?? "", domains.Length, message.Client, message.Content.Length, account.Id);
        return new IntakeAnswer(null, TimeSpan.Zero, keys);
    }

    private sealed class Reservation(GatherBudget budget, long octets) : IDisposable
    {
        private long _octets = octets;

        public void Dispose() => budget.ReturnMemory(Interlocked.Exchange(ref _octets, 0));
    }

    [LoggerMessage(3052, LogLevel.Information, "Accepted message={MessageId} sender={Sender} recipients={Recipients} remote={RemoteHost} octets={Octets} tenant={Tenant} over HTTP")]
    private partial void Accepted(string messageId, string sender, int recipients, System.Net.IPAddress remoteHost, int octets, string tenant);

    [LoggerMessage(3053, LogLevel.Error, "A message of tenant {Tenant} could not be stored and was refused for now")]
    private partial void CommitFailed(Exception exception, string tenant);
}
