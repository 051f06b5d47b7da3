using System.Buffers;
using System.Text;
using Angarium.Mail.Addresses;
using Angarium.Mail.Commands;
using Angarium.Mail.Content;
using Angarium.Mail.Replies;
using Angarium.TestKit;

namespace Angarium.Unit.Mail;

/// <summary>Replays tests/Fuzz/Corpus: octets that broke mail systems, or that a fuzzer found. Each folder's parser must be total and agree with its oracle.</summary>
public sealed class CorpusTests
{
    public static TheoryData<string> Files(string parser) => [.. Directory.GetFiles(Folder(parser)).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static string Folder(string parser) => Repository.Path("tests", "Fuzz", "Corpus", parser);

    private static byte[] Read(string parser, string file) => File.ReadAllBytes(Path.Combine(Folder(parser), file));

    [Theory, MemberData(nameof(Files), "addresses")]
    public void Address_Corpus_ComesBackOrIsRefused(string file)
    {
        var octets = Read("addresses", file);
        if (MailAddress.TryParse(octets, out var address)) Assert.Equal(octets, Encoding.UTF8.GetBytes(address.ToString()));
    }

    [Theory, MemberData(nameof(Files), "commands")]
    public void Command_Corpus_IsACommandOrARefusal(string file)
    {
        var parsed = SmtpCommandParser.Parse(Read("commands", file));
        Assert.True(parsed.Command is null != parsed.Refusal is null);
        if (parsed.Refusal is { } refusal) Assert.InRange(ReplyWriter.Encode(refusal).Length, 6, ReplyWriter.MaxLine);
    }

    [Theory, MemberData(nameof(Files), "content")]
    public void Content_Corpus_IsAsTheOracleSays(string file)
    {
        var octets = Read("content", file);
        var expected = ContentSamples.Oracle(octets);
        for (var cut = 0; cut < 5; cut++)
            Assert.Equal(expected, ContentSamples.Scan(new EndOfDataScanner(ContentLimits.Default), ContentSamples.Split(octets, cut)));
        if (expected.Progress != ScanProgress.End) return;
        var output = new ArrayBufferWriter<byte>();
        var stuffer = new DotStuffer();
        stuffer.Write(Convert.FromHexString(expected.Content), output);
        stuffer.Finish(output);
        var again = ContentSamples.Scan(new EndOfDataScanner(ContentLimits.Default), ContentSamples.Split(output.WrittenSpan.ToArray()));
        Assert.Equal(expected.Content, again.Content);
    }

    [Theory, MemberData(nameof(Files), "replies")]
    public void Reply_Corpus_IsTheSameForEverySplit(string file)
    {
        var octets = Read("replies", file);
        var results = new List<string>();
        for (var cut = 0; cut < 5; cut++)
        {
            var reader = new ReplyReader();
            var progress = ReplyProgress.NeedMore;
            foreach (var part in ContentSamples.Split(octets, cut))
                if ((progress = reader.Read(part.Span, out _)) != ReplyProgress.NeedMore) break;
            Assert.DoesNotContain(reader.Reply?.Text ?? "", c => char.IsControl(c) && c != '\n');
            results.Add($"{progress} {reader.Reply} {reader.Problem}");
        }

        Assert.Single(results.Distinct());
    }
}
