using Angarium.TestKit;

namespace Angarium.Unit.Documents;

/// <summary>A command line of Helm's, as far as our pages use it: known words, a chart and files that are there, values that the chart has. Pure but for looking whether files exist.</summary>
internal static class HelmLine
{
    private static readonly Dictionary<string, (int Least, int Most)> s_verbs = new()
    {
        ["install"] = (2, 2), ["upgrade"] = (2, 2), ["template"] = (2, 2), ["test"] = (1, 1), ["history"] = (1, 1), ["rollback"] = (1, 2), ["uninstall"] = (1, 1), ["status"] = (1, 1), ["list"] = (0, 0), ["lint"] = (1, 1),
    };

    private static readonly HashSet<string> s_flags = ["--create-namespace", "--install", "--wait", "--atomic", "--dry-run", "--reuse-values", "--reset-values"],
        s_options = ["--namespace", "-n", "--values", "-f", "--set", "--set-string", "--set-json", "--version", "--timeout", "--kube-version"];

    /// <summary>What is wrong with it; null = nothing.</summary>
    public static string? Mistake(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0 || !s_verbs.TryGetValue(arguments[0], out var bounds)) return $"helm has no command `{string.Join(' ', arguments.Take(1))}` here";
        var plain = new List<string>();
        for (var i = 1; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (s_flags.Contains(argument)) continue;
            if (!argument.StartsWith('-'))
            {
                plain.Add(argument);
                continue;
            }

            if (!s_options.Contains(argument)) return $"helm {arguments[0]} has no option {argument}";
            if (++i == arguments.Count) return $"{argument} needs a value";
            var mistake = argument switch
            {
                "--values" or "-f" => File(arguments[i]),
                "--set" or "--set-string" => Pairs(arguments[i]).Select(pair => ChartSchema.Mistake(pair.Split('=')[0])).FirstOrDefault(m => m is not null),
                "--set-json" => ChartSchema.Mistake(arguments[i].Split('=')[0]),
                _ => null,
            };
            if (mistake is not null) return mistake;
        }

        if (plain.Count < bounds.Least || plain.Count > bounds.Most) return $"helm {arguments[0]} takes {bounds.Least} to {bounds.Most} names: {string.Join(' ', plain)}";
        if (arguments[0] is not ("install" or "upgrade" or "template")) return null;
        return plain[1] == "helm/angarium" && Directory.Exists(Repository.Path("helm", "angarium")) ? null : $"there is no chart {plain[1]}";
    }

    /// <summary>A reader's own file has no folder.</summary>
    private static string? File(string path) => !path.Contains('/', StringComparison.Ordinal) || System.IO.File.Exists(Repository.Path(path)) ? null : $"there is no file {path}";

    /// <summary>Commas separate, but within `{…}`.</summary>
    private static IEnumerable<string> Pairs(string set)
    {
        var (begin, depth) = (0, 0);
        for (var i = 0; i < set.Length; i++)
        {
            depth += set[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (set[i] != ',' || depth > 0) continue;
            yield return set[begin..i];
            begin = i + 1;
        }

        yield return set[begin..];
    }
}
