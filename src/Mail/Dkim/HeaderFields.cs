using System.Buffers;

namespace Angarium.Mail.Dkim;

/// <summary>
/// The fields of a header section as it is, RFC 5322 §2.2: where each begins and ends, with its folded lines. Whatever is no field ends the section. Bounded by the section's own limit;
/// made once, read only.
/// </summary>
public sealed class HeaderFields
{
    private readonly ReadOnlyMemory<byte> _section;
    private readonly List<(int Start, int NameLength, int End)> _fields = [];

    /// <param name="content">The content, or as much of it as holds its header section.</param>
    public HeaderFields(ReadOnlyMemory<byte> content)
    {
        _section = content;
        var octets = content.Span;
        var at = 0;
        while (at < octets.Length)
        {
            var name = NameLength(octets[at..]);
            if (name == 0) break;
            var end = at;
            do end = LineEnd(octets, end);
            while (end < octets.Length && octets[end] is (byte)' ' or (byte)'\t');
            _fields.Add((at, name, end));
            at = end;
        }

        BodyStart = at < octets.Length && octets[at..].StartsWith("\r\n"u8) ? at + 2 : at;
    }

    /// <summary>Where the body begins: behind the empty line, if there is one.</summary>
    public int BodyStart { get; }

    public int Count => _fields.Count;

    public ReadOnlySpan<byte> Name(int index) => _section.Span.Slice(_fields[index].Start, _fields[index].NameLength);

    /// <summary>What stands behind the colon, folded as it came, with its last CRLF.</summary>
    public ReadOnlySpan<byte> Body(int index)
    {
        var (start, nameLength, end) = _fields[index];
        var rest = _section.Span[(start + nameLength)..end];
        return rest[(rest.IndexOf((byte)':') + 1)..];
    }

    public bool Has(ReadOnlySpan<byte> name) => CountOf(name) > 0;

    public int CountOf(ReadOnlySpan<byte> name)
    {
        var count = 0;
        for (var i = 0; i < _fields.Count; i++)
            if (System.Text.Ascii.EqualsIgnoreCase(Name(i), name)) count++;
        return count;
    }

    /// <summary>The field's name without what may stand before the colon (RFC 5322 §4.5); 0 = this is no field.</summary>
    private static int NameLength(ReadOnlySpan<byte> line)
    {
        var length = line.IndexOfAnyExceptInRange((byte)33, (byte)126);
        var colon = line.IndexOf((byte)':');
        if (colon <= 0) return 0;
        if (length < 0 || length > colon) return colon;
        return line[length..colon].IndexOfAnyExcept((byte)' ', (byte)'\t') < 0 ? length : 0;
    }

    private static int LineEnd(ReadOnlySpan<byte> octets, int from)
    {
        var end = octets[from..].IndexOf("\r\n"u8);
        return end < 0 ? octets.Length : from + end + 2;
    }
}
