using System.Text;
using Angarium.Host.Sendmail;

namespace Angarium.Unit.Host;

public sealed class SendmailTests
{
    private static readonly DateTimeOffset s_now = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private static SendmailArguments Parse(params string[] args) => SendmailArguments.Parse("sendmail", args);

    private static OutgoingMessage Prepare(string input, params string[] args) =>
        OutgoingMessage.Prepare(Encoding.UTF8.GetBytes(input), Parse(args), "me@here.example", "here.example", s_now);

    private static string Text(OutgoingMessage message) => Encoding.UTF8.GetString(message.Content);

    [Fact]
    public void Parse_AsScriptsCallIt_IsUnderstood()
    {
        var parsed = Parse("-oi", "-fme@here.example", "-F", "Me Myself", "-N", "failure,delay", "-R", "hdrs", "-V", "id1", "-oem", "--", "-you@there.example", "b@there.example");
        Assert.Null(parsed.Mistake);
        Assert.True(parsed.IgnoreDots);
        Assert.Equal("me@here.example", parsed.Sender);
        Assert.Equal("Me Myself", parsed.FullName);
        Assert.Equal("FAILURE,DELAY", parsed.Notify);
        Assert.Equal("HDRS", parsed.Return);
        Assert.Equal("id1", parsed.EnvelopeId);
        Assert.Equal(["-you@there.example", "b@there.example"], parsed.Recipients);
    }

    [Fact]
    public void Parse_BundledFlags_AreUnderstood()
    {
        var parsed = Parse("-ti");
        Assert.True(parsed.FromHeader);
        Assert.True(parsed.IgnoreDots);
    }

    [Theory]
    [InlineData("<>", "")]
    [InlineData("<a@b.example>", "a@b.example")]
    public void Parse_SenderInBrackets_LosesThem(string given, string sender) => Assert.Equal(sender, Parse("-f", given, "x@y.example").Sender);

    [Theory]
    [InlineData("-N", "sometimes", "x@y.example")]
    [InlineData("-R", "half", "x@y.example")]
    [InlineData("-Z", "x@y.example")]
    [InlineData("--nonsense", "x", "x@y.example")]
    [InlineData("x@y.example", "-f")]
    public void Parse_Nonsense_IsAMistake(params string[] args) => Assert.NotNull(Parse(args).Mistake);

    [Fact]
    public void Parse_NoRecipients_IsAMistake() => Assert.NotNull(Parse("-i").Mistake);

    [Theory]
    [InlineData("mailq")]
    [InlineData("sendmail", "-bp")]
    public void Parse_QueueListing_IsUnderstood(string calledAs, params string[] args) => Assert.Equal(SendmailArguments.Mode.ListQueue, SendmailArguments.Parse(calledAs, args).Do);

    [Fact]
    public void Prepare_BareText_GetsTheFieldsThatAreMissing()
    {
        var text = Text(Prepare("Subject: hi\n\nbody\n", "x@y.example"));
        Assert.Contains("Date: Wed, 04 Mar 2026 05:06:07 +0000\r\n", text, StringComparison.Ordinal);
        Assert.Contains("From: me@here.example\r\n", text, StringComparison.Ordinal);
        Assert.Matches("Message-ID: <20260304050607\\.[0-9a-f]{32}@here\\.example>\r\n", text);
        Assert.EndsWith("Subject: hi\r\n\r\nbody\r\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Prepare_PresentFields_StayAlone()
    {
        var text = Text(Prepare("date: then\nFROM: a@b.example\nmessage-id: <1@b>\n\nx\n", "x@y.example"));
        Assert.Equal("date: then\r\nFROM: a@b.example\r\nmessage-id: <1@b>\r\n\r\nx\r\n", text);
    }

    [Fact]
    public void Prepare_FromHeader_CollectsRecipientsAndDropsBcc()
    {
        var message = Prepare("To: A <a@x.example>,\n b@x.example\nCc: c@x.example\nBcc: d@x.example,\n\te@x.example\nSubject: s\n\nbody\n", "-t", "f@x.example");
        Assert.Equal(["f@x.example", "a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"], message.Recipients);
        Assert.DoesNotContain("Bcc", Text(message), StringComparison.Ordinal);
        Assert.DoesNotContain("e@x.example", Text(message), StringComparison.Ordinal);
        Assert.Contains("To: A <a@x.example>,\r\n b@x.example\r\n", Text(message), StringComparison.Ordinal);
    }

    [Fact]
    public void Prepare_LoneDot_EndsUnlessIgnored()
    {
        Assert.EndsWith("\r\n\r\none\r\n", Text(Prepare("S: x\n\none\n.\ntwo\n", "x@y.example")), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\none\r\n.\r\ntwo\r\n", Text(Prepare("S: x\n\none\n.\ntwo\n", "-oi", "x@y.example")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("S: x\r\n\r\na\r\nb")]
    [InlineData("S: x\n\na\nb\n")]
    [InlineData("S: x\r\ra\rb\r")]
    [InlineData("From me Wed Mar  4\nS: x\n\na\nb\n")]
    public void Prepare_AnyLineEnds_BecomeCrlf(string input) => Assert.EndsWith("\r\nS: x\r\n\r\na\r\nb\r\n", Text(Prepare(input, "x@y.example")), StringComparison.Ordinal);

    [Fact]
    public void Prepare_BodyWithoutHeader_GetsTheEmptyLine() => Assert.EndsWith(">\r\n\r\njust text\r\n", Text(Prepare("just text\n", "x@y.example")), StringComparison.Ordinal);

    [Fact]
    public void Prepare_EightBitBody_KeepsItsOctets()
    {
        var message = OutgoingMessage.Prepare([.. "S: x\n\n"u8, 0xE4, 0xFF, (byte)'\n'], Parse("x@y.example"), "me@h", "h", s_now);
        Assert.True(message.IsEightBit);
        Assert.Equal([0xE4, 0xFF, (byte)'\r', (byte)'\n'], message.Content[^4..]);
    }

    [Fact]
    public void Prepare_UnreadableAddress_IsRefused() => Assert.Throws<FormatException>(() => Prepare("To: <<<\n\nx\n", "-t"));

    [Fact]
    public void Prepare_BareUser_IsOneOfThisMachine() => Assert.Equal(["root@here.example", "x@y.example"], Prepare("To: root\n\nx\n", "-t", "root", "x@y.example").Recipients);

    [Theory]
    [InlineData("a@b.example\r\nRCPT TO:<z@z.example>")]
    [InlineData("a@b.example\nz@z.example")]
    [InlineData("a\0@b.example")]
    public void Prepare_ControlInAnAddress_IsRefused(string recipient) => Assert.Throws<FormatException>(() => Prepare("S: x\n\nx\n", recipient));

    [Theory]
    [InlineData("192.0.2.1:25", "192.0.2.1", 25)]
    [InlineData("[::1]:2525", "::1", 2525)]
    [InlineData("0.0.0.0:25", "127.0.0.1", 25)]
    [InlineData("angarium.mail:25", "angarium.mail", 25)]
    [InlineData("nonsense", null, 0)]
    [InlineData("a b:25", null, 0)]
    [InlineData("mx.example.org:0", null, 0)]
    [InlineData("mx.example.org:65536", null, 0)]
    public void AddressOf_Server_IsAnAddressOrANameWithAPort(string server, string? host, int port) =>
        Assert.Equal(host is null ? null : (host, port), SendmailCommand.AddressOf(server));
}
