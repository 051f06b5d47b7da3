using System.Text;
using Angarium.Contracts.Configuration;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Notices;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Mail.Status;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.TestKit.Peers;
using Angarium.Unit.Mail;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MimeKit;

namespace Angarium.Unit.Grains.Notices;

/// <summary>Who is owed a notice and what it says, read back with MimeKit.</summary>
public sealed class NoticeWriterTests : ISpoolReader, ISpoolWriter
{
    private readonly List<NewMessage> _written = [];
    private CommitStatus _commit = CommitStatus.Committed;
    private MemoryEntry? _entry;

    [Theory]
    [InlineData(DsnNotify.Unspecified, "Failed,Expired")]
    [InlineData(DsnNotify.Never, "")]
    [InlineData(DsnNotify.Failure, "Failed,Expired")]
    [InlineData(DsnNotify.Success, "Relayed")]
    [InlineData(DsnNotify.Delay, "Delayed")]
    public async Task WriteAsync_Notify_OnlyWhatIsAsked(DsnNotify notify, string owed)
    {
        foreach (var kind in Enum.GetValues<NoticeKind>())
            Assert.Equal(owed.Split(',').Contains(kind.ToString()), await WriteAsync(kind, e => e with { Recipients = [new("r@example.net", notify)] }));
    }

    [Fact]
    public async Task WriteAsync_NullReversePathOrStranger_Nothing()
    {
        Assert.False(await WriteAsync(NoticeKind.Failed, e => e with { ReversePath = "" }));
        Assert.False(await WriteAsync(NoticeKind.Failed, e => e with { NoticesAllowed = false }));
        Assert.Empty(_written);
    }

    [Theory]
    [InlineData(NoticeKind.Failed, "failed", "5.1.1")]
    [InlineData(NoticeKind.Expired, "failed", "4.4.7")]
    [InlineData(NoticeKind.Relayed, "relayed", "2.0.0")]
    [InlineData(NoticeKind.Delayed, "delayed", "4.0.0")]
    public async Task WriteAsync_Owed_ReportOfThreeParts(NoticeKind kind, string action, string status)
    {
        Assert.True(await WriteAsync(kind, e => e with
        {
            EnvelopeId = "a+2Bb", Return = DsnReturn.Headers,
            Recipients = [new("r@example.net", DsnNotify.Failure | DsnNotify.Success | DsnNotify.Delay, "rfc822;o+2Bx@example.net")],
        }));
        var message = Read();
        var report = Assert.IsAssignableFrom<Multipart>(message.Body);
        Assert.Equal(3, report.Count);
        Assert.Equal("auto-replied", message.Headers[HeaderId.AutoSubmitted]);
        Assert.Equal("text/rfc822-headers", report[2].ContentType.MimeType);
        var groups = Assert.IsType<MessageDeliveryStatus>(report[1]).StatusGroups;
        Assert.Equal("a+b", groups[0]["Original-Envelope-Id"]);
        Assert.Equal(action, groups[1]["Action"]);
        Assert.Equal(status, groups[1]["Status"]);
        Assert.Equal("rfc822;o+x@example.net", groups[1]["Original-Recipient"]);
        Assert.Equal(kind == NoticeKind.Delayed, groups[1].Contains("Will-Retry-Until"));
    }

    [Fact]
    public async Task WriteAsync_HostileReply_StaysOneField()
    {
        Assert.True(await WriteAsync(NoticeKind.Failed, reply: "no\r\nAction: delivered\r\n\r\nX: \0\u00e9" + new string('x', 5000)));
        var groups = Assert.IsType<MessageDeliveryStatus>(((Multipart)Read().Body!)[1]).StatusGroups;
        Assert.Equal(2, groups.Count);
        Assert.Equal("failed", groups[1]["Action"]);
        var text = Encoding.Latin1.GetString(_written[0].Content.Span);
        Assert.DoesNotContain(text, c => c > 126 || (c < 32 && c is not ('\r' or '\n' or '\t')));
        Assert.Equal(text.Count(c => c == '\n'), text.Split("\r\n").Length - 1);
        Assert.All(text.Split("\r\n"), line => Assert.InRange(line.Length, 0, 998));
    }

