using System.Text.RegularExpressions;
using Angarium.TestKit;

namespace Angarium.Unit.Documents;

/// <summary>
/// A command line of kubectl's, as far as our pages use it: known verbs, options and kinds, workloads and Services that the chart makes, Secrets with the keys that the examples name. Pure but for reading these.
/// </summary>
internal static partial class KubectlLine
{
    private static readonly HashSet<string> s_flags = ["--current", "--cascade=orphan", "--previous", "--follow", "--dry-run=client"],
        s_options =
        [
            "--namespace", "-n", "--selector", "-l", "--output", "-o", "--replicas", "--timeout", "--patch", "--tail", "--container", "--cert", "--key", "--from-literal", "--from-file", "--from-env-file", "--for", "--filename", "-f",
        ];

    private static readonly Dictionary<string, string> s_kinds = new()
    {
        ["pod"] = "pod", ["pods"] = "pod", ["deployment"] = "deployment", ["deployments"] = "deployment", ["statefulset"] = "statefulset", ["service"] = "service", ["secret"] = "secret", ["pvc"] = "pvc", ["configmap"] = "configmap",
        ["endpointslices"] = "endpointslice", ["certificate"] = "certificate", ["namespace"] = "namespace", ["nodes"] = "node",
    };

    /// <summary>What the chart makes in a release of the name that our pages give it.</summary>
    private static readonly Dictionary<string, HashSet<string>> s_made = new()
    {
        ["deployment"] = ["angarium-ingress", "angarium-grains", "angarium-egress", "angarium-api"], ["statefulset"] = ["angarium"], ["service"] = ["angarium", "angarium-http", "angarium-api", "angarium-metrics"], ["pvc"] = ["data-angarium-0"],
    };

    /// <summary>Secrets of two examples, each with the keys that the comment beside it names.</summary>
    private static readonly Dictionary<string, HashSet<string>> s_secrets = ((string[])["production.yaml", "proxy.yaml"]).SelectMany(file => Secret().Matches(File.ReadAllText(Repository.Path("helm", "angarium", "examples", file))))
        .ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value.Split(',').Select(key => key.Trim()).ToHashSet());

    /// <summary>What is wrong with it, with what a pod is told to run, too; null = nothing.</summary>
    /// <param name="arguments">Without `kubectl`.</param>
    /// <param name="run">Judges the command within a pod.</param>
    public static string? Mistake(IReadOnlyList<string> arguments, Func<IReadOnlyList<string>, string?> run)
    {
        var own = arguments.TakeWhile(a => a != "--").ToList();
        IReadOnlyList<string> within = [.. arguments.Skip(own.Count + 1)];
        List<string> plain = [];
        List<(string Option, string Value)> options = [];
        for (var i = 0; i < own.Count; i++)
        {
            if (!own[i].StartsWith('-')) plain.Add(own[i]);
            else if (s_flags.Contains(own[i])) continue;
            else if (own[i].Split('=', 2) is [var option, var value] && s_options.Contains(option)) options.Add((option, value));
            else if (!s_options.Contains(own[i])) return $"kubectl has no option {own[i]} here";
            else if (++i == own.Count) return $"{own[i - 1]} needs a value";
            else options.Add((own[i - 1], own[i]));
        }

        if (within.Count > 0 && plain is not ["exec", ..]) return $"nothing is run by {string.Join(' ', plain)}";
        return plain switch
        {
            ["create", "namespace", _] or ["config", "set-context"] or ["get", "events"] => null,
            ["create", "secret", "generic" or "tls", var name] => Created(name, options),
            ["create", "configmap", _] => options.Exists(o => o.Option is "--from-file" or "--from-literal") ? null : "a ConfigMap of nothing",
            ["apply"] => options.Exists(o => o is { Option: "-f" or "--filename" }) ? null : "nothing is applied",
            ["exec", var target] => Named([target]) ?? (within.Count > 0 ? run(within) : "nothing is run"),
            ["get" or "describe" or "delete", .. var rest] => Named(rest),
            ["logs", "POD"] => null,
            ["logs", var target] => Named([target]),
            ["rollout", "status" or "restart" or "undo" or "history", .. var rest] => Named(rest),
            ["scale", .. var rest] => options.Exists(o => o.Option == "--replicas") ? Named(rest) : "scaled to how many?",
            ["set", "image", var target, var image] => Named([target]) ?? (image.StartsWith("angarium=", StringComparison.Ordinal) ? null : $"the container of {image} has another name"),
            ["patch", .. var rest] => options.Exists(o => o.Option == "--patch") ? Named(rest) : "patched with what?",
            ["wait", .. var rest] => options.Exists(o => o.Option == "--for") ? Named(rest) : "waited for what?",
            ["port-forward", var target, var ports] => Named([target]) ?? (Ports().IsMatch(ports) ? null : $"{ports} are no ports"),
            _ => $"kubectl {string.Join(' ', plain)} is not known here",
        };
    }

    /// <summary>`kind`, `kind NAME…` or `kind/NAME`.</summary>
    private static string? Named(IReadOnlyList<string> words)
    {
        if (words.Count == 0) return "of what?";
        string[] first = words[0].Split('/', 2);
        if (!s_kinds.TryGetValue(first[0], out var kind)) return $"Kubernetes has no {first[0]} here";
        foreach (var name in first.Skip(1).Concat(words.Skip(1)).Where(name => name.Any(char.IsAsciiLetterLower)))
        {
            if (s_made.TryGetValue(kind, out var made) && !made.Contains(name)) return $"the chart makes no {kind} {name}";
            if (kind == "secret" && !s_secrets.ContainsKey(name)) return $"no example has the Secret {name}";
        }

        return null;
    }

    private static string? Created(string name, IEnumerable<(string Option, string Value)> options)
    {
        // One of several, in a loop; or keys from a file.
        if (name.Contains('$', StringComparison.Ordinal)) return null;
        if (!s_secrets.TryGetValue(name, out var keys)) return $"no example has the Secret {name}";
        var given = options.SelectMany(o => o.Option switch
        {
            "--from-literal" or "--from-file" => (string[])[o.Value.Split('=')[0]],
            "--cert" => ["tls.crt"],
            "--key" => ["tls.key"],
            _ => [],
        }).ToHashSet();
        return keys.SetEquals(given) ? null : $"the Secret {name} has the keys {string.Join(", ", keys)}, not {string.Join(", ", given)}";
    }

    [GeneratedRegex(@"(?m):\s*(angarium-[a-z-]+)\s+#\s+([a-z., ]+)$", RegexOptions.IgnoreCase)]
    private static partial Regex Secret();

    [GeneratedRegex(@"^\d+:\d+$")]
    private static partial Regex Ports();
}
