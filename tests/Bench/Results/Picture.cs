using System.Globalization;
using System.Text;

namespace Angarium.Bench.Results;

/// <summary>The medians of a comparison as a bar chart (SVG): messages a second, a group of bars for each shape. No state.</summary>
internal static class Picture
{
    private const int Left = 130, Bars = 560, Height = 16, Gap = 14, Top = 44;
    private static readonly string[] s_colours = ["#8a94a6", "#1f6feb", "#d0883c", "#3c9d6b"];

    /// <param name="rows">All of them.</param>
    /// <param name="title">Machine and commit, in a line.</param>
    /// <param name="without">The relay that is left out: a ceiling that would dwarf the rest.</param>
    public static string Of(IReadOnlyList<Row> rows, string title, string without)
    {
        var relays = rows.Select(r => r.Relay).Distinct().Where(r => r != without).ToList();
        var medians = rows.Where(r => r.Relay != without).GroupBy(r => (r.Shape, r.Relay)).ToDictionary(g => g.Key, g => Spread.Of(g.Select(r => r.PerSecond)).Median);
        var shapes = rows.Select(r => r.Shape).Distinct().ToList();
        var most = medians.Values.Max();
        var group = relays.Count * Height + Gap;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Left + Bars + 90}\" height=\"{Top + shapes.Count * group + 8}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        text.Append(CultureInfo.InvariantCulture, $"<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"8\" y=\"16\" fill=\"#222\">Messages a second, end to end: {title}</text>\n");
        for (var i = 0; i < relays.Count; i++)
            text.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left + 130 * i}\" y=\"24\" width=\"12\" height=\"12\" fill=\"{Colour(i)}\"/><text x=\"{Left + 130 * i + 17}\" y=\"35\" fill=\"#222\">{relays[i]}</text>\n");
        for (var s = 0; s < shapes.Count; s++)
        {
            text.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 8}\" y=\"{Top + s * group + relays.Count * Height / 2 + 4}\" text-anchor=\"end\" fill=\"#222\">{shapes[s]}</text>\n");
            for (var i = 0; i < relays.Count; i++)
            {
                if (!medians.TryGetValue((shapes[s], relays[i]), out var median)) continue;
                var (y, width) = (Top + s * group + i * Height, Math.Max(1, median / most * Bars));
                text.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left}\" y=\"{y}\" width=\"{width:0.0}\" height=\"{Height - 2}\" fill=\"{Colour(i)}\"/><text x=\"{Left + width + 5:0.0}\" y=\"{y + 11}\" fill=\"#222\">{median:#,0}</text>\n");
            }
        }

        return text.Append("</svg>\n").ToString();
    }

    private static string Colour(int relay) => s_colours[relay % s_colours.Length];
}
