using System.Collections.Frozen;
using Angarium.Ingress.Files;

namespace Angarium.Ingress.Policy;

/// <summary>The recipients of one configured domain: everyone, or the local parts of a file. Immutable; any thread.</summary>
internal sealed class RecipientList
{
    /// <summary>Greatest file that is read, in octets.</summary>
    private const long MaxFile = 512L << 20;

    private readonly FrozenSet<string>? _localParts;

    private RecipientList(string source, FileStamp stamp, FrozenSet<string>? localParts) => (Source, Stamp, _localParts) = (source, stamp, localParts);

    /// <summary>The file, or `*`.</summary>
    public string Source { get; }

    public FileStamp Stamp { get; }

    public int Count => _localParts?.Count ?? 0;

    /// <summary>Local parts compare without regard to case: a list that told `Anna` from `anna` would refuse mail that its domain takes.</summary>
    public bool Names(string localPart) => _localParts?.Contains(localPart.ToLowerInvariant()) ?? true;

    /// <summary>Named in the file itself, not merely by `*`.</summary>
    public bool NamesExpressly(string localPart) => _localParts is not null && Names(localPart);

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="FormatException">A line is not a recipient of this domain.</exception>
    public static RecipientList Load(string domain, string source)
    {
        if (source == "*") return new RecipientList(source, FileStamp.None, null);
        var stamp = FileStamp.Of(source);
        if (stamp.Length > MaxFile) throw new FormatException($"{source} is larger than {MaxFile} octets");
        var localParts = new HashSet<string>(StringComparer.Ordinal);
        var number = 0;
        foreach (var line in File.ReadLines(source))
        {
            number++;
            var entry = WithoutComment(line).Trim();
            if (entry.IsEmpty) continue;
            var at = entry.LastIndexOf('@');
            if (at == 0 || at > 0 && !entry[(at + 1)..].Equals(domain, StringComparison.OrdinalIgnoreCase) || entry.ContainsAny(' ', '\t'))
                throw new FormatException($"line {number} of {source} is not a recipient of {domain}");
            localParts.Add((at < 0 ? entry : entry[..at]).ToString().ToLowerInvariant());
        }

        return new RecipientList(source, stamp, localParts.ToFrozenSet(StringComparer.Ordinal));
    }

    // '#' may stand in a local part: it begins a comment only at the start or after white space.
    private static ReadOnlySpan<char> WithoutComment(ReadOnlySpan<char> line)
    {
        for (var i = 0; i < line.Length; i++)
            if (line[i] == '#' && (i == 0 || char.IsWhiteSpace(line[i - 1]))) return line[..i];
        return line;
    }
}
