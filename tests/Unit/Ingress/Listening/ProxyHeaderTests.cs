using System.Buffers.Binary;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Angarium.Ingress.Listening;
using Angarium.TestKit;
using CsCheck;

namespace Angarium.Unit.Ingress.Listening;

/// <summary>HAProxy's PROXY protocol, by the clauses of its specification; hostile octets against an oracle that reads it another way.</summary>
public sealed partial class ProxyHeaderTests
{
    private const string Tcp4 = "PROXY TCP4 192.0.2.7 198.51.100.9 40000 25\r\n";
    private const string Tcp6 = "PROXY TCP6 2001:db8::7 2001:DB8::9 40000 25\r\n";

    public static TheoryData<string> Files => [.. Directory.GetFiles(Repository.Path("tests", "Fuzz", "Corpus", "proxy")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    /// <summary>§2.1.</summary>
    [Theory]
    [InlineData(Tcp4, "192.0.2.7:40000")]
    [InlineData(Tcp6, "[2001:db8::7]:40000")]
    [InlineData("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535")]
    [InlineData("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")]
    [InlineData("PROXY TCP6 ::ffff:192.0.2.7 ::1 0 25\r\n", "[::ffff:192.0.2.7]:0")]
    [InlineData("PROXY UNKNOWN\r\n", null)]
    [InlineData("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", null)]
    public void Read_Version1_NamesTheClient(string text, string? client)
    {
        var header = Complete(Octets(text + "EHLO x\r\n"), text.Length);
        Assert.Equal(client is null ? ProxyOrigin.Unknown : ProxyOrigin.Relayed, header.Origin);
        Assert.Equal(client, header.Client?.ToString());
    }

    [Theory]
    [InlineData("EHLO client.example\r\n")]
    [InlineData("PROXY\r\n")]
    [InlineData("proxy TCP4 192.0.2.7 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY  TCP4 192.0.2.7 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 40000 25 \r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 40000\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 40000 25\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 40000 25\rx")]
    [InlineData("PROXY TCP4 192.0.2.07 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.519 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY TCP4 0xc0000207 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.256 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY TCP4 2001:db8::7 2001:db8::9 40000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 elsewhere 40000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 040000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 65536 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 +4000 25\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 198.51.100.9 4000\0 25\r\n")]
    [InlineData("PROXY TCP6 192.0.2.7 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY TCP6 [2001:db8::7] 2001:db8::9 40000 25\r\n")]
    [InlineData("PROXY TCP6 fe80::1%eth0 2001:db8::9 40000 25\r\n")]
    [InlineData("PROXY TCP6 2001:db8::7/64 2001:db8::9 40000 25\r\n")]
    [InlineData("PROXY UDP4 192.0.2.7 198.51.100.9 40000 25\r\n")]
    [InlineData("PROXY UNKNOWNS\r\n")]
    public void Read_Version1ThatIsNot_IsRefused(string text) => Assert.NotEmpty(Malformed(Octets(text)));

    /// <summary>§2.1: the CRLF is in the first 107 octets, or it is no header.</summary>
    [Fact]
    public void Read_Version1TooLong_IsRefusedWithItsLastOctet()
    {
        var longest = Octets("PROXY UNKNOWN " + new string('x', 107 - 16) + "\r\n");
        Assert.Equal(ProxyHeader.MaxLine, longest.Length);
        Complete(longest, longest.Length);
        var longer = Octets("PROXY UNKNOWN " + new string('x', 107 - 15) + "\r\n");
        Assert.Equal(ProxyProgress.NeedMore, ProxyHeader.Read(longer.AsSpan(0, 106), out _, out _, out _));
        Assert.NotEmpty(Malformed(longer.AsSpan(0, 107).ToArray()));
        Assert.NotEmpty(Malformed(longer));
    }

    /// <summary>§2.2.</summary>
    [Theory]
    [InlineData(0x21, 0x11, "Relayed", "192.0.2.7:40000")]
    [InlineData(0x21, 0x21, "Relayed", "[2001:db8::7]:40000")]
    [InlineData(0x21, 0x00, "Unknown", null)]
    [InlineData(0x21, 0x10, "Unknown", null)]
    [InlineData(0x21, 0x01, "Unknown", null)]
    [InlineData(0x21, 0x12, "Unknown", null)]
    [InlineData(0x21, 0x22, "Unknown", null)]
    [InlineData(0x21, 0x31, "Unknown", null)]
    [InlineData(0x20, 0x00, "Local", null)]
    [InlineData(0x20, 0x11, "Local", null)]
    [InlineData(0x20, 0xFF, "Local", null)]
    public void Read_Version2_NamesTheClientAndSkipsTheRest(int command, int family, string origin, string? client)
    {
        foreach (var extra in (int[])[0, 3, 300])
        {
            var octets = Binary(command, family, extra);
            var header = Complete([.. octets, .. Octets("EHLO x\r\n")], octets.Length);
            Assert.Equal(origin, header.Origin.ToString());
            Assert.Equal(client, header.Client?.ToString());
        }
    }

    [Theory]
    [InlineData(0x11, 0x11)]
    [InlineData(0x22, 0x11)]
    [InlineData(0x2F, 0x11)]
    [InlineData(0x21, 0x41)]
    [InlineData(0x21, 0x13)]
    public void Read_Version2OfAnUnspecifiedKind_IsRefused(int command, int family) => Assert.NotEmpty(Malformed(Binary(command, family, 0)));

    [Theory]
    [InlineData(0x11, 11)]
    [InlineData(0x12, 0)]
    [InlineData(0x21, 35)]
    [InlineData(0x31, 215)]
    public void Read_Version2WithCutAddresses_IsRefused(int family, int length) => Assert.NotEmpty(Malformed(Binary(0x21, family, 0, length)));

    /// <summary>No number of the peer's choosing is waited for.</summary>
    [Fact]
    public void Read_Version2TooLong_IsRefusedBeforeItComes()
    {
        Complete(Binary(0x20, 0, 536), ProxyHeader.MaxLength);
        Assert.Equal("a header of version 2 that is too long", Malformed(Binary(0x20, 0, 537).AsSpan(0, 16).ToArray()));
        Assert.NotEmpty(Malformed(Binary(0x21, 0x11, 65_000).AsSpan(0, 16).ToArray()));
    }

    /// <summary>§2: a header may come octet by octet: whatever is cut is waited for, and nothing but the whole is taken.</summary>
    [Fact]
    public void Read_EveryPrefix_NeedsMore()
    {
        foreach (var whole in Samples())
        {
            for (var cut = 0; cut < whole.Length; cut++)
                Assert.Equal((cut, ProxyProgress.NeedMore), (cut, ProxyHeader.Read(whole.AsSpan(0, cut), out _, out _, out _)));
            Complete(whole, whole.Length);
        }
    }

    [Fact]
    public void Read_EveryOctetChangedInEveryWay_IsAsTheOracleSays()
    {
        foreach (var whole in Samples())
            for (var at = 0; at < whole.Length; at++)
                for (var value = 0; value < 256; value++)
                {
                    byte[] changed = [.. whole];
                    changed[at] = (byte)value;
                    AssertAsTheOracleSays(changed);
                }
    }

    [Fact]
    public void Read_OctetsDrawnAtRandom_AreAsTheOracleSays()
    {
        var line = Gen.OneOfConst("PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "192.0.2.7 ", "::1 ", " ", "25", "0", "65536", "\r\n", "\r", "\n", "\0", ".", ":").List[0, 12].Select(parts => Octets(string.Concat(parts)));
        var binary = Gen.Select(Gen.Byte.Array[0, 600], Gen.Int[0, 16], (rest, kept) => (byte[])[.. Binary(0x21, 0x11, 0)[..kept], .. rest]);
        Gen.OneOf(line, binary).Sample(AssertAsTheOracleSays, iter: 20_000);
    }

    [Theory, MemberData(nameof(Files))]
    public void Read_Corpus_IsAsTheOracleSays(string file)
    {
        var octets = File.ReadAllBytes(Repository.Path("tests", "Fuzz", "Corpus", "proxy", file));
        for (var cut = 0; cut <= octets.Length; cut++) AssertAsTheOracleSays(octets[..cut]);
    }

    private static void AssertAsTheOracleSays(byte[] octets)
    {
        var progress = ProxyHeader.Read(octets, out var header, out var length, out var problem);
        Assert.Equal(progress == ProxyProgress.Malformed, problem.Length > 0);
        var said = progress == ProxyProgress.Complete ? $"{header.Origin} {header.Client} {length}" : progress.ToString();
        var expected = octets is [0x0D, ..] ? BinaryOracle(octets) : LineOracle(Encoding.Latin1.GetString(octets));
        Assert.True(expected == said, $"{expected} != {said}: {Convert.ToHexString(octets)}");
    }

    private static string LineOracle(string text)
    {
        const string Word = "PROXY ";
        if (text.Length <= Word.Length) return Word.StartsWith(text, StringComparison.Ordinal) ? "NeedMore" : "Malformed";
        if (Line().Match(text) is { Success: true, Length: <= 107 } match)
        {
            if (match.Groups["unknown"].Success) return $"Unknown  {match.Length}";
            var isSix = match.Groups["six"].Success;
            if (match.Groups["address"].Captures.All(c => IPAddress.TryParse(c.Value, out var a) && a.GetAddressBytes().Length == (isSix ? 16 : 4) && (isSix || a.ToString() == c.Value))
                && match.Groups["port"].Captures.All(c => int.Parse(c.Value) < 65_536))
                return $"Relayed {new IPEndPoint(IPAddress.Parse(match.Groups["address"].Captures[0].Value), int.Parse(match.Groups["port"].Captures[0].Value))} {match.Length}";
            return "Malformed";
        }

        // Only what has no end of line yet may become one.
        return text.Length < 107 && text.StartsWith(Word, StringComparison.Ordinal) && text.IndexOfAny(['\r', '\n']) is var end && (end < 0 || text[end] == '\r' && end == text.Length - 1) ? "NeedMore" : "Malformed";
    }

    private static string BinaryOracle(byte[] octets)
    {
        var start = Binary(0x21, 0x11, 0)[..12];
        for (var i = 0; i < Math.Min(12, octets.Length); i++)
            if (octets[i] != start[i]) return "Malformed";
        if (octets.Length > 12 && octets[12] != 0x20 && octets[12] != 0x21) return "Malformed";
        var isLocal = octets.Length > 12 && octets[12] == 0x20;
        if (!isLocal && octets.Length > 13 && (octets[13] > 0x3F || octets[13] % 16 > 2)) return "Malformed";
        if (octets.Length < 16) return "NeedMore";
        var length = octets[14] * 256 + octets[15];
        var needed = isLocal || octets[13] % 16 == 0 ? 0 : (octets[13] / 16) switch { 0 => 0, 1 => 12, 2 => 36, _ => 216 };
        if (length > 536 || length < needed) return "Malformed";
        if (octets.Length < 16 + length) return "NeedMore";
        if (isLocal) return $"Local  {16 + length}";
        return octets[13] switch
        {
            0x11 => $"Relayed {new IPEndPoint(new IPAddress(octets[16..20]), octets[24] * 256 + octets[25])} {16 + length}",
            0x21 => $"Relayed {new IPEndPoint(new IPAddress(octets[16..32]), octets[48] * 256 + octets[49])} {16 + length}",
            _ => $"Unknown  {16 + length}",
        };
    }

    private static byte[][] Samples() =>
        [Octets(Tcp4), Octets(Tcp6), Octets("PROXY UNKNOWN\r\n"), Octets("PROXY UNKNOWN and more\r\n"), Binary(0x21, 0x11, 0), Binary(0x21, 0x21, 7), Binary(0x20, 0, 0), Binary(0x21, 0, 5), Binary(0x21, 0x31, 0)];

    /// <summary>A header of version 2 from 192.0.2.7 or 2001:db8::7, port 40000, with octets behind its addresses.</summary>
    private static byte[] Binary(int command, int family, int extra, int? length = null)
    {
        var source = (family >> 4) switch { 1 => "192.0.2.7", 2 => "2001:db8::7", _ => null };
        byte[] block = [];
        if (source is not null) block = [.. IPAddress.Parse(source).GetAddressBytes(), .. IPAddress.Parse(source).GetAddressBytes(), 0x9C, 0x40, 0, 25];
        else if (family >> 4 == 3) block = new byte[216];
        block = [.. block, .. Enumerable.Repeat((byte)0xEE, extra)];
        if (length is { } cut) block = [.. block[..Math.Min(cut, block.Length)], .. new byte[Math.Max(0, cut - block.Length)]];
        byte[] octets = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, (byte)command, (byte)family, 0, 0, .. block];
        BinaryPrimitives.WriteUInt16BigEndian(octets.AsSpan(14), (ushort)block.Length);
        return octets;
    }

    private static ProxyHeader Complete(byte[] octets, int length)
    {
        Assert.Equal((ProxyProgress.Complete, length), (ProxyHeader.Read(octets, out var header, out var read, out var problem), read));
        Assert.Equal("", problem);
        return header;
    }

    private static string Malformed(byte[] octets)
    {
        Assert.Equal(ProxyProgress.Malformed, ProxyHeader.Read(octets, out _, out _, out var problem));
        return problem;
    }

    private static byte[] Octets(string text) => Encoding.Latin1.GetBytes(text);

    [GeneratedRegex(@"\APROXY (?:(?<unknown>UNKNOWN)(?: [^\r\n]*)?|(?:TCP4 (?:(?<address>[0-9.]+) ){2}|(?<six>TCP6) (?:(?<address>[0-9a-fA-F:.]+) ){2})(?<port>0|[1-9][0-9]{0,4}) (?<port>0|[1-9][0-9]{0,4}))\r\n")]
    private static partial Regex Line();
}
