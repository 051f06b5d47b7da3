using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Chaos.Chart;

/// <summary>The chart, rendered by Helm itself. No state; any thread.</summary>
internal static class HelmChart
{
    public const string Release = "angarium", Namespace = "mail";

    public static string Folder { get; } = Repository.Path("helm", "angarium");

    /// <summary>The example values beside the chart, each with what it is to be laid over (the first line of those that need it says `Beside production.yaml`).</summary>
    public static IReadOnlyDictionary<string, string[]> Examples { get; } = Directory.GetFiles(Path.Combine(Folder, "examples"), "*.yaml").Order(StringComparer.Ordinal).ToDictionary(
        file => Path.GetFileNameWithoutExtension(file), file => File.ReadLines(file).First().Contains("Beside production.yaml", StringComparison.Ordinal) ? [Example("production"), file] : (string[])[file]);

    /// <summary>Of a folder in the chart, which may not be there.</summary>
    public static IReadOnlyList<string> Files(string folder) => Directory.Exists(Path.Combine(Folder, folder)) ? Directory.GetFiles(Path.Combine(Folder, folder)) : [];

    public static string Example(string name) => Path.Combine(Folder, "examples", name + ".yaml");

    /// <summary>What `helm install` would send, tests and all.</summary>
    /// <param name="values">Files, the later over the earlier.</param>
    /// <param name="set">`--set` and `--set-json` with their values.</param>
    /// <exception cref="InvalidOperationException">Helm refuses; the message is its own.</exception>
    public static Task<string> RenderAsync(IEnumerable<string> values, params string[] set) => RenderAsync(Release, values, set);

    /// <inheritdoc cref="RenderAsync(IEnumerable{string}, string[])"/>
    /// <param name="release">Its name, where it is not the usual one.</param>
    public static async Task<string> RenderAsync(string release, IEnumerable<string> values, string[] set)
    {
        var (code, output) = await RunAsync("template", release, values, set);
        return code == 0 ? output : throw new InvalidOperationException(output);
    }

    public static Task<(int Code, string Output)> TryAsync(string verb, IEnumerable<string> values, params string[] set) => RunAsync(verb, Release, values, set);

    private static Task<(int Code, string Output)> RunAsync(string verb, string release, IEnumerable<string> values, string[] set) => Child.RunAsync(Repository.Path("tests", "helm"),
        [.. verb == "lint" ? (string[])["lint", Folder, "--strict"] : [verb, release, Folder, "--namespace", Namespace, "--kube-version", "1.33.0"], .. values.SelectMany(file => (string[])["--values", file]), .. set], TimeSpan.FromMinutes(1));
}
