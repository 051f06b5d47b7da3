using System.Text;
using Angarium.Integration.Harness;
using Angarium.TestKit.Documents;

namespace Angarium.Integration;

/// <summary>The README's commands as they stand there, in a shell, in a network of their own: a first message from nothing, and each command that looks inside. (The program is built already: `dotnet run` and `dotnet publish` are its parts that are not run here.)</summary>
public sealed class When_the_README_is_followed
{
    [Fact]
    public async Task Should_deliver_a_first_message_and_show_it()
    {
        using var network = new Namespace();
        var folder = Directory.CreateTempSubdirectory("angarium-readme-").FullName;
        try
        {
            var programs = Directory.CreateDirectory(Path.Combine(folder, "bin")).FullName;
            foreach (var name in new[] { "angarium", "sendmail", "mailq" }) File.CreateSymbolicLink(Path.Combine(programs, name), Relay.Executable);
            var script = Path.Combine(folder, "readme.sh");
            await File.WriteAllTextAsync(script, Script());
            string[] command = [.. network.Wrapper, "bash", script];
            var (code, output) = await Child.RunAsync(command[0], command[1..], TimeSpan.FromMinutes(2), environment: new Dictionary<string, string>
            {
                ["FOLDER"] = folder, ["DOTNET_ENVIRONMENT"] = "Development", ["HOME"] = folder, ["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}",
            });
            Assert.True(code == 0, output);
            Assert.Contains("== looked inside", output, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What a reader does: one terminal for the relay, then the line to paste, the pages, and the commands that look inside, each of which has to be taken (2 = it was not).</summary>
    private static string Script()
    {
        var fences = Documentation.Fences("README.md").Where(fence => fence.IsShell).Select(fence => fence.Text).ToList();
        var script = new StringBuilder("set -e\ncd \"$FOLDER\"\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
        Assert.Equal("dotnet run --project src/Host\n", fences[0]);
        script.Append("angarium >relay.log 2>&1 &\n").Append(Until("grep -q ready: relay.log"));
        // The line to paste is the one that the relay prints, but for its addresses.
        Assert.StartsWith("printf ", fences[1], StringComparison.Ordinal);
        script.Append(fences[1]).Append(Until("curl -s http://127.0.0.1:8080/ | grep -q Hello"));
        foreach (var page in new[] { "metrics", "healthz", "readyz" }) script.Append("curl -sf http://127.0.0.1:9464/").Append(page).Append(" >/dev/null\n");
        script.Append("ID=$(sed -n 's/.*Accepted message=\\([a-z0-9]*\\) .*/\\1/p' relay.log | head -1)\nprintf 'To: you@example.net\\nSubject: Again\\n\\nHello.\\n' > message\n");
        var inside = fences.Single(fence => fence.StartsWith("angarium queue list", StringComparison.Ordinal));
        foreach (var line in inside.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // It asks the internet, which is not here; a test of its own gives it one.
            if (line.StartsWith("angarium doctor", StringComparison.Ordinal)) continue;
            var plain = line.Split(" #")[0].Trim();
            script.Append("code=0; { ").Append(plain.Replace(" ID", " $ID", StringComparison.Ordinal)).Append("; } || code=$?\n[ $code -le 1 ] || { echo \"ended with $code: ").Append(plain).Append("\"; exit 1; }\n");
        }

        return script.Append("angarium resume site example.net\n").Append(Until("curl -s http://127.0.0.1:8080/ | grep -q Again")).Append("echo '== looked inside'\n").ToString();
    }

    private static string Until(string condition) => $"timeout 60 bash -c 'until {condition}; do sleep 0.1; done' || {{ cat relay.log; exit 1; }}\n";
}
