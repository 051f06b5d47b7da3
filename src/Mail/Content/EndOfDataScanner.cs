using System.Buffers;
using System.Text;

namespace Angarium.Mail.Content;

/// <summary>What <see cref="EndOfDataScanner.Scan(ReadOnlySpan{byte}, IBufferWriter{byte}, out int)"/> came to.</summary>
public enum ScanProgress : byte
{
    /// <summary>All input was taken, and the content goes on.</summary>
    NeedMore,

    /// <summary>CRLF.CRLF was seen; what follows it was not taken. <see cref="EndOfDataScanner.Violation"/> says whether the content may be accepted.</summary>
    End,

    /// <summary>A bare CR or LF: give the violation's reply, then close. Nothing further may be read as commands.</summary>
    Broken,
}

/// <summary>How the end of content is told.</summary>
public enum ContentFraming : byte
{
    /// <summary>DATA: CRLF.CRLF ends it, and a dot at the start of a line is removed (RFC 5321 §4.5.2).</summary>
    Dots,

    /// <summary>BDAT: counted octets (RFC 3030 §2). Dots mean nothing; the session calls <see cref="EndOfDataScanner.Finish"/> after the last chunk.</summary>
    Counted,
}

/// <summary>
/// Reads content as it comes, split anywhere, and writes what is stored: dots removed, all else octet for octet. It ends on CRLF.CRLF alone; a bare CR or LF
/// anywhere breaks it. Other violations are remembered: scanning goes on to the end so that the session stays in step, but nothing more is written. NUL is
/// taken as it is: RFC 5322 §4 forbids to make it, not to relay it, and content is the sender's. One per transaction or reset for the next, on the session's
/// thread; holds no content, so memory does not grow with the message.
/// </summary>
public sealed class EndOfDataScanner(ContentLimits limits, ContentFraming framing = ContentFraming.Dots)
{
    private static readonly SearchValues<byte> LineEnds = SearchValues.Create("\r\n"u8);

    private State _state = State.LineStart;
    private Header _header = Header.LineStart;
    private long _line;
    private long _headerOctets;
    private int _nameLength;
    private bool _nameIsReceived;
    private bool _nameEnded;

    private enum State : byte
    {
        /// <summary>After CRLF, or at the beginning: RFC 5321 §4.1.1.4 counts the CRLF of the DATA line.</summary>
        LineStart,

        /// <summary>After a dot at the start of a line.</summary>
        Dot,

        /// <summary>After such a dot and CR.</summary>
        DotCr,

        Inside,

        /// <summary>After CR.</summary>
        Cr,
    }

    private enum Header : byte { LineStart, FieldName, FieldBody, Over }

    /// <summary>The first thing found wrong.</summary>
    public ContentViolation Violation { get; private set; }

    /// <summary>Octets of content so far, those not written for a violation included.</summary>
    public long Octets { get; private set; }

    /// <summary>An octet above 127 was seen.</summary>
    public bool HasEightBit { get; private set; }

    /// <summary>An octet above 127 was seen in the header section: it needs SMTPUTF8 (RFC 6532 §3).</summary>
    public bool HasEightBitHeader { get; private set; }

    /// <summary>Received fields in the header section.</summary>
    public int Hops { get; private set; }

    /// <summary>For the next message.</summary>
    public void Reset()
    {
        _state = State.LineStart;
        _header = Header.LineStart;
        _line = _headerOctets = Octets = 0;
        _nameLength = Hops = 0;
        _nameIsReceived = _nameEnded = HasEightBit = HasEightBitHeader = false;
        Violation = ContentViolation.None;
    }

    /// <summary>Takes from <paramref name="buffer"/> what belongs to this content.</summary>
    public ScanProgress Scan(ref ReadOnlySequence<byte> buffer, IBufferWriter<byte> output)
    {
        var taken = 0L;
        var progress = ScanProgress.NeedMore;
        foreach (var segment in buffer)
        {
            progress = Scan(segment.Span, output, out var consumed);
            taken += consumed;
            if (progress != ScanProgress.NeedMore) break;
        }

        buffer = buffer.Slice(taken);
        return progress;
    }

