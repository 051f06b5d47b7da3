using System.Buffers;
using System.Globalization;

namespace Angarium.Host.Configuration;

/// <summary>Settings as text, both ways: one grammar for files, environment, command line and the reference. Pure.</summary>
internal static class SettingText
{
    private static readonly SearchValues<char> s_number = SearchValues.Create("0123456789.");
    private static readonly (string Unit, double Milliseconds)[] s_units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    /// <summary>The value, or (as <paramref name="expected"/>) what would have been right.</summary>
    public static bool TryParse(Type type, string text, out object? value, out string expected)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        text = text.Trim();
        value = null;
        expected = "";
        if (type == typeof(string)) value = text;
        else if (type == typeof(bool)) value = ParseBool(text, out expected);
        else if (type == typeof(int)) value = Whole<int>(text, int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var i) ? i : null, out expected);
        else if (type == typeof(long)) value = Whole<long>(text, long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var l) ? l : null, out expected);
        else if (type == typeof(double)) value = ParseDouble(text, out expected);
        else if (type == typeof(TimeSpan)) value = ParseDuration(text, out expected);
        else if (type.IsEnum) value = ParseEnum(type, text, out expected);
        else if (type == typeof(IReadOnlyList<string>)) value = Split(text);
        else if (type == typeof(IReadOnlyList<TimeSpan>)) value = ParseDurations(text, out expected);
        else throw new NotSupportedException($"A setting cannot be a {type}.");
        return value is not null;
    }

    public static string Format(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "true" : "false",
        TimeSpan duration => FormatDuration(duration),
        IReadOnlyList<TimeSpan> durations => string.Join(',', durations.Select(FormatDuration)),
        IEnumerable<string> list => string.Join(',', list),
        IFormattable number and not Enum => number.ToString(null, CultureInfo.InvariantCulture),
        Enum word => word.ToString().ToLowerInvariant(),
        _ => value.ToString() ?? "",
    };

    public static string KindOf(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type == typeof(bool) ? "true or false"
            : type == typeof(int) || type == typeof(long) ? "whole number"
            : type == typeof(double) ? "number"
            : type == typeof(TimeSpan) ? "duration"
            : type == typeof(IReadOnlyList<string>) ? "list"
            : type == typeof(IReadOnlyList<TimeSpan>) ? "list of durations"
            : type == typeof(IReadOnlyDictionary<string, string>) ? "map"
            : type.IsEnum ? string.Join(" or ", Enum.GetNames(type).Select(name => $"`{name.ToLowerInvariant()}`"))
            : "text";
    }

    private static bool? ParseBool(string text, out string expected)
    {
        expected = "`true` or `false`";
        return bool.TryParse(text, out var flag) ? flag : null;
    }

    private static T? Whole<T>(string text, T? parsed, out string expected) where T : struct
    {
        expected = text.Length > 0 && text.All(char.IsAsciiDigit) ? "a number that fits" : "a whole number such as `100`";
        return parsed;
    }

    private static double? ParseDouble(string text, out string expected)
    {
        expected = "a number such as `0.2`";
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : null;
    }

    private static object? ParseEnum(Type type, string text, out string expected)
    {
        var names = Enum.GetNames(type);
        expected = "one of " + string.Join(", ", names.Select(name => $"`{name.ToLowerInvariant()}`"));
        return names.Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse(type, text, ignoreCase: true) : null;
    }

    private static TimeSpan? ParseDuration(string text, out string expected)
    {
        expected = "a duration: a number with `ms`, `s`, `m`, `h` or `d`, such as `30s`";
        var digits = text.AsSpan().IndexOfAnyExcept(s_number);
        if (digits <= 0) return null;
        var unit = text[digits..].Trim();
        var factor = s_units.FirstOrDefault(candidate => candidate.Unit == unit).Milliseconds;
        if (factor == 0 || !double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return null;
        // A century is more than any wait needs and far from overflow in whatever is computed from it.
        var milliseconds = number * factor;
        return milliseconds <= 36_500 * 86_400_000.0 ? TimeSpan.FromMilliseconds(milliseconds) : null;
    }

    private static List<TimeSpan>? ParseDurations(string text, out string expected)
    {
        expected = "durations with commas between them, such as `5m,10m,1h`";
        var durations = new List<TimeSpan>();
        // An empty part is a slip of the pen that would shorten the schedule.
        foreach (var part in text.Length == 0 ? [] : text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (ParseDuration(part, out _) is not TimeSpan duration) return null;
            durations.Add(duration);
        }

        return durations;
    }

    private static string[] Split(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string FormatDuration(TimeSpan duration)
    {
        var milliseconds = duration.TotalMilliseconds;
        if (milliseconds == 0) return "0s";
        var (unit, factor) = s_units.Last(candidate => candidate.Unit == "ms" || (milliseconds >= candidate.Milliseconds && milliseconds % candidate.Milliseconds == 0));
        return (milliseconds / factor).ToString("0.###", CultureInfo.InvariantCulture) + unit;
    }
}