    [Fact]
    public async Task WriteAsync_Again_SameMessageId()
    {
        await WriteAsync(NoticeKind.Failed);
        var first = Read().MessageId;
        await WriteAsync(NoticeKind.Failed);
        Assert.Equal(first, Read().MessageId);
        Assert.Equal($"notice.failed.{new RecipientKey(1, 1, 0)}@mx.example.org", first);
    }

    [Fact]
    public async Task WriteAsync_ReturnFull_WholeMessage()
    {
        await WriteAsync(NoticeKind.Failed, e => e with { Return = DsnReturn.Full });
        Assert.Equal("message/rfc822", ((Multipart)Read().Body!)[2].ContentType.MimeType);
    }

    [Fact]
    public async Task WriteAsync_SpoolFull_Throws()
    {
        _commit = CommitStatus.Full;
        await Assert.ThrowsAsync<IOException>(() => WriteAsync(NoticeKind.Failed));
    }

    [Fact]
    public async Task WriteAsync_NotAtThisPlace_IsNoAnswer() => await Assert.ThrowsAsync<IOException>(() => WriteAsync(NoticeKind.Failed, gone: true));

    // RFC 3463 §3.5: X.4.7 only when the trouble's own code is unknown; class 4 is also for what was given up because a trouble persisted (§2).
    [Theory]
    [InlineData(NoticeKind.Expired, 451, "4.2.1", "4.2.1")]
    [InlineData(NoticeKind.Expired, 450, "", "4.4.7")]
    [InlineData(NoticeKind.Failed, 550, "5.7.1", "5.7.1")]
    [InlineData(NoticeKind.Failed, 550, "", "5.0.0")]
    [InlineData(NoticeKind.Failed, 550, "4.1.1", "5.0.0")]
    [InlineData(NoticeKind.Relayed, 250, "2.1.5", "2.1.5")]
    [InlineData(NoticeKind.Delayed, 451, "4.7.0", "4.7.0")]
    public async Task WriteAsync_Outcome_StatusRemoteAndDateOfTheLastAttempt(NoticeKind kind, int code, string enhanced, string status)
    {
        Assert.Equal(enhanced.Length > 0, EnhancedStatus.TryParse(Encoding.ASCII.GetBytes(enhanced), out var given, out _));
        Assert.True(await TellAsync(kind, Plain("s@example.org", All("r@example.net")), Outcome(0) with
        {
            Attempt = 7, Time = new StoreTime(1_800_000_400_000), Remote = "mx1.example.net[192.0.2.7]:25", Reply = new Reply(code, given, "mailbox busy"),
        }));
        var group = Groups()[1];
        Assert.Equal(status, group["Status"]);
        Assert.Equal("dns; mx1.example.net (192.0.2.7)", group["Remote-MTA"]);
        Assert.Equal($"smtp; {code} {(enhanced.Length > 0 ? enhanced + " " : "")}mailbox busy", group["Diagnostic-Code"]);
        Assert.Equal("Fri, 15 Jan 2027 08:06:40 +0000", group["Last-Attempt-Date"]);
        Assert.Equal("Fri, 15 Jan 2027 08:00:00 +0000", Groups()[0]["Arrival-Date"]);
        Assert.Equal("dns; mx.example.org", Groups()[0]["Reporting-MTA"]);
    }