    public ScanProgress Scan(ReadOnlySpan<byte> input, IBufferWriter<byte> output, out int consumed)
    {
        // Octets [from, at) are content not yet written: one run up to the next removed dot.
        int from = 0, at = 0;
        if (Violation.BreaksFraming())
        {
            consumed = 0;
            return ScanProgress.Broken;
        }

        while (at < input.Length)
        {
            switch (_state)
            {
                case State.LineStart when framing == ContentFraming.Dots && input[at] == (byte)'.':
                    // The dot goes in any case: it is either stuffing or the end.
                    Emit(input[from..at], output);
                    from = ++at;
                    _state = State.Dot;
                    break;
                case State.Dot when input[at] == (byte)'\r':
                    from = ++at;
                    _state = State.DotCr;
                    break;
                case State.DotCr:
                    if (input[at] != (byte)'\n') return Break(ContentViolation.BareCarriageReturn, out consumed, at);
                    consumed = at + 1;
                    return ScanProgress.End;
                case State.Cr:
                    if (input[at] != (byte)'\n') return Break(ContentViolation.BareCarriageReturn, out consumed, at);
                    at++;
                    EndLine();
                    _state = State.LineStart;
                    break;
                default:
                    var rest = input[at..];
                    var end = rest.IndexOfAny(LineEnds);
                    var part = end < 0 ? rest : rest[..end];
                    if (!part.IsEmpty) TakeLine(part);
                    at += part.Length;
                    _state = State.Inside;
                    if (end < 0) break;
                    if (rest[end] == (byte)'\n') return Break(ContentViolation.BareLineFeed, out consumed, at);
                    at++;
                    _state = State.Cr;
                    break;
            }
        }

        Emit(input[from..at], output);
        consumed = input.Length;
        return ScanProgress.NeedMore;
    }

    /// <summary>
    /// After the last octet of BDAT. Content that lacks its last CRLF gets one: BDAT can be without, but DATA at the next hop cannot (RFC 5321 §4.1.1.4:
    /// whoever puts it into DATA must add it), so what is stored is what is sent; body hashes of RFC 6376 §3.4.3 do not change by it. False: see <see cref="Violation"/>.
    /// </summary>
    public bool Finish(IBufferWriter<byte> output)
    {
        if (_state == State.Cr) Note(ContentViolation.BareCarriageReturn);
        if (_state == State.Inside)
        {
            Emit("\r\n"u8, output);
            EndLine();
            _state = State.LineStart;
        }

        return Violation == ContentViolation.None;
    }

    private ScanProgress Break(ContentViolation violation, out int consumed, int at)
    {
        // It counts above what was found before: the connection has to close.
        Violation = violation;
        consumed = at;
        return ScanProgress.Broken;
    }

    private void Note(ContentViolation violation)
    {
        if (Violation == ContentViolation.None) Violation = violation;
    }

    private void Emit(ReadOnlySpan<byte> run, IBufferWriter<byte> output)
    {
        if (run.IsEmpty) return;
        Octets = checked(Octets + run.Length);
        if (Octets > limits.MaxOctets) Note(ContentViolation.TooLarge);
        if (!HasEightBit && !Ascii.IsValid(run)) HasEightBit = true;
        if (Violation == ContentViolation.None) output.Write(run);
    }

    private void TakeLine(ReadOnlySpan<byte> part)
    {
        if (_header != Header.Over) TakeHeader(part);
        _line += part.Length;
        if (_line > limits.MaxLine) Note(ContentViolation.LineTooLong);
    }

    private void EndLine()
    {
        // RFC 5322 §2.1: an empty line ends the header section; so does, in effect, a line that is neither a field nor its continuation.
        if (_header == Header.LineStart || (_header == Header.FieldName && _line > 0)) _header = Header.Over;
        else if (_header == Header.FieldBody) _header = Header.LineStart;
        if (_header == Header.LineStart) CountHeader(2);
        _line = 0;
    }

    private void TakeHeader(ReadOnlySpan<byte> part)
    {
        CountHeader(part.Length);
        if (!HasEightBitHeader && !Ascii.IsValid(part)) HasEightBitHeader = true;
        if (_header == Header.FieldBody) return;
        if (_header == Header.LineStart)
        {
            _nameLength = 0;
            _nameIsReceived = true;
            _nameEnded = false;
            // A continuation, RFC 5322 §2.2.3; as the very first line it is none.
            _header = part[0] is (byte)' ' or (byte)'\t' && _headerOctets > part.Length ? Header.FieldBody : Header.FieldName;
            if (_header == Header.FieldBody) return;
        }

        foreach (var c in part)
        {
            if (c == (byte)':' && _nameLength > 0)
            {
                if (_nameIsReceived && _nameLength == Received.Length && ++Hops > limits.MaxHops) Note(ContentViolation.Loop);
                _header = Header.FieldBody;
                return;
            }

            // RFC 5322 §2.2: names are octets 33 to 126 but the colon; §4.5.8: white space before the colon is an old form.
            if (c is (byte)' ' or (byte)'\t') _nameEnded = true;
            if (c is (byte)':' or > 126 or (< 33 and not ((byte)' ' or (byte)'\t')) || (_nameEnded && c > 32) || (_nameEnded && _nameLength == 0))
            {
                _header = Header.Over;
                return;
            }

            if (_nameEnded) continue;
            _nameIsReceived = _nameIsReceived && _nameLength < Received.Length && (c | 0x20) == Received[_nameLength];
            _nameLength++;
        }
    }

    private static ReadOnlySpan<byte> Received => "received"u8;

    private void CountHeader(int octets)
    {
        _headerOctets += octets;
        if (_headerOctets > limits.MaxHeader) Note(ContentViolation.HeaderTooLong);
    }
}
