using System.Buffers;
using System.Buffers.Text;

namespace Angarium.Mail.Sasl;

/// <summary>What stands on a line of an exchange, RFC 4954 §4: base64, or `=` for an initial response of no octets, or `*` to give up. Pure; any thread.</summary>
public static class SaslLine
{
    /// <summary>Longest line that is read, without its CRLF.</summary>
    public const int Max = 2_048;

    public static bool IsCancelled(ReadOnlySpan<byte> line) => line is [(byte)'*'];

    /// <summary>An initial response, behind the mechanism's name.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> initial, out byte[] octets)
    {
        octets = [];
        return initial is [(byte)'='] || !initial.IsEmpty && TryDecodeLine(initial, out octets);
    }

    /// <summary>A response on a line of its own, which may be empty. RFC 4648 §3: no white space, no missing padding.</summary>
    public static bool TryDecodeLine(ReadOnlySpan<byte> line, out byte[] octets)
    {
        octets = [];
        if (line.Length > Max || line.ContainsAny(" \t\r\n"u8)) return false;
        var decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(line.Length)];
        if (Base64.DecodeFromUtf8(line, decoded, out var used, out var written) != OperationStatus.Done || used != line.Length) return false;
        octets = decoded[..written];
        return true;
    }
}
