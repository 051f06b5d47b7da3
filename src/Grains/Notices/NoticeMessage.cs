using System.Globalization;
using System.Text;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Mail.Status;
using Angarium.Spool.Ledger;
using MimeKit;

namespace Angarium.Grains.Notices;

/// <summary>One delivery status notification, RFC 3464 in the frame of RFC 6522, internationalized by RFC 6533. Built and written within one call; pure.</summary>
internal sealed record NoticeMessage
{
    private const int MaxField = 900;

    public required NoticeKind Kind { get; init; }
    public required string Hostname { get; init; }
    public required StoreTime Now { get; init; }
    public required TimeSpan Expire { get; init; }
    public required MailAddress Sender { get; init; }
    public required Envelope Original { get; init; }
    public required IReadOnlyList<ToldRecipient> Told { get; init; }
    public required ReturnedContent? Returned { get; init; }

    /// <summary>Addresses that need SMTPUTF8 make the notice need it too (RFC 6533 §4); so does a returned header section in UTF-8.</summary>
    public bool IsUtf8 => !Sender.IsAscii || Told.Any(t => !Ascii.IsValid(t.Recipient.Address))
        || (Original.SmtpUtf8 && Returned is { } returned && !Ascii.IsValid(returned.Octets.AsSpan(0, HeaderLength(returned.Octets))));

    public static string Word(NoticeKind kind) => kind switch
    {
        NoticeKind.Failed => "failed", NoticeKind.Expired => "expired", NoticeKind.Relayed => "relayed", _ => "delayed",
    };

    public byte[] Write()
    {
        var utf8 = IsUtf8;
        var report = new Multipart("report");
        report.ContentType.Parameters.Add("report-type", "delivery-status");
        report.Add(Part("text", "plain", Encode(Text(), utf8), utf8 ? "utf-8" : "us-ascii"));
        report.Add(Part("message", utf8 ? "global-delivery-status" : "delivery-status", Encode(Fields(utf8), utf8), null));
        if (Returned is { } returned)
        {
            var type = returned.IsFull ? (utf8 ? "global" : "rfc822") : utf8 ? "global-headers" : "rfc822-headers";
            // A header section with stray octets must not make the notice undeliverable; a whole message goes back as it was.
            var octets = returned.IsFull || utf8 ? returned.Octets : Array.ConvertAll(returned.Octets, o => o > 0x7F ? (byte)'?' : o);
            report.Add(Part(returned.IsFull || utf8 ? "message" : "text", type, octets, null));
        }

        // RFC 2045 §6.4: a multipart is at least what its parts are.
        if (report.OfType<MimePart>().Any(p => p.ContentTransferEncoding == ContentEncoding.EightBit)) report.Headers.Add(HeaderId.ContentTransferEncoding, "8bit");
        var message = new MimeMessage
        {
            Subject = Kind switch
            {
                NoticeKind.Failed => "Undelivered mail returned to sender", NoticeKind.Expired => "Undelivered mail: given up after repeated attempts",
                NoticeKind.Relayed => "Mail relayed to the next system", _ => "Mail delayed, still being tried",
            },
            Date = Now.ToDateTimeOffset(), MessageId = $"notice.{Word(Kind)}.{Told[0].Outcome.Key}@{Hostname}", Body = report,
        };
        message.From.Add(new MailboxAddress("Mail Delivery System", "MAILER-DAEMON@" + Hostname));
        message.To.Add(new MailboxAddress("", Original.ReversePath));
        message.Headers.Add(HeaderId.AutoSubmitted, "auto-replied");
        var format = FormatOptions.Default.Clone();
        format.NewLineFormat = NewLineFormat.Dos;
        format.International = utf8;
        using var octetsOut = new MemoryStream();
        message.WriteTo(format, octetsOut);
        return octetsOut.ToArray();
    }

    private static MimePart Part(string type, string subtype, byte[] octets, string? charset)
    {
        var part = new MimePart(type, subtype) { Content = new MimeContent(new MemoryStream(octets)) };
        if (charset is not null) part.ContentType.Charset = charset;
        if (!Ascii.IsValid(octets)) part.ContentTransferEncoding = ContentEncoding.EightBit;
        return part;
    }

