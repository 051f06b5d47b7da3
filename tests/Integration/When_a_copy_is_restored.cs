using System.Text.RegularExpressions;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Integration;

/// <summary>What docs/operating/backup.md tells an operator to do with a copy of `Data`: verified, looked at by a process that neither takes nor sends, held, and sent.</summary>
public sealed class When_a_copy_is_restored
{
    [Fact]
    public async Task Should_show_what_it_would_send_and_send_what_is_released()
    {
        // As the page has it, in the same words.
        var page = await File.ReadAllTextAsync(Repository.Path("docs", "operating", "backup.md"));
        foreach (var said in new[] { "angarium spool verify --data", "--set Roles=grains", "angarium queue shape ", "angarium queue hold example.net", "angarium queue drop example.com --reason" }) Assert.Contains(said, page, StringComparison.Ordinal);

        using var sink = new Sink();
        var nowhere = Ports.Free();
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{nowhere}", ["Retry:Schedule"] = "1s" }).StartAsync();
        foreach (var domain in new[] { "example.net", "example.com", "example.org" })
        {
            var (sent, said) = await Child.RunAsync("swaks", ["--server", $"127.0.0.1:{relay.SmtpPort}", "--from", "me@example.org", "--to", $"you@{domain}"], TimeSpan.FromSeconds(30));
            Assert.True(sent == 0, said);
        }

        Assert.Equal(0, await relay.StopAsync());
        var copy = Path.Combine(relay.Folder, "copy");
        var (code, output) = await Child.RunAsync("cp", ["-a", relay.Data, copy], TimeSpan.FromSeconds(30));
        Assert.True(code == 0, output);
        (code, output) = await Child.RunAsync(Relay.Executable, ["spool", "verify", "--data", copy], TimeSpan.FromSeconds(30));
        Assert.True(code == 0, output);
        Assert.Contains(" 0 problems", output, StringComparison.Ordinal);

        // The disk is lost; the receivers are there now.
        Directory.Delete(relay.Data, recursive: true);
        Directory.Move(copy, relay.Data);
        relay.Set("Egress:NextHop", $"127.0.0.1:{sink.Port}");
        relay.Set("Roles", "grains");
        await relay.StartAsync();
        Assert.Matches("(?m)^TOTAL +3 ", await UntilAsync(relay, "^TOTAL +3 ", "queue", "shape"));
        await DoneAsync(relay, "queue", "hold", "example.net");
        await DoneAsync(relay, "queue", "drop", "example.com", "--reason", "was sent before the disk was lost");
        Assert.Equal(0, await relay.StopAsync());

        relay.Set("Roles", "all");
        await relay.StartAsync();
        Assert.Equal(["you@example.org"], Assert.Single(await sink.CountAsync(1)).Recipients);
        await DoneAsync(relay, "queue", "release", "example.net");
        Assert.Equal(["you@example.net", "you@example.org"], (await sink.CountAsync(2)).SelectMany(m => m.Recipients).Order(StringComparer.Ordinal));
        Assert.Equal(0, await relay.StopAsync());
    }

    private static async Task<string> DoneAsync(Relay relay, params string[] arguments)
    {
        var (code, output) = await relay.CommandAsync(arguments);
        Assert.True(code == 0, output);
        return output;
    }

    /// <summary>What is read back is there after a moment.</summary>
    private static async Task<string> UntilAsync(Relay relay, string wanted, params string[] arguments)
    {
        for (var tries = 0; ; tries++)
        {
            var output = await DoneAsync(relay, arguments);
            if (Regex.IsMatch(output, wanted, RegexOptions.Multiline) || tries == 100) return output;
            await Task.Delay(100);
        }
    }
}
