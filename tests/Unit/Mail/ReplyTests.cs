using System.Buffers;
using System.Text;
using Angarium.Mail;
using Angarium.Mail.Replies;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class ReplyTests
{
    private static (ReplyProgress Progress, ReplyReader Reader, int Consumed) Read(byte[] octets, params int[] cuts)
    {
        var reader = new ReplyReader();
        var consumed = 0;
        foreach (var part in ContentSamples.Split(octets, cuts))
        {
            var progress = reader.Read(part.Span, out var taken);
            consumed += taken;
            if (progress != ReplyProgress.NeedMore) return (progress, reader, consumed);
        }

        return (ReplyProgress.NeedMore, reader, consumed);
    }

    private static Reply Take(string text, int cut = 0)
    {
        var (progress, reader, _) = Read(Encoding.UTF8.GetBytes(text), cut);
        Assert.Equal(ReplyProgress.Complete, progress);
        return reader.Reply!;
    }

    [Theory]
    [InlineData("250 OK\r\n", 250, "", "OK")]
    [InlineData("250\r\n", 250, "", "")]
    [InlineData("250 \r\n", 250, "", "")]
    [InlineData("250 OK\n", 250, "", "OK")] // A bare LF harms nobody here.
    [InlineData("250 2.1.0 OK\r\n", 250, "2.1.0", "OK")]
    [InlineData("550 5.1.1\r\n", 550, "5.1.1", "")]
    [InlineData("451-4.7.1 Greylisted\r\n451 4.7.1 come back\r\n", 451, "4.7.1", "Greylisted\ncome back")]
    [InlineData("250-mx.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n", 250, "", "mx.example\nSIZE 1000\nSTARTTLS")]
    [InlineData("550 4.1.1 no\r\n", 550, "", "4.1.1 no")] // RFC 2034 §4: the classes disagree.
    [InlineData("250 2.0.0000 OK\r\n", 250, "", "2.0.0000 OK")]
    [InlineData("250 2.0.0x OK\r\n", 250, "", "2.0.0x OK")]
    [InlineData("250 10.0.0.1 OK\r\n", 250, "", "10.0.0.1 OK")]
    [InlineData("250 a\0b\u001b[31m\tc\u202Ed\u0085\r\n", 250, "", "a?b?[31m c?d?")]
    [InlineData("250 grüße\r\n", 250, "", "grüße")]
    public void Read_Reply_IsTypedAndClean(string text, int code, string status, string expected)
    {
        for (var cut = 0; cut < 4; cut++)
        {
            var reply = Take(text, cut);
            Assert.Equal(code, reply.Code);
            Assert.Equal(status, reply.Status.ToString());
            Assert.Equal(expected, reply.Text);
        }
    }

    [Theory]
    [InlineData("\r\n")]
    [InlineData("25\r\n")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("150 x\r\n")]
    [InlineData("600 x\r\n")]
    [InlineData("2500 x\r\n")]
    [InlineData("250-a\r\n251 b\r\n")]
    [InlineData("250-a\r\nb\r\n")]
    [InlineData("SSH-2.0-OpenSSH\r\n")]
    public void Read_OtherText_IsMalformed(string text)
    {
        var (progress, reader, _) = Read(Encoding.ASCII.GetBytes(text));
        Assert.Equal(ReplyProgress.Malformed, progress);
        Assert.NotEmpty(reader.Problem!);
        Assert.Null(reader.Reply);
    }

    [Fact]
    public void Read_NotUtf8_IsReplaced()
    {
        var (_, reader, _) = Read([.. "250 a"u8, 0xFF, 0xC3, .. "b\r\n"u8]);
        Assert.Equal("a??b", reader.Reply!.Text);
    }

    [Fact]
    public void Read_EndlessReplies_AreBounded()
    {
        // A line is kept up to 512 octets, and tolerated up to 4096.
        Assert.Equal(512 - 4, Take($"250 {new string('x', 4000)}\r\n").Text.Length);
        foreach (var cut in new[] { 0, 1, 999 })
            Assert.Equal(ReplyProgress.Malformed, Read(Encoding.ASCII.GetBytes("250 " + new string('x', 5000)), cut).Progress);
        var lines = string.Concat(Enumerable.Repeat("250-x\r\n", 99));
        Assert.Equal(199, Take(lines + "250 x\r\n").Text.Length);
        Assert.Equal(ReplyProgress.Malformed, Read(Encoding.ASCII.GetBytes(lines + "250-x\r\n250 x\r\n")).Progress);
        Assert.InRange(Take(string.Concat(Enumerable.Repeat($"250-{new string('x', 500)}\r\n", 99)) + "250 x\r\n").Text.Length, 8000, 8400);
    }

    [Fact]
    public void Read_Pipelined_TakesOneAtATime()
    {
        var buffer = new ReadOnlySequence<byte>("250 a\r\n354 b\r\n55"u8.ToArray());
        var reader = new ReplyReader();
        Assert.Equal(ReplyProgress.Complete, reader.Read(ref buffer));
        Assert.Equal("250 a", reader.Reply!.ToString());
        Assert.Equal(ReplyProgress.Complete, reader.Read(ref buffer));
        Assert.Equal("354 b", reader.Reply!.ToString());
        Assert.False(buffer.IsEmpty);
        Assert.Equal(ReplyProgress.NeedMore, reader.Read(ref buffer));
        Assert.True(buffer.IsEmpty && reader.IsInside && reader.Reply is null);
    }

    [Fact]
    public void Read_AnyOctets_IsTotalAndTheSameForEverySplit()
    {
        var octets = Gen.OneOf(Gen.Byte.Array[0, 40], Gen.OneOfConst("250", "-", " ", "\r\n", "\n", "5.1.1", "2.0.0", "x", "ü", "\0", "550").Array[0, 14].Select(p => Encoding.UTF8.GetBytes(string.Concat(p))));
        Gen.Select(octets, ContentSamples.Cuts).Sample((text, cuts) =>
        {
            var whole = Read(text);
            foreach (var split in new[] { [1], cuts })
            {
                var other = Read(text, split);
                Assert.Equal((whole.Progress, whole.Reader.Reply, whole.Reader.Problem), (other.Progress, other.Reader.Reply, other.Reader.Problem));
            }

            Assert.DoesNotContain(whole.Reader.Reply?.Text ?? "", c => char.IsControl(c) && c != '\n');
        });
    }

    [Theory]
    [InlineData(250, "2.0.0", "OK", "250 2.0.0 OK\r\n")]
    [InlineData(250, "", "mx.example\nSIZE 1\nHELP", "250-mx.example\r\n250-SIZE 1\r\n250 HELP\r\n")]
    [InlineData(550, "5.1.1", "No such\nuser", "550-5.1.1 No such\r\n550 5.1.1 user\r\n")]
    [InlineData(354, "", "", "354 \r\n")]
    [InlineData(550, "5.1.1", "a\r250 b\0", "550 5.1.1 a?250 b?\r\n")]
    public void Write_Reply_HasCodesOnEachLine(int code, string status, string text, string expected)
    {
        Assert.Equal(status.Length > 0, EnhancedStatus.TryParse(Encoding.ASCII.GetBytes(status), out var parsed, out _));
        Assert.Equal(expected, Encoding.UTF8.GetString(ReplyWriter.Encode(new Reply(code, parsed, text))));
    }

    [Fact]
    public void Write_LongLine_IsCutAt512Octets()
    {
        var wire = ReplyWriter.Encode(new Reply(250, new EnhancedStatus(2, 0, 0), new string('ü', 1000)));
        Assert.InRange(wire.Length, 511, 512);
        Assert.EndsWith("ü\r\n", Encoding.UTF8.GetString(wire));
    }

    [Fact]
    public void Read_WhatWasWritten_ComesBack()
    {
        var text = Gen.String[Gen.Char["abc 250-.ü\n"], 1, 80].Where(t => t.Split('\n').All(l => !l.StartsWith(' ') && !EnhancedStatus.TryParse(Encoding.UTF8.GetBytes(l), out _, out _)));
        Gen.Select(Gen.Int[0, 2], text, Gen.Int[0, 999], Gen.Int[0, 999], ContentSamples.Cuts).Sample((kind, lines, subject, detail, cuts) =>
        {
            var first = new[] { 2, 4, 5 }[kind];
            var reply = new Reply(first * 100 + 50, new EnhancedStatus((byte)first, (ushort)subject, (ushort)detail), lines);
            var (progress, reader, _) = Read(ReplyWriter.Encode(reply), cuts);
            Assert.Equal(ReplyProgress.Complete, progress);
            Assert.Equal(reply, reader.Reply);
        });
    }
}