    [Fact]
    public async Task WriteAsync_OwnWords_AreToldAsOurs()
    {
        Assert.True(await TellAsync(NoticeKind.Failed, Plain("s@example.org", new EnvelopeRecipient("r@example.net")),
            Outcome(0) with { Own = true, Attempt = 0, Remote = null, Reply = new Reply(554, new(5, 6, 3), "the receiver takes no 8-bit content") }));
        var group = Groups()[1];
        Assert.Equal("5.6.3", group["Status"]);
        Assert.Equal("X-Angarium; 554 5.6.3 the receiver takes no 8-bit content", group["Diagnostic-Code"]);
        Assert.False(group.Contains("Remote-MTA"));
        Assert.False(group.Contains("Last-Attempt-Date"));
    }

    [Theory]
    [InlineData("192.0.2.7:25", "dns; [192.0.2.7]")]
    [InlineData("[2001:db8::7]:25", "dns; [IPv6:2001:db8::7]")]
    [InlineData("mx.example.net", "dns; mx.example.net")]
    public async Task WriteAsync_Remote_IsAnMtaName(string remote, string name)
    {
        await TellAsync(NoticeKind.Failed, Plain("s@example.org", new EnvelopeRecipient("r@example.net")), Outcome(0) with { Remote = remote });
        Assert.Equal(name, Groups()[1]["Remote-MTA"]);
    }

    [Fact]
    public async Task WriteAsync_SeveralRecipients_OneNoticeOfThoseThatAsked()
    {
        Assert.True(await TellAsync(NoticeKind.Failed, Plain("s@example.org", new EnvelopeRecipient("a@example.net"), new EnvelopeRecipient("b@example.net", DsnNotify.Never),
            new EnvelopeRecipient("c@example.net", DsnNotify.Failure, "rfc822;c+2Bd@example.net"), new EnvelopeRecipient("d@example.net")), Outcome(0), Outcome(1), Outcome(2)));
        Assert.Equal(["a@example.net", "c@example.net"], Groups().Skip(1).Select(g => g["Final-Recipient"]!["rfc822;".Length..]));
        Assert.Equal("rfc822;c+d@example.net", Groups()[2]["Original-Recipient"]);
        Assert.Single(_written);
    }

    [Fact]
    public async Task WriteAsync_Notice_HasTheNullReversePathAndOwesNone()
    {
        await WriteAsync(NoticeKind.Failed);
        var envelope = _written[0].Envelope;
        Assert.Equal("", envelope.ReversePath);
        Assert.False(envelope.NoticesAllowed);
        Assert.Equal([new EnvelopeRecipient("s@example.org")], envelope.Recipients);
        Assert.Equal(["example.org"], _written[0].Domains);
        Assert.Equal("acme", envelope.Tenant);
        Assert.Equal((false, BodyType.SevenBit), (envelope.SmtpUtf8, envelope.Body));
    }

    // RFC 6533 §4, §6: what speaks of UTF-8 addresses is global and travels with SMTPUTF8.
    [Fact]
    public async Task WriteAsync_Utf8Original_GlobalReport()
    {
        Assert.True(await TellAsync(NoticeKind.Failed, Plain("jürgen@bücher.example", new EnvelopeRecipient("用户@例子.广告", DsnNotify.Failure, @"utf-8;\x{7528}\x{2B}@example.net")) with
        {
            SmtpUtf8 = true, EnvelopeId = "a+2Bb",
        }, Outcome(0)));
        var parts = Assert.IsAssignableFrom<Multipart>(Read().Body);
        Assert.Equal(["text/plain", "message/global-delivery-status", "message/global-headers"], parts.Select(p => p.ContentType.MimeType));
        var text = Encoding.UTF8.GetString(_written[0].Content.Span);
        Assert.Contains("\r\nTo: jürgen@bücher.example\r\n", text);
        Assert.Contains("\r\nFinal-Recipient: utf-8;用户@例子.广告\r\n", text);
        Assert.Contains("\r\nOriginal-Recipient: utf-8;用+@example.net\r\n", text);
        Assert.Contains("\r\nOriginal-Envelope-Id: a+b\r\n", text);
        Assert.Equal((true, BodyType.EightBitMime), (_written[0].Envelope.SmtpUtf8, _written[0].Envelope.Body));
        Assert.Equal(["xn--bcher-kva.example"], _written[0].Domains);
    }

