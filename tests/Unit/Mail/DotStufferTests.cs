using System.Buffers;
using System.Text;
using Angarium.Mail.Content;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class DotStufferTests
{
    private static byte[] Stuff(byte[] content, params int[] cuts)
    {
        var stuffer = new DotStuffer();
        var output = new ArrayBufferWriter<byte>();
        foreach (var part in ContentSamples.Split(content, cuts)) stuffer.Write(part.Span, output);
        stuffer.Finish(output);
        return output.WrittenSpan.ToArray();
    }

    [Theory]
    [InlineData("", ".\r\n")]
    [InlineData("a\r\n", "a\r\n.\r\n")]
    [InlineData("a", "a\r\n.\r\n")]
    [InlineData(".\r\n", "..\r\n.\r\n")]
    [InlineData(".", "..\r\n.\r\n")]
    [InlineData("a\r\n.\r\n.b.\r\n\r\n", "a\r\n..\r\n..b.\r\n\r\n.\r\n")]
    [InlineData("a\r\n..\r\n", "a\r\n...\r\n.\r\n")]
    public void Write_Lines_AreStuffedAndEnded(string content, string expected)
    {
        for (var cut = 0; cut < 4; cut++) Assert.Equal(expected, Encoding.ASCII.GetString(Stuff(Encoding.ASCII.GetBytes(content), cut)));
    }

    [Fact]
    public void Write_ThenScan_IsTheSameContent() => Gen.Select(ContentSamples.Lines, ContentSamples.Cuts, ContentSamples.Cuts).Sample((content, cuts, more) =>
    {
        var wire = Stuff(content, cuts);
        Assert.Equal(Stuff(content), wire);
        var result = ContentSamples.Scan(new EndOfDataScanner(ContentLimits.Default), ContentSamples.Split(wire, more));
        Assert.Equal(new ContentSamples.Result(ScanProgress.End, wire.Length, Convert.ToHexString(content)), result);
    });

    [Theory]
    [InlineData("a\nb")]
    [InlineData("a\rb")]
    [InlineData("\n")]
    [InlineData("a\r\r\n")]
    [InlineData("a\r")]
    public void Write_BareLineEnd_Throws(string content)
    {
        for (var cut = 0; cut < 3; cut++) Assert.Throws<InvalidDataException>(() => Stuff(Encoding.ASCII.GetBytes(content), cut));
    }

    [Fact]
    public void Reset_AfterAHalf_StartsAnew()
    {
        var stuffer = new DotStuffer();
        stuffer.Write("a\r"u8, new ArrayBufferWriter<byte>());
        stuffer.Reset();
        var output = new ArrayBufferWriter<byte>();
        stuffer.Write(".\r\n"u8, output);
        stuffer.Finish(output);
        Assert.Equal("..\r\n.\r\n", Encoding.ASCII.GetString(output.WrittenSpan));
    }
}
