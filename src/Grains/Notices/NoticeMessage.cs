using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Unicode;
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
            var isClean = returned.IsFull || (utf8 && Utf8.IsValid(returned.Octets));
            report.Add(Part(returned.IsFull || utf8 ? "message" : "text", type, isClean ? returned.Octets : Array.ConvertAll(returned.Octets, o => o > 0x7F ? (byte)'?' : o), null));
        }

        // RFC 2045 §6.4: a multipart is at least what its parts are.
        if (report.OfType<MimePart>().Any(p => p.ContentTransferEncoding == ContentEncoding.EightBit)) report.Headers.Add(HeaderId.ContentTransferEncoding, "8bit");
        var format = FormatOptions.Default.Clone();
        format.NewLineFormat = NewLineFormat.Dos;
        format.International = utf8;
        using var octets = new MemoryStream();
        octets.Write(Encode(Header(), utf8));
        report.WriteTo(format, octets);
        return octets.ToArray();
    }

    // Written here and not by MimeKit, whose addresses do not take all that RFC 5321 and RFC 6531 do: a notice that cannot be built would be owed for ever.
    private string Header()
    {
        var header = new StringBuilder();
        Field(header, "From", $"Mail Delivery System <MAILER-DAEMON@{Hostname}>");
        Field(header, "To", Sender.ToString());
        Field(header, "Subject", Kind switch
        {
            NoticeKind.Failed => "Undelivered mail returned to sender", NoticeKind.Expired => "Undelivered mail: given up after repeated attempts",
            NoticeKind.Relayed => "Mail relayed to the next system", _ => "Mail delayed, still being tried",
        });
        Field(header, "Date", Date(Now));
        Field(header, "Message-ID", $"<notice.{Word(Kind)}.{Told[0].Outcome.Key}@{Hostname}>");
        Field(header, "Auto-Submitted", "auto-replied");
        Field(header, "MIME-Version", "1.0");
        return header.ToString();
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
            text.Append(outcome.Own || outcome.Remote is null ? "    reason: " : $"    {Clean(outcome.Remote)} said:\r\n    ").Append(Clean(reply.ToString())).Append("\r\n");
        }

        if (Kind == NoticeKind.Delayed) text.Append("\r\nIt will be tried until ").Append(Date(Original.Accepted + Expire)).Append(".\r\n");
        return text.ToString();
    }

    private string Fields(bool utf8)
    {
        var fields = new StringBuilder();
        Field(fields, "Reporting-MTA", "dns; " + Hostname);
        // RFC 3464 §2.2.1: what was meant, not the xtext.
        if (Original.EnvelopeId is { } id && Xtext.Decode(id) is { } envelopeId) Field(fields, "Original-Envelope-Id", envelopeId);
        Field(fields, "Arrival-Date", Date(Original.Accepted));
        foreach (var (recipient, outcome) in Told)
        {
            fields.Append("\r\n");
            // RFC 6533 §3: what is UTF-8 as it is in a global notice is utf-8-addr-xtext in one of seven bits.
            if (recipient.OriginalRecipient is { } orcpt && DsnParameters.TryParseOriginalRecipient(orcpt, out var type, out var address))
                Field(fields, "Original-Recipient", $"{type};{(type == "utf-8" && !utf8 ? Xtext.EncodeUtf8Address(address) : address)}");
            Field(fields, "Final-Recipient", (Ascii.IsValid(recipient.Address) ? "rfc822;" : "utf-8;") + recipient.Address);
            Field(fields, "Action", Kind switch { NoticeKind.Relayed => "relayed", NoticeKind.Delayed => "delayed", _ => "failed" });
            Field(fields, "Status", Status(outcome).ToString());
            if (outcome.Remote is { } remote) Field(fields, "Remote-MTA", "dns; " + RemoteName(remote));
            // RFC 3464 §2.3.6: smtp is what another system said; our own words have a type of their own (§2.1.2: private types begin with X-).
            if (outcome.Reply is { } reply) Field(fields, "Diagnostic-Code", (outcome.Own ? "X-Angarium; " : "smtp; ") + reply);
            if (outcome.Attempt > 0) Field(fields, "Last-Attempt-Date", Date(outcome.Time));
            if (Kind == NoticeKind.Delayed) Field(fields, "Will-Retry-Until", Date(Original.Accepted + Expire));
        }

        return fields.ToString();
    }

    private static void Field(StringBuilder fields, string name, string value) => fields.Append(name).Append(": ").Append(Clean(value)).Append("\r\n");

    // `host[address]:port` or `address:port`: RFC 3464 §2.1.2 takes a domain or an address literal, and comments.
    private static string RemoteName(string remote) =>
        remote.IndexOf('[') is > 0 and var bracket && remote.IndexOf(']') is var end && end > bracket ? $"{remote[..bracket]} ({remote[(bracket + 1)..end]})"
        : IPEndPoint.TryParse(remote, out var point) ? point.AddressFamily == AddressFamily.InterNetworkV6 ? $"[IPv6:{point.Address}]" : $"[{point.Address}]" : remote;

    // RFC 3464 §2.3.4, RFC 3463 §2: class 4 is also what was given up because a trouble persisted, and §3.5 wants that trouble's own code before X.4.7.
    private EnhancedStatus Status(LedgerRecord outcome)
    {
        var given = outcome.Reply?.Status ?? default;
        return Kind switch
        {
            NoticeKind.Expired => given.Class == 4 ? given : MailStatus.Expired,
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
