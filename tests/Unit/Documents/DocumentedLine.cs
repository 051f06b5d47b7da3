using Angarium.TestKit;
using Angarium.TestKit.Documents;

namespace Angarium.Unit.Documents;

/// <summary>A command of the documentation, judged by what it calls: our own by its parser, Helm and kubectl by what the chart has, others by name, and by the files of the repository that they are given. Looks at files; runs nothing.</summary>
internal static class DocumentedLine
{
    /// <summary>What a reader is told to have, or has.</summary>
    private static readonly HashSet<string> s_others =
    [
        "apt", "azcopy", "base64", "cat", "cp", "curl", "cut", "echo", "export", "jq", "journalctl", "kubelogin", "mv", "npx", "openssl", "postconf", "postfix", "postqueue", "printf", "python3", "redis-cli", "rm", "sed", "ss", "sudoedit", "swaks", "systemctl",
        "tee", "unbound",
    ];

    /// <summary>What is wrong with it; null = nothing.</summary>
    public static string? Mistake(IReadOnlyList<string> words)
    {
        IReadOnlyList<string> rest = [.. words.Skip(1)];
        return words[0] switch
        {
            "angarium" or "/opt/angarium/angarium" or "/app/angarium" => AngariumLine.Mistake(rest),
            "sendmail" or "mailq" or "newaliases" => AngariumLine.Sendmail(words[0], rest),
            "helm" => HelmLine.Mistake(rest),
            // The image has the program there, and no shell.
            "kubectl" => KubectlLine.Mistake(rest, within => within[0] == "/app/angarium" ? AngariumLine.Mistake([.. within.Skip(1)]) : $"a pod has no {within[0]}"),
            "dotnet" => Dotnet(rest),
            "docker" => Docker(rest),
            "az" => Files(rest, "-f", "-p"),
            "cd" => Path.Exists(Repository.Path(words[1])) ? null : $"there is no {words[1]}",
            "$S" => null,
            var program when program.Contains('/', StringComparison.Ordinal) => File.Exists(Repository.Path(program)) ? null : $"there is no {program}",
            var program => s_others.Contains(program) ? null : $"`{program}` is not known here: teach {nameof(DocumentedLine)} to read it",
        };
    }

    private static string? Dotnet(IReadOnlyList<string> words)
    {
        var own = words.TakeWhile(w => w != "--").ToArray();
        var project = own is ["publish" or "build", var named, ..] ? named : own.SkipWhile(w => w != "--project").ElementAtOrDefault(1);
        if (project is null || !Directory.Exists(Repository.Path(project))) return $"there is no project {project}";
        return project == "src/Host" && own[0] == "run" ? AngariumLine.Mistake([.. words.Skip(own.Length + 1)]) : null;
    }

    private static string? Docker(IReadOnlyList<string> words) => words.ToList() switch
    {
        ["compose", "exec", _, "/app/angarium", .. var within] => AngariumLine.Mistake(within),
        ["exec", _, "/app/angarium", .. var within] => AngariumLine.Mistake(within),
        ["compose", "up" or "exec" or "kill" or "down" or "logs" or "ps", ..] or ["run", ..] => null,
        ["build", ..] or ["buildx", "build", ..] => Files(words, "-f"),
        _ => $"docker {string.Join(' ', words.Take(2))} is not known here",
    };

    /// <summary>Files that are given by one of these options, but a reader's own copies (`mine`).</summary>
    private static string? Files(IReadOnlyList<string> words, params string[] options) => words.Zip(words.Skip(1)).Where(pair => options.Contains(pair.First) && pair.Second.Contains('/', StringComparison.Ordinal))
        .Select(pair => pair.Second).FirstOrDefault(path => !path.Contains("/mine.", StringComparison.Ordinal) && !File.Exists(Repository.Path(path))) is { } missing ? $"there is no file {missing}" : null;

    /// <summary>What is wrong with a command that a page only mentions: placeholders in capitals, `[…]` for what may be left out, bars between what may stand there, `…` for what follows.</summary>
    public static string? Mention(string text)
    {
        if (text.Split(' ')[0] is not ("angarium" or "/app/angarium" or "kubectl" or "helm" or "docker" or "mailq" or "sendmail")) return null;
        var plain = text.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal).Replace("docker exec … ", "docker exec NAME ", StringComparison.Ordinal);
        foreach (var one in Alternatives(plain))
        {
            if (ShellReader.Read(one) is not [var command]) return $"`{one}` is no command";
            // A number where one is wanted; and an option that ends the mention has its value.
            var words = command.Words.Select(word => word == "N" ? "1" : word.Length > 1 ? word.TrimEnd('…') : word).ToList();
            if (words[^1].StartsWith("--", StringComparison.Ordinal) && Mistake(words) is not null) words.AddRange(words.Contains("sendmail") ? ["VALUE", "you@example.net"] : ["VALUE"]);
            var isOurs = words[0].EndsWith("angarium", StringComparison.Ordinal);
            if (isOurs && AngariumLine.IsCommand([.. words.Skip(1).TakeWhile(w => w != "…")])) continue;
            if (words.Count == 1 || words[^1] == "…" || !isOurs && words.Count == 2) continue;
            if (Mistake(words) is { } mistake) return $"`{one}`: {mistake}";
        }

        return null;
    }

    private static IEnumerable<string> Alternatives(string text)
    {
        IEnumerable<string> all = [""];
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            all = [.. all.SelectMany(before => word.Split('|').Select(one => before.Length == 0 ? one : $"{before} {one}"))];
        return all;
    }
}
