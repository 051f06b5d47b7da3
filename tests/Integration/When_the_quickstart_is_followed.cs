using System.Text;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Integration;

/// <summary>The commands of docs/quickstart.md as they stand there, in a shell, by somebody who has nothing but them: in a network of their own, where every port is free.</summary>
public sealed class When_the_quickstart_is_followed
{
    [Fact]
    public async Task Should_work_as_it_is_written()
    {
        using var network = new Namespace();
        var folder = Directory.CreateTempSubdirectory("angarium-quickstart-").FullName;
        try
        {
            var script = Path.Combine(folder, "quickstart.sh");
            await File.WriteAllTextAsync(script, Script(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "quickstart.md"))));
            string[] command = [.. network.Wrapper, "bash", script];
            var (code, output) = await Child.RunAsync(command[0], command[1..], TimeSpan.FromMinutes(2), environment: new Dictionary<string, string>
            {
                ["RELAY"] = Relay.Executable, ["FOLDER"] = folder, ["DOTNET_ENVIRONMENT"] = "Development", ["HOME"] = folder,
            });
            Assert.True(code == 0, output);
            Assert.Contains("\"verified\"", output, StringComparison.Ordinal);
            Assert.Contains("250 ", output, StringComparison.Ordinal);
            // What became of both messages.
            foreach (var step in new[] { "accepted", "delivered" }) Assert.True(output.Split('\n').Count(line => line.Contains($"\t{step}\t", StringComparison.Ordinal)) >= 2, output);
            foreach (var line in output.Split('\n')) Assert.False(line.StartsWith("curl: (", StringComparison.Ordinal) || line.Contains("parse error", StringComparison.Ordinal), output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Its blocks of commands, one after the other; what runs in a terminal of its own runs in the background, and what is to be typed off the screen is read from there.</summary>
    private static string Script(string page)
    {
        var script = new StringBuilder("set -eo pipefail\ncd \"$FOLDER\"\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
        foreach (var block in page.Split("```sh\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)]))
        {
            if (block.StartsWith("dotnet run --project src/Host -- ", StringComparison.Ordinal))
            {
                script.Append("\"$RELAY\" ").Append(block.Trim()["dotnet run --project src/Host -- ".Length..]).Append(" --data \"$FOLDER/data\" >relay.log 2>&1 &\n");
                script.Append(Until("grep -q \"Authorization: Bearer adm_\" relay.log"));
                continue;
            }

            // What a reader sees before going on: the name server listens, both messages have arrived.
            var commands = block.Replace("adm_…", "$(grep -o 'adm_[A-Za-z0-9]*' relay.log | head -1)", StringComparison.Ordinal);
            script.Append(commands.Replace("unbound.conf &\n", "unbound.conf &\n" + Until("ss -lunH sport = :5353 | grep -q ."), StringComparison.Ordinal)
                .Replace("receiver.py &\n", "receiver.py >posted.log &\n" + Until("ss -ltnH sport = :8099 | grep -q ."), StringComparison.Ordinal));
            if (block.Contains("/v1/messages", StringComparison.Ordinal)) script.Append("export API KEY\n").Append(Until("[ $(curl -s $API/v1/events -H \"Authorization: Bearer $KEY\" | grep -o delivered | wc -l) -ge 2 ]"));
        }

        // And the receiver was told the same.
        return script.Append(Until("[ $(grep -o delivered posted.log | wc -l) -ge 2 ]")).ToString();
    }

    private static string Until(string condition) => $"timeout 60 bash -c 'until {condition}; do sleep 0.1; done' || {{ cat relay.log; exit 1; }}\n";
}
