using System.Text;
using Angarium.Contracts.Configuration;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Notices;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.TestKit.Peers;
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
    [InlineData(NoticeKind.Expired, "failed", "5.4.7")]
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
    public async Task WriteAsync_PackGone_Nothing() => Assert.False(await WriteAsync(NoticeKind.Failed, gone: true));

    private async Task<bool> WriteAsync(NoticeKind kind, Func<Envelope, Envelope>? change = null, string reply = "no such user", bool gone = false)
    {
        _entry = gone ? null : MemoryEntry.Of("s@example.org", "r@example.net", "Subject: x\r\n\r\nbody\r\n",
            e => (change ?? (x => x))(e with { NoticesAllowed = true, Accepted = new StoreTime(1_800_000_000_000) }));
        var writer = new NoticeWriter(this, this, new PlainClock(new FakeTimeProvider(DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_500_000))),
            new FixedSettings<NoticeOptions>(new NoticeOptions { Hostname = "mx.example.org" }), new FixedSettings<GrainsOptions>(new GrainsOptions()), NullLogger<NoticeWriter>.Instance);
        return await writer.WriteAsync(kind, default, [new LedgerRecord
        {
            Key = new RecipientKey(1, 1, 0), Kind = LedgerKind.Failed, Attempt = 1, Remote = "mx.example.net", Reply = new Reply(550, new EnhancedStatus(5, 1, 1), reply),
        }], CancellationToken.None);
    }

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
