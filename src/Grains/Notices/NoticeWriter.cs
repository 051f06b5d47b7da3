using Angarium.Contracts.Configuration;
using Angarium.Grains.DomainQueues;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Notices;

/// <summary>
/// Decides who is owed a notice and commits it like any message. Any thread; no state: after a crash the owner asks again, and the Message-ID is the same.
/// </summary>
internal sealed partial class NoticeWriter(
    ISpoolReader reader, ISpoolWriter writer, IStoreClock clock, ISettings<NoticeOptions> options, ISettings<GrainsOptions> queues, ILogger<NoticeWriter> log) : INoticeWriter, IDisposable
{
    /// <summary>Notices that are made at a time: each holds a message's octets, and what all domains of a silo have to tell may come at once.</summary>
    private const int AtATime = 64;

    private readonly ILogger _log = log;
    private readonly SemaphoreSlim _turns = new(AtATime);

    public async Task<bool> WriteAsync(NoticeKind kind, EntryPlace place, IReadOnlyList<LedgerRecord> outcomes, CancellationToken cancellationToken)
    {
        if (outcomes.Count == 0) return false;
        await _turns.WaitAsync(cancellationToken);
        try
        {
            return await WriteOneAsync(kind, place, outcomes, cancellationToken);
        }
        finally
        {
            _turns.Release();
        }
    }

    private async Task<bool> WriteOneAsync(NoticeKind kind, EntryPlace place, IReadOnlyList<LedgerRecord> outcomes, CancellationToken cancellationToken)
    {
        var read = await reader.ReadEntryAsync(place, cancellationToken);
        using var entry = read.Value;
        // It may have moved: the owner asks again when it knows more.
        if (read.Status == SpoolReadStatus.NotFound || (read.Status == SpoolReadStatus.Found && entry is null)) throw new IOException($"there is no message at {place}");
        if (entry is null)
        {
            // The ledger's summary does not say whether a notice is allowed: rather none than one to a stranger (RFC 5321 §6.1).
            LogOriginalGone(kind, outcomes[0].Key, place.Pack, read.Status);
            return false;
        }

        var original = entry.Envelope;
        // RFC 5321 §4.5.5: never a notice about a notice.
        if (original.ReversePath.Length == 0 || !original.NoticesAllowed) return false;
        var told = Told(kind, entry, outcomes);
        if (told.Count == 0) return false;
        if (!MailAddress.TryParse(original.ReversePath, out var sender))
        {
            LogNoAddress(kind, told[0].Outcome.Key);
            return false;
        }

        var notice = new NoticeMessage
        {
            Kind = kind, Hostname = options.Current.Hostname, Now = clock.Now, Expire = queues.Current.RetryExpire, Sender = sender, Original = original, Told = told,
            Returned = await ReturnedContent.ReadAsync(entry, original.Return == DsnReturn.Full && kind is (NoticeKind.Failed or NoticeKind.Expired), cancellationToken),
        };
        var content = notice.Write();
        var receipt = await writer.CommitAsync(new NewMessage
        {
            Envelope = new Envelope
            {
                ReversePath = "", Recipients = [new EnvelopeRecipient(original.ReversePath)], Tenant = original.Tenant, NoticesAllowed = false, Accepted = notice.Now,
                SmtpUtf8 = notice.IsUtf8, Body = content.AsSpan().IndexOfAnyInRange((byte)0x80, (byte)0xFF) >= 0 ? BodyType.EightBitMime : BodyType.SevenBit,
            },
            Domains = [sender.QueueDomain.Value],
            Content = content,
        }, cancellationToken);
        if (receipt.Status != CommitStatus.Committed) throw new IOException($"the spool took no notice: {receipt.Status}");
        NoticeInstruments.Notices.WithLabels(NoticeMessage.Word(kind)).Inc();
        LogWritten(kind, receipt.Id, entry.Message, told.Count);
        return true;
    }

    public void Dispose() => _turns.Dispose();

    private static List<ToldRecipient> Told(NoticeKind kind, SpooledEntry entry, IReadOnlyList<LedgerRecord> outcomes)
    {
        var byKey = outcomes.GroupBy(o => o.Key).ToDictionary(g => g.Key, g => g.First());
        var told = new List<ToldRecipient>(outcomes.Count);
        for (var i = 0; i < entry.Keys.Count; i++)
            if (byKey.TryGetValue(entry.Keys[i], out var outcome) && IsOwed(kind, entry.Envelope.Recipients[i].Notify)) told.Add(new(entry.Envelope.Recipients[i], outcome));
        return told;
    }

    // RFC 3461 §4.1: without NOTIFY a failure is told; a success or a delay only when asked for.
    private static bool IsOwed(NoticeKind kind, DsnNotify notify) => (notify & DsnNotify.Never) == 0 && kind switch
    {
        NoticeKind.Relayed => (notify & DsnNotify.Success) != 0,
        NoticeKind.Delayed => (notify & DsnNotify.Delay) != 0,
        _ => notify == DsnNotify.Unspecified || (notify & DsnNotify.Failure) != 0,
    };
}

/// <summary>A recipient that a notice tells of, and what became of it.</summary>
internal readonly record struct ToldRecipient(EnvelopeRecipient Recipient, LedgerRecord Outcome);
