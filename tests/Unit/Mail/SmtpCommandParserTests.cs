using System.Text;
using Angarium.Mail;
using Angarium.Mail.Commands;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class SmtpCommandParserTests
{
    private static ParsedCommand Parse(string line) => SmtpCommandParser.Parse(Encoding.UTF8.GetBytes(line));

    private static T Take<T>(string line) where T : SmtpCommand
    {
        var parsed = Parse(line);
        Assert.Null(parsed.Refusal);
        return Assert.IsType<T>(parsed.Command);
    }

    private static string Refusal(string line)
    {
        var parsed = Parse(line);
        Assert.Null(parsed.Command);
        return $"{parsed.Refusal!.Code} {parsed.Refusal.Status}";
    }

    [Theory]
    [InlineData("DATA", SmtpVerb.Data)]
    [InlineData("data", SmtpVerb.Data)]
    [InlineData("DaTa  ", SmtpVerb.Data)]
    [InlineData("RSET\t", SmtpVerb.Rset)]
    [InlineData("QUIT", SmtpVerb.Quit)]
    [InlineData("STARTTLS", SmtpVerb.StartTls)]
    [InlineData("NOOP", SmtpVerb.Noop)]
    [InlineData("NOOP what ever", SmtpVerb.Noop)]
    [InlineData("HELP", SmtpVerb.Help)]
    [InlineData("HELP MAIL", SmtpVerb.Help)]
    [InlineData("VRFY someone", SmtpVerb.Vrfy)]
    [InlineData("EXPN list", SmtpVerb.Expn)]
    public void Parse_PlainVerb_IsItself(string line, SmtpVerb verb) => Assert.Equal(verb, Take<SmtpCommand>(line).Verb);

    [Theory]
    [InlineData("", "500 5.5.2")]
    [InlineData(" DATA", "500 5.5.2")]
    [InlineData("DATA\0", "500 5.5.2")]
    [InlineData("XYZZY", "500 5.5.2")]
    [InlineData("GET / HTTP/1.1", "500 5.5.2")]
    [InlineData("ÄHLO x", "500 5.5.2")]
    [InlineData("DATA x", "501 5.5.4")]
    [InlineData("RSET x", "501 5.5.4")]
    [InlineData("QUIT x", "501 5.5.4")]
    [InlineData("STARTTLS x", "501 5.5.4")]
    [InlineData("VRFY", "501 5.5.4")]
    [InlineData("EXPN", "501 5.5.4")]
    [InlineData("NOOP a\rb", "501 5.5.4")]
    [InlineData("EHLO", "501 5.5.4")]
    [InlineData("EHLO a b", "501 5.5.4")]
    [InlineData("EHLO bücher.example", "501 5.5.4")]
    [InlineData("EHLO a\tb", "501 5.5.4")]
    public void Parse_BadLine_IsRefused(string line, string reply) => Assert.Equal(reply, Refusal(line));

    /// <summary>RFC 4954 §4.</summary>
    [Theory]
    [InlineData("AUTH PLAIN AGEAYg==", "PLAIN", "006100 62")]
    [InlineData("auth scram-sha-256", "SCRAM-SHA-256", null)]
    [InlineData("AUTH PLAIN =", "PLAIN", "")]
    public void Parse_Auth_KeepsTheInitialResponse(string line, string mechanism, string? initial)
    {
        var auth = Take<AuthCommand>(line);
        Assert.Equal(mechanism, auth.Mechanism);
        Assert.Equal(initial?.Replace(" ", "", StringComparison.Ordinal), auth.Initial is null ? null : Convert.ToHexString(auth.Initial));
    }

    [Theory]
    [InlineData("AUTH", "501 5.5.4")]
    [InlineData("AUTH A$B", "501 5.5.4")]
    [InlineData("AUTH ABCDEFGHIJKLMNOPQRSTU", "501 5.5.4")]
    [InlineData("AUTH PLAIN AGEAYg", "501 5.5.2")]
    [InlineData("AUTH PLAIN AGEA Yg==", "501 5.5.2")]
    public void Parse_BadAuth_IsRefused(string line, string reply) => Assert.Equal(reply, Refusal(line));

    [Fact]
    public void Parse_Author_IsReadAndNotBelieved()
    {
        Assert.True(Take<MailCommand>("MAIL FROM:<> AUTH=<>").NamesAuthor);
        Assert.True(Take<MailCommand>("MAIL FROM:<> AUTH=e+3Dmc2@example.com").NamesAuthor);
        Assert.False(Take<MailCommand>("MAIL FROM:<>").NamesAuthor);
    }

    [Theory]
    [InlineData("EHLO client.example", true, "client.example")]
    [InlineData("ehlo [192.0.2.1]", true, "[192.0.2.1]")]
    [InlineData("HELO MY_PC ", false, "MY_PC")]
    [InlineData("HELO -", false, "-")]
    public void Parse_Hello_KeepsTheName(string line, bool extended, string name)
    {
        var hello = Take<HelloCommand>(line);
        Assert.Equal(extended, hello.IsExtended);
        Assert.Equal(name, hello.Name);
    }

    [Theory]
    [InlineData("MAIL FROM:<user@example.com>", "user@example.com")]
    [InlineData("mail from:<user@example.com>", "user@example.com")]
    [InlineData("MAIL FROM: <user@example.com>", "user@example.com")]
    [InlineData("MAIL  FROM:<user@example.com>  ", "user@example.com")]
    [InlineData("MAIL FROM:<@a.example,@[192.0.2.1]:user@example.com>", "user@example.com")] // RFC 5321 §3.6.1: source routes are ignored.
    [InlineData("MAIL FROM:<\"a>b\"@example.com>", "\"a>b\"@example.com")]
    [InlineData("MAIL FROM:<\"a\\\">b\"@example.com>", "\"a\\\">b\"@example.com")]
    [InlineData("MAIL FROM:<>", null)]
    [InlineData("MAIL FROM: <> SIZE=1", null)]
    public void Parse_Mail_TakesTheReversePath(string line, string? address) => Assert.Equal(address, Take<MailCommand>(line).ReversePath?.ToString());

    [Fact]
    public void Parse_MailParameters_AreTyped()
    {
        var mail = Take<MailCommand>("MAIL FROM:<jürgen@example.com> size=1000 Body=8BitMime SMTPUTF8 RET=hdrs ENVID=QQ+2B314159");
        Assert.Equal(1000, mail.Size);
        Assert.Equal(BodyType.EightBitMime, mail.Body);
        Assert.True(mail.SmtpUtf8);
        Assert.Equal(DsnReturn.Headers, mail.Return);
        Assert.Equal("QQ+2B314159", mail.EnvelopeId);
        Assert.Equal(DsnReturn.Full, Take<MailCommand>("MAIL FROM:<> RET=FULL").Return);
        Assert.Null(Take<MailCommand>("MAIL FROM:<>").Size);
        Assert.Equal(1_000_000_000_000_000_000, Take<MailCommand>("MAIL FROM:<> SIZE=99999999999999999999").Size);
    }

    [Theory]
    [InlineData("MAIL", "501 5.1.7")]
    [InlineData("MAIL FROM", "501 5.1.7")]
    [InlineData("MAIL FROM:", "501 5.1.7")]
    [InlineData("MAIL FROM:user@example.com", "501 5.1.7")]
    [InlineData("MAIL FROM:<user@example.com", "501 5.1.7")]
    [InlineData("MAIL FROM:<user>", "501 5.1.7")]
    [InlineData("MAIL FROM:< >", "501 5.1.7")]
    [InlineData("MAIL FROM:<user@example.com>SIZE=1", "501 5.1.7")]
    [InlineData("MAIL FROM:<us\"er@example.com>", "501 5.1.7")]
    [InlineData("MAIL FROM:<@a,:user@example.com>", "501 5.1.7")]
    [InlineData("MAIL FROM:<@a:@b:user@example.com>", "501 5.1.7")]
    [InlineData("MAIL FROM:<@a,user@example.com>", "501 5.1.7")]
    [InlineData("MAIL FROM:<@a:>", "501 5.1.7")]
    [InlineData("MAIL TO:<user@example.com>", "501 5.1.7")]
    [InlineData("MAIL FROM:<jürgen@example.com>", "553 5.6.7")]
    [InlineData("MAIL FROM:<user@bücher.example>", "553 5.6.7")]
    [InlineData("MAIL FROM:<> FOO", "555 5.5.4")]
    [InlineData("MAIL FROM:<> FOO=BAR", "555 5.5.4")]
    [InlineData("MAIL FROM:<> AUTH=<> AUTH=<>", "501 5.5.4")]
    [InlineData("MAIL FROM:<> AUTH=a+b", "501 5.5.4")]
    [InlineData("MAIL FROM:<> AUTH", "501 5.5.4")]
    [InlineData("MAIL FROM:<> NOTIFY=NEVER", "555 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE=", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE=-1", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE=1x", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE=111111111111111111111", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE=1 SIZE=1", "501 5.5.4")]
    [InlineData("MAIL FROM:<> BODY=BINARYMIME", "501 5.5.4")]
    [InlineData("MAIL FROM:<> BODY=7BIT BODY=7BIT", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SMTPUTF8=1", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SMTPUTF8 SMTPUTF8", "501 5.5.4")]
    [InlineData("MAIL FROM:<> RET=ALL", "501 5.5.4")]
    [InlineData("MAIL FROM:<> RET=FULL RET=HDRS", "501 5.5.4")]
    [InlineData("MAIL FROM:<> ENVID=+0A", "501 5.5.4")]
    [InlineData("MAIL FROM:<> ENVID=a+zz", "501 5.5.4")]
    [InlineData("MAIL FROM:<> ENVID=a ENVID=a", "501 5.5.4")]
    [InlineData("MAIL FROM:<> =1", "501 5.5.4")]
    [InlineData("MAIL FROM:<> SIZE=1=1", "501 5.5.4")]
    [InlineData("MAIL FROM:<> -X", "501 5.5.4")]
    public void Parse_BadMail_IsRefused(string line, string reply) => Assert.Equal(reply, Refusal(line));

    [Fact]
    public void Parse_Rcpt_IsTyped()
    {
        var rcpt = Take<RcptCommand>("RCPT TO:<User@Example.com> NOTIFY=success,Delay ORCPT=rfc822;User+2Btag@Example.com");
        Assert.Equal("User@Example.com", rcpt.Address!.ToString());
        Assert.Equal(DsnNotify.Success | DsnNotify.Delay, rcpt.Notify);
        Assert.Equal("rfc822;User+2Btag@Example.com", rcpt.OriginalRecipient);
        Assert.Equal(DsnNotify.Never, Take<RcptCommand>("RCPT TO:<a@b> NOTIFY=NEVER").Notify);
        Assert.Equal("utf-8;j\\x{FC}rgen@example.com", Take<RcptCommand>("RCPT TO:<a@b> ORCPT=utf-8;j\\x{FC}rgen@example.com").OriginalRecipient);
        Assert.Equal("utf-8;jürgen@example.com", Take<RcptCommand>("RCPT TO:<a@b> ORCPT=utf-8;jürgen@example.com").OriginalRecipient);
        Assert.False(Take<RcptCommand>("RCPT TO:<jürgen@example.com>").Address!.IsAscii);
        // RFC 5321 §4.5.1: without a domain, in any case.
        Assert.Null(Take<RcptCommand>("RCPT TO: <Postmaster>").Address);
    }

    [Theory]
    [InlineData("RCPT TO:<>", "501 5.1.3")]
    [InlineData("RCPT TO:<user>", "501 5.1.3")]
    [InlineData("RCPT TO:user@example.com", "501 5.1.3")]
    [InlineData("RCPT FROM:<user@example.com>", "501 5.1.3")]
    [InlineData("RCPT TO:<us er@example.com>", "501 5.1.3")]
    [InlineData("RCPT TO:<a@b> SIZE=1", "555 5.5.4")]
    [InlineData("RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> NOTIFY=SUCCESS,SUCCESS", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> NOTIFY=SUCCESS,", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> NOTIFY=ALWAYS", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=user@example.com", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=;user@example.com", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=rfc822;", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=rfc822;a+0D+0Ab", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=utf-8;\\x{A}b", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=utf-8;\\x{0D}b", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=utf-8;\\x{D800}b", "501 5.5.4")]
    [InlineData("RCPT TO:<a@b> ORCPT=utf-8;\\xFC", "501 5.5.4")]
    public void Parse_BadRcpt_IsRefused(string line, string reply) => Assert.Equal(reply, Refusal(line));

    [Theory]
    [InlineData("BDAT 0 LAST", 0, true)]
    [InlineData("BDAT 1000", 1000, false)]
    [InlineData("bdat 1000  last ", 1000, true)]
    [InlineData("BDAT 1000000000000000000", 1000000000000000000, false)]
    public void Parse_Bdat_IsTyped(string line, long size, bool last) => Assert.Equal(new BdatCommand(size, last), Take<BdatCommand>(line));

    [Theory]
    [InlineData("BDAT")]
    [InlineData("BDAT LAST")]
    [InlineData("BDAT -1")]
    [InlineData("BDAT +1")]
    [InlineData("BDAT 1LAST")]
    [InlineData("BDAT 1 FIRST")]
    [InlineData("BDAT 0x10")]
    [InlineData("BDAT 1000000000000000001")]
    [InlineData("BDAT 18446744073709551616")]
    [InlineData("BDAT 99999999999999999999999999999999999999")]
    public void Parse_BadBdat_IsRefused(string line) => Assert.Equal("501 5.5.4", Refusal(line));

    [Fact]
    public void Parse_LongLine_IsRefusedByItsVerb()
    {
        Assert.Equal(SmtpVerb.Noop, Parse("NOOP " + new string('x', SmtpCommandParser.MaxLine - 7)).Command!.Verb);
        Assert.Equal("500 5.5.2", Refusal("NOOP " + new string('x', SmtpCommandParser.MaxLine - 6)));
        // RFC 3461 §4: the longest parameters there are, beside the longest path, fit.
        var path = new string('a', 64) + "@" + string.Join('.', Enumerable.Repeat(new string('d', 46), 4));
        var line = $"RCPT TO:<{path}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{new string('x', 493)}";
        Assert.NotNull(Parse(line).Command);
        Assert.Equal("501 5.5.4", Refusal(line + "x"));
        Assert.NotNull(Parse($"MAIL FROM:<{path}> SIZE=12345678901234567890 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID={new string('x', 100)}").Command);
        Assert.Equal("501 5.5.4", Refusal($"MAIL FROM:<{path}> ENVID={new string('x', 101)}"));
    }

    [Fact]
    public void Parse_AnyOctets_IsTotal()
    {
        var words = Gen.OneOfConst("MAIL FROM:", "RCPT TO:", "<a@b>", "<", ">", " ", "SIZE=", "ORCPT=utf-8;", "\\x{", "}", "+4", "=", "1", "\"", "\\", "@", ":", ",", "[", "]", "BDAT ", "EHLO ", "\0", "\r", "ü")
            .Array[0, 12].Select(parts => Encoding.UTF8.GetBytes(string.Concat(parts)));
        Gen.OneOf(words, Gen.Byte.Array[0, 80], Gen.Select(words, Gen.Byte.Array[0, 5], (a, b) => a.Concat(b).ToArray())).Sample(line =>
        {
            var parsed = SmtpCommandParser.Parse(line);
            Assert.True(parsed.Command is null != parsed.Refusal is null);
            if (parsed.Refusal is { } refusal) Assert.InRange(refusal.Code, 500, 599);
        });
    }
}