    [Fact]
    public async Task WriteAsync_Utf8OrcptInSevenBits_IsXtext()
    {
        Assert.True(await TellAsync(NoticeKind.Failed, Plain("s@example.org", new EnvelopeRecipient("r@example.net", DsnNotify.Failure, "utf-8;ü@example.net")) with { SmtpUtf8 = true }, Outcome(0)));
        Assert.Equal(@"utf-8;\x{FC}@example.net", Groups()[1]["Original-Recipient"]);
        Assert.False(_written[0].Envelope.SmtpUtf8);
    }

    [Theory]
    [InlineData(51_199)]
    [InlineData(51_200)]
    public async Task WriteAsync_ReturnFull_IsExactAndChecked(int size)
    {
        var content = "Subject: x\r\n\r\n" + new string('a', 998) + "\r\n";
        content += string.Concat(Enumerable.Repeat(new string('b', 70) + "\r\n", (size - content.Length - 80) / 72));
        content += new string('c', size - content.Length - 2) + "\r\n";
        foreach (var damaged in new[] { false, true })
        {
            Assert.True(await TellAsync(NoticeKind.Failed, Plain("s@example.org", new EnvelopeRecipient("r@example.net")) with { Return = DsnReturn.Full }, content, damaged, Outcome(0)));
            Assert.Equal(damaged ? 2 : 3, ((Multipart)Read().Body!).Count);
        }

        Assert.True(_written[0].Content.Span.IndexOf(Encoding.ASCII.GetBytes("\r\n\r\n" + content)) > 0);
    }

    [Fact]
    public async Task WriteAsync_TooLargeForFull_HeadersGoBack()
    {
        Assert.True(await TellAsync(NoticeKind.Failed, Plain("s@example.org", new EnvelopeRecipient("r@example.net")) with { Return = DsnReturn.Full },
            "Subject: x\r\n\r\n" + new string('a', 51_200), false, Outcome(0)));
        Assert.Equal("text/rfc822-headers", ((Multipart)Read().Body!)[2].ContentType.MimeType);
    }

    // Every address that the grammar takes can be told, as sender and as recipient; whatever else is hostile stays in its field.
    [Fact]
    public void WriteAsync_AnyAddresses_ANoticeIsBuilt() => Gen.Select(Mailboxes, Mailboxes, Gen.Enum<NoticeKind>(), Gen.String[0, 2_000]).Sample(x =>
    {
        var (sender, recipient, kind, words) = x;
        _written.Clear();
        var orcpt = "rfc822;" + Xtext.Encode(recipient);
        if (!DsnParameters.TryParseOriginalRecipient(orcpt, out _, out _)) orcpt = null;
        Assert.True(TellAsync(kind, Plain(sender, new EnvelopeRecipient(recipient, DsnNotify.Failure | DsnNotify.Success | DsnNotify.Delay, orcpt)) with { SmtpUtf8 = true },
            Outcome(0) with { Reply = new Reply(550, new(5, 1, 1), words), Remote = new string('m', 300) }).GetAwaiter().GetResult());
        var octets = _written[0].Content;
        var lines = Encoding.UTF8.GetString(octets.Span).Split("\r\n");
        Assert.All(lines, line => Assert.True(Encoding.UTF8.GetByteCount(line) <= 998 && !line.AsSpan().ContainsAny('\r', '\n', '\0')));
        Assert.Single(lines, "To: " + sender);
        Assert.Single(lines, (Ascii.IsValid(recipient) ? "Final-Recipient: rfc822;" : "Final-Recipient: utf-8;") + recipient);
        Assert.Equal([sender], _written[0].Envelope.Recipients.Select(r => r.Address));
        Assert.Equal(!Ascii.IsValid(sender + recipient), _written[0].Envelope.SmtpUtf8);
        Assert.True(_written[0].Envelope.SmtpUtf8 || Ascii.IsValid(octets.Span));
        Assert.Equal(3, ((Multipart)Read().Body!).Count);
    }, threads: 1);

