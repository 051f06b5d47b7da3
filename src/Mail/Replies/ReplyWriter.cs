using System.Buffers;
using System.Text;

namespace Angarium.Mail.Replies;

/// <summary>
/// Puts replies on the wire, RFC 5321 §4.2.1: one line per line of text, each with the code and, by RFC 2034 §4, with the enhanced status code. Pure.
/// </summary>
public static class ReplyWriter
{
    /// <summary>RFC 5321 §4.5.3.1.5: 512 octets with CRLF. What is longer is cut.</summary>
    public const int MaxLine = 512;

    public static byte[] Encode(Reply reply)
    {
        var buffer = new ArrayBufferWriter<byte>(64);
        Write(buffer, reply);
        return buffer.WrittenSpan.ToArray();
    }

    public static void Write(IBufferWriter<byte> output, Reply reply)
    {
        ReadOnlySpan<char> text = reply.Text;
        Span<byte> prefix = stackalloc byte[16];
        var prefixLength = Prefix(prefix, reply);
        while (true)
        {
            var end = text.IndexOf('\n');
            prefix[3] = end < 0 ? (byte)' ' : (byte)'-';
            WriteLine(output, prefix[..prefixLength], end < 0 ? text : text[..end]);
            if (end < 0) return;
            text = text[(end + 1)..];
        }
    }

    private static int Prefix(Span<byte> prefix, Reply reply)
    {
        // RFC 5321 §4.2: codes are 2yz to 5yz with three digits.
        ArgumentOutOfRangeException.ThrowIfLessThan(reply.Code, 200);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(reply.Code, 599);
        reply.Code.TryFormat(prefix, out _);
        if (reply.Status.IsNone) return 4;
        Encoding.ASCII.TryGetBytes($"{reply.Status} ", prefix[4..], out var length);
        return 4 + length;
    }

    private static void WriteLine(IBufferWriter<byte> output, ReadOnlySpan<byte> prefix, ReadOnlySpan<char> text)
    {
        var line = output.GetSpan(MaxLine);
        prefix.CopyTo(line);
        // Whole characters only; the line end always fits.
        Encoding.UTF8.GetEncoder().Convert(text, line[prefix.Length..(MaxLine - 2)], flush: true, out _, out var length, out _);
        foreach (ref var octet in line.Slice(prefix.Length, length))
            if (octet is < 0x20 or 0x7F) octet = (byte)'?'; // Text may quote what a client sent: it must not end the line.
        length += prefix.Length;
        line[length] = (byte)'\r';
        line[length + 1] = (byte)'\n';
        output.Advance(length + 2);
    }
}
