using System.Buffers;
using Angarium.Mail.Content;
using CsCheck;

namespace Angarium.Unit.Mail;

/// <summary>Content made to hit line ends and dots, the ways of splitting it, and a slow oracle that shares nothing with the scanner.</summary>
internal static class ContentSamples
{
    /// <summary>Mostly CR, LF, dots and a few letters.</summary>
    public static readonly Gen<byte[]> Hostile = Gen.OneOfConst("\r\n", "\r\n", "\r\n", ".", ".", "\r\n.\r\n", "\r\n.", "\r", "\n", "a", "bc", "\r\n\r\n", "Received: x", "ü")
        .Array[0, 24].Select(parts => System.Text.Encoding.UTF8.GetBytes(string.Concat(parts)));

    /// <summary>Lines that all end in CRLF.</summary>
    public static readonly Gen<byte[]> Lines = Gen.OneOf(
            Gen.OneOfConst<byte>((byte)'.', (byte)'a', (byte)' ', 0, 0xE9).Array[0, 6],
            Gen.Byte.Array[0, 90].Select(line => Array.FindAll(line, c => c is not (13 or 10))))
        .Array[0, 12].Select(lines => lines.SelectMany(line => line.Concat("\r\n"u8.ToArray())).ToArray());

    public static readonly Gen<int[]> Cuts = Gen.Int[1, 7].Array[1, 5];

    /// <summary>Splits into parts whose lengths go around <paramref name="cuts"/>; a first cut of 0 or less leaves it whole.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Split(byte[] octets, params int[] cuts)
    {
        if (cuts.Length == 0 || cuts[0] <= 0)
        {
            yield return octets;
            yield break;
        }

        for (int at = 0, i = 0; at < octets.Length; i++)
        {
            var length = Math.Min(cuts[i % cuts.Length], octets.Length - at);
            yield return octets.AsMemory(at, length);
            at += length;
        }
    }

    public readonly record struct Result(ScanProgress Progress, int Consumed, string Content);

    public static Result Scan(EndOfDataScanner scanner, IEnumerable<ReadOnlyMemory<byte>> parts)
    {
        var output = new ArrayBufferWriter<byte>();
        var consumed = 0;
        foreach (var part in parts)
        {
            var progress = scanner.Scan(part.Span, output, out var taken);
            consumed += taken;
            if (progress != ScanProgress.NeedMore) return new(progress, consumed, progress == ScanProgress.Broken ? "" : Convert.ToHexString(output.WrittenSpan));
        }

        return new(ScanProgress.NeedMore, consumed, Convert.ToHexString(output.WrittenSpan));
    }

    /// <summary>RFC 5321 §4.1.1.4 and §4.5.2, by looking at the whole.</summary>
    public static Result Oracle(byte[] octets)
    {
        // Latin-1: one character an octet. The CRLF of the DATA line comes before.
        var text = "\r\n" + System.Text.Encoding.Latin1.GetString(octets);
        var end = text.IndexOf("\r\n.\r\n", StringComparison.Ordinal);
        var bare = -1;
        for (var i = 2; i < text.Length && bare < 0; i++)
        {
            if (text[i] == '\n' && text[i - 1] != '\r') bare = i;
            if (text[i - 1] == '\r' && text[i] != '\n') bare = i;
        }

        if (bare >= 0 && (end < 0 || bare <= end)) return new(ScanProgress.Broken, bare - 2, "");
        var content = end < 0 ? text : text[..(end + 2)];
        // What is still open at the end of the input: a dot is not content until more is known.
        if (end < 0 && content.EndsWith("\r\n.\r", StringComparison.Ordinal)) content = content[..^2];
        content = content.Replace("\r\n.", "\r\n", StringComparison.Ordinal)[2..];
        return new(end < 0 ? ScanProgress.NeedMore : ScanProgress.End, end < 0 ? octets.Length : end + 3, Convert.ToHexString(System.Text.Encoding.Latin1.GetBytes(content)));
    }
}
