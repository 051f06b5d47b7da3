using System.Globalization;
using System.Text;

namespace Angarium.Chaos.Chart;

/// <summary>The table of values in the chart's README, from the comments in values.yaml that begin with `--`. Pure.</summary>
internal static class ValuesReference
{
    private const string Begin = "<!-- values -->\n", End = "<!-- end of values -->";

    /// <exception cref="FormatException">A value has no such comment.</exception>
    public static string Table(IReadOnlyList<string> lines)
    {
        var table = new StringBuilder("| value | default | meaning |\n| --- | --- | --- |\n");
        var path = new Stack<(int Indent, string Key)>();
        string? meaning = null;
        int? whole = null;
        for (var i = 0; i < lines.Count; i++)
        {
            var (text, indent) = (lines[i].Trim(), lines[i].TakeWhile(c => c == ' ').Count());
            if (text.Length == 0) continue;
            if (text[0] == '#')
            {
                if (text.StartsWith("# -- ", StringComparison.Ordinal)) meaning = text[5..];
                continue;
            }

            // Below a value that was described as a whole.
            if (indent > whole) continue;
            whole = null;
            while (path.Count > 0 && path.Peek().Indent >= indent) path.Pop();
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            path.Push((indent, text[..colon]));
            var value = text[(colon + 1)..].Trim();
            if (value.Length == 0 && meaning is null) continue;
            var name = string.Join('.', path.Reverse().Select(p => p.Key));
            if (meaning is null) throw new FormatException($"values.yaml: {name} has no comment that begins with `# -- `");
            if (value.Length == 0)
            {
                whole = indent;
                value = string.Join(", ", lines.Skip(i + 1).TakeWhile(l => l.StartsWith(new string(' ', indent + 1), StringComparison.Ordinal)).Select(l => l.Trim()));
                value = $"{{{value}}}";
            }

            table.Append(CultureInfo.InvariantCulture, $"| `{name}` | `{value}` | {meaning.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
            meaning = null;
        }

        return table.ToString();
    }

    /// <summary>The page with this table in place of its own.</summary>
    public static string In(string page, string table)
    {
        var (begin, end) = (page.IndexOf(Begin, StringComparison.Ordinal), page.IndexOf(End, StringComparison.Ordinal));
        return begin < 0 || end < begin ? throw new FormatException($"the page has no place for values: {Begin}…{End}") : page[..(begin + Begin.Length)] + table + page[end..];
    }
}
