using System.Buffers;

namespace Angarium.Mail.Content;

/// <summary>
/// Puts content on the wire for DATA, RFC 5321 §4.5.2, from parts split anywhere: a dot at the start of a line is doubled, and CRLF.CRLF ends it exactly once.
/// Content was checked when it was accepted; a bare CR or LF here is a broken invariant and throws before it can reach a peer. One per transaction, on the
/// session's thread.
/// </summary>
public sealed class DotStuffer
{
    private static readonly SearchValues<byte> LineEnds = SearchValues.Create("\r\n"u8);

    private bool _lineStart = true;
    private bool _cr;

    /// <summary>For the next message.</summary>
    public void Reset()
    {
        _lineStart = true;
        _cr = false;
    }

    public void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> output)
    {
        // Octets [from, at) are not yet written: one run up to the next dot to double.
        int from = 0, at = 0;
        while (at < content.Length)
        {
            if (_cr)
            {
                if (content[at] != (byte)'\n') throw Bare();
                at++;
                _cr = false;
                _lineStart = true;
                continue;
            }

            if (_lineStart && content[at] == (byte)'.')
            {
                output.Write(content[from..at]);
                output.Write("."u8);
                from = at++;
            }

            _lineStart = false;
            var end = content[at..].IndexOfAny(LineEnds);
            if (end < 0)
            {
                at = content.Length;
                break;
            }

            at += end;
            if (content[at] == (byte)'\n') throw Bare();
            at++;
            _cr = true;
        }

        output.Write(content[from..at]);
    }

    /// <summary>Writes the final dot. A line without its end gets it first.</summary>
    public void Finish(IBufferWriter<byte> output)
    {
        if (_cr) throw Bare();
        output.Write(_lineStart ? ".\r\n"u8 : "\r\n.\r\n"u8);
    }

    private static InvalidDataException Bare() => new("stored content has a CR or LF alone");
}