    private string Text()
    {
        var text = new StringBuilder($"This is the mail system at {Hostname}.\r\n\r\n").Append(Kind switch
        {
            NoticeKind.Failed => "Your message could not be delivered to the recipients below.\r\nIt will not be tried again for them.",
            NoticeKind.Expired => "Your message could not be delivered to the recipients below in the\r\ntime allowed. It will not be tried again for them.",
            NoticeKind.Relayed => "Your message was handed to the next mail system for the recipients below.\r\nThat system sends no delivery notices, so you may hear nothing more.",
            _ => "Your message has not yet been delivered to the recipients below. This is\r\na warning only: you need not send it again. It will be tried further.",
        }).Append("\r\n\r\n");
        foreach (var (recipient, outcome) in Told)
        {
            text.Append('<').Append(Clean(recipient.Address)).Append(">\r\n");
            if (outcome.Reply is not { } reply) continue;
            text.Append(outcome.Own || outcome.Remote is null ? "    reason: " : $"    {Clean(outcome.Remote)} said: ").Append(Clean(reply.ToString())).Append("\r\n");
        }

        if (Kind == NoticeKind.Delayed) text.Append("\r\nIt will be tried until ").Append(Date(Original.Accepted + Expire)).Append(".\r\n");
        return text.ToString();
    }

    private string Fields(bool utf8)
    {
        var fields = new StringBuilder();
        Field("Reporting-MTA", "dns; " + Hostname);
        // RFC 3464 §2.2.1: what was meant, not the xtext.
        if (Original.EnvelopeId is { } id && Xtext.Decode(id) is { } envelopeId) Field("Original-Envelope-Id", envelopeId);
        Field("Arrival-Date", Date(Original.Accepted));
        foreach (var (recipient, outcome) in Told)
        {
            fields.Append("\r\n");
            if (recipient.OriginalRecipient is { } orcpt && DsnParameters.TryParseOriginalRecipient(orcpt, out var type, out var address) && (utf8 || Ascii.IsValid(address)))
                Field("Original-Recipient", $"{type};{address}");
            Field("Final-Recipient", (Ascii.IsValid(recipient.Address) ? "rfc822;" : "utf-8;") + recipient.Address);
            Field("Action", Kind switch { NoticeKind.Relayed => "relayed", NoticeKind.Delayed => "delayed", _ => "failed" });
            Field("Status", Status(outcome).ToString());
            if (outcome.Remote is { } remote) Field("Remote-MTA", "dns; " + remote);
            // RFC 3464 §2.3.6: only what another system said.
            if (outcome is { Own: false, Reply: { } reply }) Field("Diagnostic-Code", "smtp; " + reply);
            if (outcome.Attempt > 0) Field("Last-Attempt-Date", Date(outcome.Time));
            if (Kind == NoticeKind.Delayed) Field("Will-Retry-Until", Date(Original.Accepted + Expire));
        }

        return fields.ToString();

        void Field(string name, string value) => fields.Append(name).Append(": ").Append(Clean(value)).Append("\r\n");
    }

    // RFC 3464 §2.3.4: the class agrees with the action.
    private EnhancedStatus Status(LedgerRecord outcome)
    {
        var given = outcome.Reply?.Status ?? default;
        return Kind switch
        {
            NoticeKind.Expired => MailStatus.ExpiredForGood,
            NoticeKind.Failed => given.Class == 5 ? given : new EnhancedStatus(5, 0, 0),
            NoticeKind.Relayed => given.Class == 2 ? given : MailStatus.Ok,
            _ => given.Class == 4 ? given : new EnhancedStatus(4, 0, 0),
        };
    }

    private static string Date(StoreTime time) => time.ToDateTimeOffset().ToString("ddd, dd MMM yyyy HH:mm:ss '+0000'", CultureInfo.InvariantCulture);

    /// <summary>One line of printable text, cut: a line of a message has at most 998 octets (RFC 5322 §2.1.1).</summary>
    private static string Clean(string text)
    {
        var clean = new StringBuilder(Math.Min(text.Length, MaxField));
        var octets = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if ((octets += rune.Utf8SequenceLength) > MaxField) break;
            clean.Append(Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 ? " " : rune.ToString());
        }

        return clean.ToString();
    }

    private static byte[] Encode(string text, bool utf8) => (utf8 ? Encoding.UTF8 : Encoding.ASCII).GetBytes(text);

    private static int HeaderLength(ReadOnlySpan<byte> octets) => octets.IndexOf("\r\n\r\n"u8) is >= 0 and var end ? end : octets.Length;
}
