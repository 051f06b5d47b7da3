using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Angarium.TestKit.Dialogs;

/// <summary>
/// A readable dialog from a `*.smtp` file: the lines that begin with one of its head words, and the rest, which are steps of the script (or comments).
/// Every octet of the file stands for itself; escapes: \r, \n, \\, \x00, and \{999 x} for x 999 times.
/// </summary>
public sealed partial record DialogScript(IReadOnlyList<(string Word, string Text)> Head, IReadOnlyList<string> Steps)
{
    public static DialogScript Read(string file, params string[] headWords)
    {
        var head = new List<(string, string)>();
        var steps = new List<string>();
        foreach (var line in File.ReadAllLines(file, Encoding.Latin1))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            var word = space < 0 ? line : line[..space];
            if (headWords.Contains(word)) head.Add((word, space < 0 ? "" : line[(space + 1)..].Trim()));
            else steps.Add(line);
        }

        return new DialogScript(head, steps);
    }

    public static string Unescape(string text) => Escapes().Replace(text, match => match.Value[1] switch
    {
        'r' => "\r",
        'n' => "\n",
        '\\' => "\\",
        '{' => string.Concat(Enumerable.Repeat(Unescape(match.Groups["what"].Value), int.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture))),
        _ => ((char)Convert.ToInt32(match.Value[2..], 16)).ToString(),
    });

    [GeneratedRegex(@"\\(r|n|\\|x[0-9a-f]{2}|\{(?<count>\d+) (?<what>[^}]+)\})")]
    private static partial Regex Escapes();
}
