using System.Buffers;
using System.Text;

namespace Angarium.Mail.Replies;

/// <summary>What <see cref="ReplyReader.Read(ReadOnlySpan{byte}, out int)"/> came to.</summary>
public enum ReplyProgress : byte
{
    /// <summary>All input was taken, and the reply goes on.</summary>
    NeedMore,

    /// <summary><see cref="ReplyReader.Reply"/> is there; what follows it was not taken.</summary>
    Complete,

    /// <summary>This is no reply: <see cref="ReplyReader.Problem"/> says why. The connection is of no further use.</summary>
    Malformed,
}

/// <summary>
/// Reads a peer's replies, RFC 5321 §4.2.1, from octets as they come, split anywhere. A peer is hostile: lines, their number and what is kept are bounded,
/// control octets and what is not UTF-8 come out as `?`. A bare LF ends a line too. One per connection, on its thread; starts over by itself after each reply.
/// </summary>
public sealed class ReplyReader(ReplyLimits limits)
{
    private readonly byte[] _line = new byte[limits.KeptLine];
    private readonly StringBuilder _text = new();
    private int _kept;
    private int _length;
    private int _lines;
    private int _code;
    private bool _ended;
    private EnhancedStatus _status;

    public ReplyReader()
        : this(ReplyLimits.Default)
    {
    }

    /// <summary>The reply just completed; its text has one line per line of the reply, without codes.</summary>
    public Reply? Reply { get; private set; }

    /// <summary>Why it is malformed, printable.</summary>
    public string? Problem { get; private set; }

    /// <summary>True between the first octet of a reply and its end.</summary>
    public bool IsInside => _length > 0 || _lines > 0;

    /// <summary>Takes from <paramref name="buffer"/> what belongs to this reply.</summary>
    public ReplyProgress Read(ref ReadOnlySequence<byte> buffer)
    {
        var taken = 0L;
        var progress = ReplyProgress.NeedMore;
        foreach (var segment in buffer)
        {
            progress = Read(segment.Span, out var consumed);
            taken += consumed;
            if (progress != ReplyProgress.NeedMore) break;
        }

        buffer = buffer.Slice(taken);
        return progress;
    }

    public ReplyProgress Read(ReadOnlySpan<byte> input, out int consumed)
    {
        consumed = 0;
        if (_ended) Restart();
        while (consumed < input.Length)
        {
            var rest = input[consumed..];
            var end = rest.IndexOf((byte)'\n');
            var part = end < 0 ? rest : rest[..end];
            var keep = Math.Min(part.Length, _line.Length - _kept);
            part[..keep].CopyTo(_line.AsSpan(_kept));
            _kept += keep;
            consumed += end < 0 ? rest.Length : end + 1;
            // No overflow: it is checked before more is added, and a span is shorter than int.MaxValue less the limit only in theory.
            if (part.Length > limits.MaxLine - _length) return Fail("a reply line is too long");
            _length += part.Length;
            if (end < 0) return ReplyProgress.NeedMore;
            var progress = EndLine();
            if (progress != ReplyProgress.NeedMore) return progress;
        }

        return ReplyProgress.NeedMore;
    }

    private ReplyProgress EndLine()
    {
        var line = _line.AsSpan(0, _kept).TrimEnd((byte)'\r');
        _kept = _length = 0;
        // RFC 5321 §4.2: 2yz to 5yz, y from 0 to 5; a code alone is to be taken too (§4.2.1).
        if (line.Length < 3 || line[0] is < (byte)'2' or > (byte)'5' || line[1] is < (byte)'0' or > (byte)'9' || line[2] is < (byte)'0' or > (byte)'9')
            return Fail($"not a reply: {Clean(line[..Math.Min(line.Length, 60)])}");
        var more = line.Length > 3 && line[3] == (byte)'-';
        if (line.Length > 3 && !more && line[3] is not ((byte)' ' or (byte)'\t')) return Fail($"not a reply: {Clean(line[..Math.Min(line.Length, 60)])}");
        var code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
        var text = line.Length > 4 ? line[4..] : default;
        if (_lines == 0) _code = code;
        // RFC 5321 §4.2.1: the code is the same on every line. Which one is meant cannot be guessed.
        else if (code != _code) return Fail($"a reply with two codes: {_code} and {code}");
        if (++_lines > limits.MaxLines) return Fail("a reply has too many lines");
        // RFC 2034 §4: the class of the enhanced code is the first digit of the code. What disagrees is text.
        if (EnhancedStatus.TryParse(text, out var status, out var length) && status.Class == code / 100)
        {
            if (_lines == 1) _status = status;
            text = text[length..].TrimStart((byte)' ');
        }

        if (_lines > 1 && _text.Length < limits.KeptText) _text.Append('\n');
        var clean = Clean(text);
        _text.Append(clean, 0, Math.Min(clean.Length, limits.KeptText - Math.Min(_text.Length, limits.KeptText)));
        if (more) return ReplyProgress.NeedMore;
        Reply = new Reply(_code, _status, _text.ToString());
        _ended = true;
        return ReplyProgress.Complete;
    }

    private ReplyProgress Fail(string problem)
    {
        Problem = problem;
        _ended = true;
        return ReplyProgress.Malformed;
    }

    private void Restart()
    {
        _kept = _length = _lines = 0;
        _status = default;
        _text.Clear();
        Reply = null;
        Problem = null;
        _ended = false;
    }

    private static string Clean(ReadOnlySpan<byte> octets)
    {
        var text = new StringBuilder(octets.Length);
        while (!octets.IsEmpty)
        {
            var valid = Rune.DecodeFromUtf8(octets, out var rune, out var length) == OperationStatus.Done;
            var category = Rune.GetUnicodeCategory(rune);
            // Format characters would let a peer reorder or hide what an operator reads.
            var printable = valid && category is not (System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
                or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator);
            if (printable) text.Append(rune.ToString());
            else text.Append(rune.Value == '\t' ? ' ' : '?');
            octets = octets[length..];
        }

        return text.ToString();
    }
}
