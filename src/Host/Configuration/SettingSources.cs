using System.Collections;
using System.Text.Json;

namespace Angarium.Host.Configuration;

/// <summary>
/// Where settings come from: built-in defaults of the environment, then the JSON file, then `ANGARIUM_…`, then the command line; the later wins. Reads the
/// file anew on every call, so that a reload is the same code as a start. Any thread.
/// </summary>
internal sealed record SettingSources
{
    public const string Prefix = "ANGARIUM_";
    private const int MaxFileOctets = 4 << 20;

    /// <summary>Where a package lays the file, for the service and for everyone who calls a command: used where none is named.</summary>
    public const string Installed = "/etc/angarium/angarium.json";

    /// <summary>Not settings, but read from the environment under the same prefix.</summary>
    private static readonly string[] s_reserved = ["CONFIG", "API_URL", "API_KEY"];

    public required bool Development { get; init; }

    /// <summary>Null = no file.</summary>
    public string? File { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>`Name=value` pairs of the command line.</summary>
    public IReadOnlyList<string> CommandLine { get; init; } = [];

    /// <summary>Defaults that were made for this start.</summary>
    public IReadOnlyDictionary<string, string> Made { get; init; } = new Dictionary<string, string>();

    /// <summary>The sources of this process.</summary>
    public static SettingSources OfProcess(string? file, IReadOnlyList<string> commandLine)
    {
        var environment = System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? "");
        environment.TryGetValue("DOTNET_ENVIRONMENT", out var name);
        environment.TryGetValue(Prefix + s_reserved[0], out var named);
        var development = "Development".Equals(name, StringComparison.OrdinalIgnoreCase);
        return new SettingSources
        {
            Development = development,
            File = FileOf([file, named], development ? null : Installed),
            Environment = environment,
            CommandLine = commandLine,
        };
    }

    /// <summary>The first that is named, whether it exists or not, else the installed one where it is.</summary>
    internal static string? FileOf(string?[] named, string? installed) => named.FirstOrDefault(one => !string.IsNullOrEmpty(one)) ?? (System.IO.File.Exists(installed) ? installed : null);

    public SettingValues Read()
    {
        var values = new SettingValues();
        if (File is not null) ReadFile(values, File);
        foreach (var (variable, text) in Environment)
        {
            if (!variable.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) continue;
            var name = variable[Prefix.Length..].Replace("__", ":", StringComparison.Ordinal);
            if (!s_reserved.Contains(name, StringComparer.OrdinalIgnoreCase)) values.Set(name, text, variable);
        }

        foreach (var pair in CommandLine)
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0) values.Set(pair[..equals].Trim(), pair[(equals + 1)..], "command line");
            else values.Mistakes.Add($"--set {pair}: write it as Name=value, for example `--set Hostname=mx.example.org`.");
        }

        foreach (var (name, text) in Made) values.SetDefault(name, text);
        Defaults.Apply(values, Development);
        return values;
    }

    private static void ReadFile(SettingValues values, string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (stream.Length > MaxFileOctets)
            {
                values.Mistakes.Add($"{file}: larger than 4 MiB; long lists belong in files of their own that a setting names.");
                return;
            }

            using var document = JsonDocument.Parse(stream, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 16 });
            if (document.RootElement.ValueKind == JsonValueKind.Object) Flatten(values, file, "", document.RootElement);
            else values.Mistakes.Add($"{file}: must hold one JSON object, such as {{ \"Hostname\": \"mx.example.org\" }}.");
        }
        catch (JsonException e)
        {
            values.Mistakes.Add($"{file}: not valid JSON at line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            values.Mistakes.Add(Directory.Exists(file) ? $"{file}: is a folder; --config must name a file."
                : e is FileNotFoundException or DirectoryNotFoundException
                ? $"{file}: there is no such file; --config must name one that exists."
                : $"{file}: cannot be read: {e.Message}");
        }
    }

    private static void Flatten(SettingValues values, string file, string path, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                    Flatten(values, file, path.Length == 0 ? property.Name : $"{path}:{property.Name}", property.Value);
                break;
            case JsonValueKind.Array:
                if (element.EnumerateArray().Any(item => item.ValueKind is JsonValueKind.Object or JsonValueKind.Array))
                    values.Mistakes.Add($"{path}: a list holds texts or numbers only (in {file}).");
                else values.Set(path, string.Join(',', element.EnumerateArray().Select(item => item.ToString())), file);
                break;
            case JsonValueKind.Null:
                break;
            default:
                values.Set(path, element.ValueKind == JsonValueKind.String ? element.GetString()! : element.GetRawText(), file);
                break;
        }
    }
}
