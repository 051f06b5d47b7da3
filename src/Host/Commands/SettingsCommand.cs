using System.Text.Json;
using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Serving;

namespace Angarium.Host.Commands;

/// <summary>`angarium settings`: the values in force, the reference page, or only whether they are right. One thread.</summary>
internal static class SettingsCommand
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    public static int Run(SettingSources sources, bool markdown, bool check, bool json)
    {
        if (markdown)
        {
            Console.Out.Write(SettingReference.Markdown(SettingCatalog.All));
            return 0;
        }

        var bound = SettingBinder.Bind(SettingCatalog.All, sources.Read());
        foreach (var mistake in bound.Mistakes) Console.Error.WriteLine($"angarium: {mistake}");
        if (bound.Mistakes.Count > 0) return ServeCommand.ExitBadSettings;
        if (check) return 0;
        var values = SettingReference.InForce(SettingCatalog.All, bound).ToList();
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(values.ToDictionary(pair => pair.Name, pair => pair.Value), s_json));
        else foreach (var (name, value) in values) Console.Out.WriteLine($"{name} = {value}");
        return 0;
    }

    /// <summary>The folder of the relay that a command means, whatever else may be wrong with the settings.</summary>
    /// <exception cref="CommandException">A source cannot be read.</exception>
    public static string DataOf(SettingSources sources) => DataOf(Read(sources));

    public static string DataOf(SettingValues values) => values["Data"]?.Text is { Length: > 0 } data ? data : new RelayOptions().Data;

    /// <summary>The values as written, whatever else may be wrong with them.</summary>
    /// <exception cref="CommandException">A source cannot be read.</exception>
    public static SettingValues Read(SettingSources sources)
    {
        var values = sources.Read();
        return values.Mistakes.Count > 0 ? throw new CommandException(values.Mistakes[0], ServeCommand.ExitBadSettings) : values;
    }
}
