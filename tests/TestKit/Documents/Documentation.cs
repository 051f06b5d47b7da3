using System.Text.RegularExpressions;

namespace Angarium.TestKit.Documents;

/// <summary>The pages that people read: those of the root, all below docs, and the chart's. Reads files; no state.</summary>
public static partial class Documentation
{
    /// <summary>Paths from the root, in order.</summary>
    public static IReadOnlyList<string> Pages { get; } =
    [
        .. Directory.GetFiles(Repository.Root, "*.md").Concat(Directory.GetFiles(Repository.Path("docs"), "*.md", SearchOption.AllDirectories)).Append(Repository.Path("helm", "angarium", "README.md"))
            .Select(file => Path.GetRelativePath(Repository.Root, file)).Order(StringComparer.Ordinal),
    ];

    public static string Read(string page) => File.ReadAllText(Repository.Path(page));

    /// <summary>What stands between fences, without the indentation of the list that it is in.</summary>
    /// <exception cref="FormatException">A fence is not closed.</exception>
    public static IEnumerable<Fence> Fences(string page)
    {
        var lines = Read(page).Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            if (Opening().Match(lines[i]) is not { Success: true } opening) continue;
            var (indent, first) = (opening.Groups[1].Value, i + 1);
            while (++i < lines.Length && lines[i] != indent + "```") { }
            if (i == lines.Length) throw new FormatException($"{page}:{first}: this fence is not closed");
            yield return new Fence(opening.Groups[2].Value, first + 1, string.Concat(lines[first..i].Select(line => (line.StartsWith(indent, StringComparison.Ordinal) ? line[indent.Length..] : line) + "\n")));
        }
    }

    /// <summary>What stands between single backticks outside of fences, with its line. In tables `\|` is a bar.</summary>
    public static IEnumerable<(int Line, string Text)> Spans(string page)
    {
        var isFenced = false;
        var number = 0;
        foreach (var line in Read(page).Split('\n'))
        {
            number++;
            if (Opening().IsMatch(line)) isFenced = !isFenced;
            else if (!isFenced) foreach (Match span in Span().Matches(line)) yield return (number, span.Groups[1].Value.Replace("\\|", "|", StringComparison.Ordinal));
        }
    }

    [GeneratedRegex("^( *)```([a-z]*)$")]
    private static partial Regex Opening();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Span();
}

/// <param name="Language">After the first fence; may be empty.</param>
/// <param name="Line">Of the page, of the first line within.</param>
/// <param name="Text">Whole lines.</param>
public sealed record Fence(string Language, int Line, string Text)
{
    public bool IsShell => Language is "sh" or "bash" or "console";
}
