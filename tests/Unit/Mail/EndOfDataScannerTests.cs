using System.Buffers;
using System.Text;
using Angarium.Mail.Content;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class EndOfDataScannerTests
{
    private static EndOfDataScanner Scan(string text, out string content, ContentLimits? limits = null, ContentFraming framing = ContentFraming.Dots, int cut = 0)
    {
        var scanner = new EndOfDataScanner(limits ?? ContentLimits.Default, framing);
        var result = ContentSamples.Scan(scanner, ContentSamples.Split(Encoding.Latin1.GetBytes(text), cut));
        content = Encoding.Latin1.GetString(Convert.FromHexString(result.Content));
        return scanner;
    }

    [Fact]
    public void Scan_HostileContent_IsAsTheOracleSays() => Gen.Select(ContentSamples.Hostile, ContentSamples.Cuts).Sample((octets, cuts) =>
    {
        var expected = ContentSamples.Oracle(octets);
        foreach (var split in new[] { [0], [1], cuts })
        {
            var scanner = new EndOfDataScanner(ContentLimits.Default);
            Assert.Equal(expected, ContentSamples.Scan(scanner, ContentSamples.Split(octets, split)));
            Assert.Equal(expected.Progress == ScanProgress.Broken, scanner.Violation.BreaksFraming());
            if (expected.Progress == ScanProgress.End) Assert.Equal(expected.Content.Length / 2, scanner.Octets);
        }
    }, iter: 5000);

    /// <summary>The smuggling variants, all of them: what is neither CRLF.CRLF nor clean content is refused, however it arrives.</summary>
    [Fact]
    public void Scan_EveryCombinationOfLineEndsAndDots_EndsOnlyOnCrlfDotCrlf()
    {
        int ended = 0, broken = 0;
        for (var length = 1; length <= 6; length++)
        for (var code = 0; code < (int)Math.Pow(3, length); code++)
        {
            var text = new StringBuilder();
            for (int i = 0, rest = code; i < length; i++, rest /= 3) text.Append("\r\n."[rest % 3]);
            foreach (var before in new[] { "x", "" })
            {
                var whole = before + text + "MAIL FROM:<>\r\n";
                // The beginning of the content follows the CRLF of the DATA line.
                var shouldEnd = ("\r\n" + whole).IndexOf("\r\n.\r\n", StringComparison.Ordinal);
                foreach (var cut in new[] { 0, 1, 2, 3 })
                {
                    var scanner = new EndOfDataScanner(ContentLimits.Default);
                    var result = ContentSamples.Scan(scanner, ContentSamples.Split(Encoding.Latin1.GetBytes(whole), cut));
                    if (result.Progress == ScanProgress.End)
                    {
                        ended++;
                        Assert.Equal(shouldEnd + 3, result.Consumed);
                    }
                    else if (result.Progress == ScanProgress.Broken)
                    {
                        broken++;
                        Assert.Contains(scanner.Violation.Reply().ToString(), new[] { "550 5.6.0 Bare CR in content", "550 5.6.0 Bare LF in content" });
                        // Once broken, for ever broken: nothing after it ends the data.
                        Assert.Equal(ScanProgress.Broken, scanner.Scan("\r\n.\r\n"u8, new ArrayBufferWriter<byte>(), out var consumed));
                        Assert.Equal(0, consumed);
                    }
                    else
                    {
                        Assert.True(shouldEnd < 0);
                        Assert.DoesNotMatch("\r(?!\n)|(?<!\r)\n", whole);
                    }
                }
            }
        }

        Assert.True(ended > 0 && broken > ended);
    }

    [Theory]
    [InlineData(".\r\n", "")]
    [InlineData("a\r\n.\r\n", "a\r\n")]
    [InlineData("a\r\n..\r\n.\r\n", "a\r\n.\r\n")]
    [InlineData("..\r\n.\r\n", ".\r\n")]
    [InlineData(".a\r\n.\r\n", "a\r\n")]
    [InlineData("a\r\n\r\n.\r\n", "a\r\n\r\n")]
    [InlineData("a.\r\n.\r\nQUIT\r\n", "a.\r\n")]
    [InlineData("a\0b\r\n.\r\n", "a\0b\r\n")]
    public void Scan_CleanData_RemovesStuffing(string text, string expected)
    {
        for (var cut = 0; cut < 4; cut++)
        {
            var scanner = Scan(text, out var content, cut: cut);
            Assert.Equal(expected, content);
            Assert.Equal(ContentViolation.None, scanner.Violation);
            Assert.Equal(expected.Length, scanner.Octets);
        }
    }

    [Fact]
    public void Scan_Sequence_LeavesWhatFollows()
    {
        var buffer = new ReadOnlySequence<byte>("a\r\n.\r\nQUIT\r\n"u8.ToArray());
        Assert.Equal(ScanProgress.End, new EndOfDataScanner(ContentLimits.Default).Scan(ref buffer, new ArrayBufferWriter<byte>()));
        Assert.Equal("QUIT\r\n", Encoding.ASCII.GetString(buffer));
    }

    [Fact]
    public void Scan_LongLine_IsRefusedButTheEndIsFound()
    {
        var limits = ContentLimits.Default;
        var fits = new string('x', 998);
        for (var cut = 0; cut < 1000; cut += 333)
        {
            Assert.Equal(ContentViolation.None, Scan($"{fits}\r\n..{fits[1..]}\r\n.\r\n", out _, limits, cut: cut).Violation);
            var scanner = new EndOfDataScanner(limits);
            var result = ContentSamples.Scan(scanner, ContentSamples.Split(Encoding.ASCII.GetBytes($"a\r\n{fits}x\r\nb\r\n.\r\nQUIT"), cut));
            Assert.Equal(ScanProgress.End, result.Progress);
            Assert.Equal(ContentViolation.LineTooLong, scanner.Violation);
            Assert.Equal("554 5.6.0", scanner.Violation.Reply().ToString()[..9]);
        }
    }

    [Fact]
    public void Scan_TooLarge_IsRefusedAndNoMoreIsWritten()
    {
        var limits = new ContentLimits { MaxOctets = 10 };
        Assert.Equal(ContentViolation.None, Scan("12345678\r\n.\r\n", out var content, limits, cut: 3).Violation);
        Assert.Equal(10, content.Length);
        var scanner = Scan("123456789\r\nabc\r\n.\r\n", out content, limits, cut: 3);
        Assert.Equal(ContentViolation.TooLarge, scanner.Violation);
        Assert.Equal(16, scanner.Octets);
        Assert.True(content.Length <= 10);
        Assert.Equal(552, scanner.Violation.Reply().Code);
    }

    [Theory]
    [InlineData("Received: a\r\nreceived : b\r\n\tReceived: no\r\nSubject: Received:\r\nX-Received: c\r\nReceivedx: d\r\nReceive: d\r\nRECEIVED:\r\n\r\nReceived: body\r\n.\r\n", 3)]
    [InlineData("\r\nReceived: body\r\n.\r\n", 0)]
    [InlineData("no field\r\nReceived: body\r\n.\r\n", 0)]
    [InlineData(" leading\r\nReceived: body\r\n.\r\n", 0)]
    [InlineData("justtext\r\nReceived: body\r\n.\r\n", 0)]
    [InlineData(": x\r\nReceived: body\r\n.\r\n", 0)]
    [InlineData("A: x\r\n..Received: a\r\nReceived: b\r\n.\r\n", 1)]
    public void Hops_Header_CountsReceivedFields(string text, int expected)
    {
        for (var cut = 0; cut < 4; cut++) Assert.Equal(expected, Scan(text, out _, cut: cut).Hops);
    }

    [Fact]
    public void Hops_AboveFifty_IsALoop()
    {
        var hop = "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n";
        Assert.Equal(ContentViolation.None, Scan(string.Concat(Enumerable.Repeat(hop, 50)) + "\r\n.\r\n", out _).Violation);
        var scanner = Scan(string.Concat(Enumerable.Repeat(hop, 51)) + "\r\n.\r\n", out _);
        Assert.Equal(ContentViolation.Loop, scanner.Violation);
        Assert.Equal("554 5.4.6", scanner.Violation.Reply().ToString()[..9]);
    }

    [Fact]
    public void Scan_LongHeader_IsRefusedAndALongBodyIsNot()
    {
        var limits = new ContentLimits { MaxHeader = 30 };
        Assert.Equal(ContentViolation.None, Scan("A: 34567890123\r\nB: 45678901\r\n\r\n" + new string('x', 900) + "\r\n.\r\n", out _, limits, cut: 5).Violation);
        Assert.Equal(ContentViolation.HeaderTooLong, Scan("A: 34567890123\r\nB: 4567890123\r\n\r\n.\r\n", out _, limits, cut: 5).Violation);
        // Content without any header section.
        Assert.Equal(ContentViolation.None, Scan(string.Concat(Enumerable.Repeat("plain text, no field\r\n", 9)) + ".\r\n", out _, limits).Violation);
    }

    [Theory]
    [InlineData("A: b\r\n\r\nc\r\n.\r\n", false, false)]
    [InlineData("A: b\r\n\r\nc\u00E9\r\n.\r\n", true, false)]
    [InlineData("A: \u00E9\r\n\r\nc\r\n.\r\n", true, true)]
    public void HasEightBit_IsSeenWhereItIs(string text, bool anywhere, bool header)
    {
        for (var cut = 0; cut < 3; cut++)
        {
            var scanner = Scan(text, out _, cut: cut);
            Assert.Equal(anywhere, scanner.HasEightBit);
            Assert.Equal(header, scanner.HasEightBitHeader);
        }
    }

    [Fact]
    public void Counted_DotsMeanNothing()
    {
        var text = "a\r\n.\r\n..\r\n.b\r\n";
        for (var cut = 0; cut < 4; cut++)
        {
            var scanner = Scan(text, out var content, framing: ContentFraming.Counted, cut: cut);
            Assert.Equal(text, content);
            Assert.True(scanner.Finish(new ArrayBufferWriter<byte>()));
        }
    }

    [Theory]
    [InlineData("a", "\r\n", true)]
    [InlineData("a\r\n", "", true)]
    [InlineData("", "", true)]
    [InlineData("a\r", "", false)]
    public void Finish_Counted_CompletesTheLastLine(string text, string added, bool good)
    {
        var scanner = Scan(text, out _, framing: ContentFraming.Counted);
        var output = new ArrayBufferWriter<byte>();
        Assert.Equal(good, scanner.Finish(output));
        Assert.Equal(added, Encoding.ASCII.GetString(output.WrittenSpan));
        Assert.Equal(good ? ContentViolation.None : ContentViolation.BareCarriageReturn, scanner.Violation);
    }

    [Theory]
    [InlineData("a\rb", ContentViolation.BareCarriageReturn)]
    [InlineData("a\nb", ContentViolation.BareLineFeed)]
    [InlineData("\n", ContentViolation.BareLineFeed)]
    [InlineData("a\r\r\n", ContentViolation.BareCarriageReturn)]
    public void Counted_BareLineEnd_IsBroken(string text, ContentViolation violation)
    {
        for (var cut = 0; cut < 3; cut++) Assert.Equal(violation, Scan(text, out _, framing: ContentFraming.Counted, cut: cut).Violation);
    }

    [Fact]
    public void Reset_AfterAnything_ScansLikeNew() => Gen.Select(ContentSamples.Hostile, ContentSamples.Hostile).Sample((first, second) =>
    {
        var used = new EndOfDataScanner(new ContentLimits { MaxOctets = 20, MaxLine = 5, MaxHeader = 12, MaxHops = 0 });
        ContentSamples.Scan(used, ContentSamples.Split(first));
        used.Reset();
        var fresh = new EndOfDataScanner(new ContentLimits { MaxOctets = 20, MaxLine = 5, MaxHeader = 12, MaxHops = 0 });
        Assert.Equal(ContentSamples.Scan(fresh, ContentSamples.Split(second)), ContentSamples.Scan(used, ContentSamples.Split(second)));
        Assert.Equal((fresh.Violation, fresh.Octets, fresh.Hops, fresh.HasEightBit), (used.Violation, used.Octets, used.Hops, used.HasEightBit));
    });
}