    private static readonly Gen<string> Mailboxes = Gen.OneOf(
        Gen.Select(MailAddressTests.LocalParts, MailAddressTests.Domains, (local, domain) => $"{local}@{domain}"),
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 3], (label, count) =>
            new string('l', MailAddress.MaxLength - (label + 1) * count) + '@' + string.Join('.', Enumerable.Repeat(new string('d', label), count))))
        .Where(text => MailAddress.TryParse(text, out _));

    private static EnvelopeRecipient All(string address) => new(address, DsnNotify.Failure | DsnNotify.Success | DsnNotify.Delay);

    private static Envelope Plain(string sender, params EnvelopeRecipient[] recipients) =>
        new() { ReversePath = sender, Recipients = recipients, NoticesAllowed = true, Tenant = "acme", Accepted = new StoreTime(1_800_000_000_000) };

    private static LedgerRecord Outcome(ushort ordinal) => new()
    {
        Key = new RecipientKey(1, 1, ordinal), Kind = LedgerKind.Failed, Attempt = 1, Remote = "mx.example.net", Reply = new Reply(550, new EnhancedStatus(5, 1, 1), "no such user"),
    };

    private Task<bool> WriteAsync(NoticeKind kind, Func<Envelope, Envelope>? change = null, string reply = "no such user", bool gone = false)
    {
        var envelope = Plain("s@example.org", new EnvelopeRecipient("r@example.net"));
        return TellAsync(kind, change?.Invoke(envelope) ?? envelope, gone ? null : "Subject: x\r\n\r\nbody\r\n", false, Outcome(0) with { Reply = new Reply(550, new EnhancedStatus(5, 1, 1), reply) });
    }

    private Task<bool> TellAsync(NoticeKind kind, Envelope envelope, params LedgerRecord[] outcomes) => TellAsync(kind, envelope, "Subject: x\r\n\r\nbody\r\n", false, outcomes);

    /// <param name="content">Null = the entry is gone.</param>
    private async Task<bool> TellAsync(NoticeKind kind, Envelope envelope, string? content, bool damaged, params LedgerRecord[] outcomes)
    {
        _entry = content is null ? null : new MemoryEntry(envelope, Encoding.Latin1.GetBytes(content), 4_096, damaged);
        var writer = new NoticeWriter(this, this, new PlainClock(new FakeTimeProvider(DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_500_000))),
            new FixedSettings<NoticeOptions>(new NoticeOptions { Hostname = "mx.example.org" }), new FixedSettings<GrainsOptions>(new GrainsOptions()), NullLogger<NoticeWriter>.Instance);
        return await writer.WriteAsync(kind, default, outcomes, CancellationToken.None);
    }

    private HeaderListCollection Groups() => Assert.IsType<MessageDeliveryStatus>(((Multipart)Read().Body!)[1]).StatusGroups;

    private MimeMessage Read() => MimeMessage.Load(new MemoryStream(_written[^1].Content.ToArray()));

    Task<SpoolRead<PackToc>> ISpoolReader.ReadTocAsync(PackName name, CancellationToken cancellationToken) => throw new InvalidOperationException();

    Task<SpoolRead<SpooledEntry>> ISpoolReader.ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken) =>
        Task.FromResult(new SpoolRead<SpooledEntry>(_entry is null ? SpoolReadStatus.NotFound : SpoolReadStatus.Found, _entry));

    Task<CommitReceipt> ISpoolWriter.CommitAsync(NewMessage message, CancellationToken cancellationToken)
    {
        if (_commit == CommitStatus.Committed) _written.Add(message);
        return Task.FromResult(new CommitReceipt(_commit, default));
    }
}
