using System.Globalization;
using System.Text;

namespace Angarium.Host.Logging;

/// <summary>Text of others made safe for one line of a log or a terminal. Pure.</summary>
internal static class Printable
{
    /// <summary>LF becomes a space; other controls, invisible format characters and lone surrogates become `\uXXXX`.</summary>
    public static string Line(string text)
    {
        var at = text.AsSpan().IndexOfAnyExceptInRange(' ', '~');
        if (at < 0) return text;
        while (at < text.Length && !IsUnsafe(text[at])) at++;
        if (at == text.Length) return text;
        var safe = new StringBuilder(text, 0, at, text.Length + 16);
        for (; at < text.Length; at++)
        {
            if (text[at] == '\n') safe.Append(' ');
            else if (char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1])) safe.Append(text, at++, 2);
            else if (IsUnsafe(text[at])) safe.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[at]:X4}");
            else safe.Append(text[at]);
        }

        return safe.ToString();
    }

    private static bool IsUnsafe(char one) => char.GetUnicodeCategory(one) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate;
}
