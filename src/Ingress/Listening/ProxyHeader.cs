using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Angarium.Ingress.Listening;

/// <summary>How far a PROXY header has come.</summary>
internal enum ProxyProgress : byte { NeedMore, Complete, Malformed }

/// <summary>Whose connection it is that a proxy opens.</summary>
internal enum ProxyOrigin : byte
{
    /// <summary>A client's, whose address the header has.</summary>
    Relayed,

    /// <summary>The proxy's own, to see whether we live: the real address counts.</summary>
    Local,

    /// <summary>Somebody's whose address the proxy could not tell (UNKNOWN, UNSPEC, or no TCP over IP).</summary>
    Unknown,
}

/// <summary>
/// The header that a proxy puts before the octets of the connection it relays: HAProxy's PROXY protocol, versions 1 (§2.1 of its specification) and 2 (§2.2). A value; reading is pure, bounded by
/// <see cref="MaxLength"/>, and says of every octet that cannot belong to a header so as soon as it is there.
/// </summary>
/// <param name="Client">Of <see cref="ProxyOrigin.Relayed"/>, else null.</param>
internal readonly record struct ProxyHeader(ProxyOrigin Origin, IPEndPoint? Client)
{
    /// <summary>§2.1: the longest line of version 1, CRLF included.</summary>
    public const int MaxLine = 107;

    /// <summary>§2: a header fits into the smallest segment of TCP (536 octets). Here that bounds what follows the fixed part of version 2; longer ones are refused, whatever they hold.</summary>
    public const int MaxLength = FixedPart + 536;

    private const int FixedPart = 16;

    private static readonly SearchValues<char> OfIpv6 = SearchValues.Create("0123456789abcdefABCDEF:.");

    private static ReadOnlySpan<byte> Signature => [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    private static ReadOnlySpan<byte> Word => "PROXY "u8;

    /// <param name="octets">From the first of the connection; more than a header may be there.</param>
    /// <param name="length">Of the header, when it is complete.</param>
    /// <param name="problem">Why it is malformed.</param>
    public static ProxyProgress Read(ReadOnlySpan<byte> octets, out ProxyHeader header, out int length, out string problem)
    {
        (header, length, problem) = (default, 0, "");
        if (octets.IsEmpty) return ProxyProgress.NeedMore;
        if (IsStartOf(octets, Signature)) return octets.Length <= Signature.Length ? ProxyProgress.NeedMore : ReadBinary(octets, out header, out length, out problem);
        if (IsStartOf(octets, Word)) return octets.Length <= Word.Length ? ProxyProgress.NeedMore : ReadLine(octets, out header, out length, out problem);
        problem = "no PROXY header";
        return ProxyProgress.Malformed;
    }

    private static bool IsStartOf(ReadOnlySpan<byte> octets, ReadOnlySpan<byte> whole) => whole.StartsWith(octets[..Math.Min(octets.Length, whole.Length)]);

    private static ProxyProgress ReadLine(ReadOnlySpan<byte> octets, out ProxyHeader header, out int length, out string problem)
    {
        (header, length, problem) = (default, 0, "");
        var line = octets[..Math.Min(octets.Length, MaxLine)];
        var end = line.IndexOfAny((byte)'\r', (byte)'\n');
        // §2.1: nothing is decoded before the CRLF is there, and a lone CR or LF is none.
        if (end < 0 || end == line.Length - 1 && line[end] == '\r')
        {
            if (line.Length < MaxLine) return ProxyProgress.NeedMore;
            problem = "no CRLF in the first 107 octets";
            return ProxyProgress.Malformed;
        }

        length = end + 2;
        if (line[end] == '\n' || line[end + 1] != '\n') problem = "a line of version 1 that does not end with CRLF";
        else if (!TryReadLine(line[Word.Length..end], out header)) problem = "a line of version 1 that is not `PROXY TCP4|TCP6 source destination port port`";
        return problem.Length == 0 ? ProxyProgress.Complete : ProxyProgress.Malformed;
    }

    private static bool TryReadLine(ReadOnlySpan<byte> text, out ProxyHeader header)
    {
        header = new ProxyHeader(ProxyOrigin.Unknown, null);
        // What follows it is ignored.
        if (text.SequenceEqual("UNKNOWN"u8) || text.StartsWith("UNKNOWN "u8)) return true;
        Span<Range> parts = stackalloc Range[6];
        var ascii = Encoding.Latin1.GetString(text).AsSpan();
        if (ascii.Split(parts, ' ') != 5) return false;
        var family = ascii[parts[0]] switch { "TCP4" => AddressFamily.InterNetwork, "TCP6" => AddressFamily.InterNetworkV6, _ => AddressFamily.Unspecified };
        if (family == AddressFamily.Unspecified || !TryAddress(ascii[parts[1]], family, out var source) || !TryAddress(ascii[parts[2]], family, out _)
            || !TryPort(ascii[parts[3]], out var port) || !TryPort(ascii[parts[4]], out _)) return false;
        header = new ProxyHeader(ProxyOrigin.Relayed, new IPEndPoint(source, port));
        return true;
    }

    private static bool TryAddress(ReadOnlySpan<char> text, AddressFamily family, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        // Scopes, brackets and prefixes that the parser would take are not of this form. Dots are those of a mapped IPv4 address, as inet_ntop writes it.
        if (family == AddressFamily.InterNetworkV6)
            return !text.ContainsAnyExcept(OfIpv6) && IPAddress.TryParse(text, out address) && address.AddressFamily == family;
        // Exactly four numbers without heading zeroes: anything else may mean another address elsewhere.
        return IPAddress.TryParse(text, out address) && address.AddressFamily == family && text.SequenceEqual(address.ToString());
    }

    private static bool TryPort(ReadOnlySpan<char> text, out ushort port)
    {
        port = 0;
        // The parser would take octets of zero behind the digits.
        return !text.ContainsAnyExceptInRange('0', '9') && ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && (text[0] != '0' || text.Length == 1);
    }

    private static ProxyProgress ReadBinary(ReadOnlySpan<byte> octets, out ProxyHeader header, out int length, out string problem)
    {
        (header, length, problem) = (default, 0, "");
        var command = octets[12];
        if (command is not (0x20 or 0x21)) problem = "neither LOCAL nor PROXY of version 2";
        // Of LOCAL the family is ignored, whatever it says.
        else if (octets.Length > 13 && command == 0x21 && (octets[13] >> 4 > 3 || (octets[13] & 0x0F) > 2)) problem = "an unspecified family or protocol";
        if (problem.Length > 0) return ProxyProgress.Malformed;
        if (octets.Length < FixedPart) return ProxyProgress.NeedMore;

        length = FixedPart + BinaryPrimitives.ReadUInt16BigEndian(octets[14..]);
        var (family, protocol) = (octets[13] >> 4, octets[13] & 0x0F);
        if (length > MaxLength) problem = "a header of version 2 that is too long";
        else if (command == 0x21 && protocol != 0 && length - FixedPart < family switch { 1 => 12, 2 => 36, 3 => 216, _ => 0 }) problem = "addresses that are cut";
        if (problem.Length > 0) return ProxyProgress.Malformed;
        if (octets.Length < length) return ProxyProgress.NeedMore;

        // What comes after the addresses (TLVs) is skipped.
        header = (command, octets[13]) switch
        {
            (0x20, _) => new ProxyHeader(ProxyOrigin.Local, null),
            (_, 0x11) => new ProxyHeader(ProxyOrigin.Relayed, new IPEndPoint(new IPAddress(octets.Slice(FixedPart, 4)), BinaryPrimitives.ReadUInt16BigEndian(octets[(FixedPart + 8)..]))),
            (_, 0x21) => new ProxyHeader(ProxyOrigin.Relayed, new IPEndPoint(new IPAddress(octets.Slice(FixedPart, 16)), BinaryPrimitives.ReadUInt16BigEndian(octets[(FixedPart + 32)..]))),
            _ => new ProxyHeader(ProxyOrigin.Unknown, null),
        };
        return ProxyProgress.Complete;
    }
}
