using System.Globalization;
using System.Text.Json.Nodes;
using Angarium.Chaos.Network;
using Angarium.Chaos.Processes;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>An ingress in a control group of 256 MiB with a disk of 32 MiB: what it does when either is used up and no silo answers. And what a process says that has the wrong keys.</summary>
public sealed class MemoryOrDiskRunsShort : Scenario
{
    private const long Memory = 256L << 20;
    private readonly (IReadOnlyList<string> Command, string Reason) group = ControlGroup.LimitAsync(Memory).GetAwaiter().GetResult();

    internal override Shape Shape => new(1, 1, 1);

    internal override Tuning Tuning => new() { Wrapper = role => role == "ingress" ? group.Command : [] };

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string> { ["Retry:Schedule"] = "1s,2s,5s,10s" };

    internal override async Task RunAsync(Stage stage)
    {
        await stage.StepAsync("Should_say_in_a_line_that_its_secret_is_wrong", () => WrongAsync(stage, "Cluster:Secret:ingress", s => "another-secret-" + s[^8..]));
        await stage.StepAsync("Should_say_in_a_line_that_its_storage_key_is_wrong", () => WrongAsync(stage, "Spool:Containers:cluster", s => s.Replace("sig=", "sig=AAAA", StringComparison.Ordinal)));
        await stage.StepAsync("Should_take_small_mail_while_the_disk_is_full", () => DiskAsync(stage));
        await stage.StepAsync("Should_refuse_for_now_before_memory_runs_out", () => MemoryAsync(stage));
        await stage.StepAsync("Should_have_lost_and_doubled_nothing", async () =>
        {
            await stage.SettledAsync();
            return await stage.AccountAsync();
        });
    }

    /// <summary>A second ingress on the same host that has this setting wrong: the first line of warning or worse.</summary>
    private static async Task<string> WrongAsync(Stage stage, string setting, Func<string, string> spoil)
    {
        var ingress = stage.Cluster.With("ingress")[0];
        var settings = JsonNode.Parse(await File.ReadAllTextAsync(Cluster.ConfigOf(ingress)))!;
        settings[setting] = spoil((string)settings[setting]!);
        settings["Data"] = Directory.CreateDirectory(Path.Combine(stage.Folder, "wrong")).FullName;
        settings["Ingress:Smtp:Listen"] = $"{ingress.Address}:2525";
        settings["Admin:Listen"] = "";
        var file = Path.Combine(stage.Folder, "wrong.json");
        await File.WriteAllTextAsync(file, settings.ToJsonString());
        string[] command = [.. Lan.On(ingress.Name), Cluster.Executable, "serve", "--config", file];
        using var child = new Child(command[0], command[1..], new Dictionary<string, string> { ["DOTNET_ENVIRONMENT"] = "Production", ["DOTNET_gcServer"] = "0" });
        var line = await child.LineAsync(l => l.Contains(setting, StringComparison.Ordinal) || (l.Contains("Cluster:Secret", StringComparison.Ordinal) && setting.StartsWith("Cluster:Secret", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(120), $"line that speaks of {setting}");
        Stage.Require(!child.Output.Contains("   at ", StringComparison.Ordinal), $"a stack trace instead of a line: {child.Output}");
        return line;
    }

    private static async Task<string> DiskAsync(Stage stage)
    {
        var ingress = stage.Cluster.With("ingress")[0];
        var filler = Path.Combine(Cluster.DataOf(ingress), "filler");
        await FillAsync(filler);
        var large = string.Concat(Enumerable.Repeat(new string('k', 76) + "\r\n", 40_000));
        using var client = await OpenAsync(stage, ingress);
        var refusal = await client.TransactionAsync("b@back.test", [Post.At(0, Post.Domain(1, 0))], "Subject: large\r\n\r\n" + large);
        Stage.Require(refusal.StartsWith("452", StringComparison.Ordinal), $"3 MiB on a full disk: {refusal}");
        var small = await stage.Post.BulkAsync("acme", 20, i => Post.Domain(1, i));
        Stage.Require(stage.Post.Refusals.Count == 0, $"1 KiB on a full disk: {string.Join("; ", stage.Post.Refusals)}");
        File.Delete(filler);
        var again = "";
        await Stage.UntilAsync(async () =>
        {
            using var next = await OpenAsync(stage, ingress);
            return (again = await next.TransactionAsync("b@back.test", [Post.At(0, Post.Domain(1, 1))], "Subject: large\r\n\r\n" + large)).StartsWith("250", StringComparison.Ordinal);
        }, TimeSpan.FromSeconds(60), () => $"3 MiB when there is room again: {again}");
        return $"3 MiB: {refusal}; {small.Count} of 1 KiB taken; 3 MiB when there is room again: {again}";
    }

    private static async Task FillAsync(string filler)
    {
        await using var file = new FileStream(filler, FileMode.Create, FileAccess.Write, FileShare.None, 0);
        try
        {
            while (true) await file.WriteAsync(new byte[64 * 1024]);
        }
        catch (IOException)
        {
            // No space left on device.
        }
    }

    /// <summary>
    /// No silo answers, and connections hold messages of 900 KiB that do not end. As it comes, content takes half of the heap and then the disk, and no number of them ends the process; where less memory
    /// may be used, no more of them are let in.
    /// </summary>
    private async Task<string> MemoryAsync(Stage stage)
    {
        if (group.Command.Count == 0) return "skipped: no control group can be made here: " + group.Reason;
        var (ingress, silo) = (stage.Cluster.With("ingress")[0], stage.Cluster.With("grains")[0]);
        var start = DateTimeOffset.UtcNow;
        await silo.SendAsync(Signal.Stop);
        try
        {
            using var idle = await OpenAsync(stage, ingress);
            var most = await HoldAsync(stage, ingress, idle, isRefused: false);
            Stage.Require(most.Refusals.All(r => r[0] == '4'), $"with {most.Held} messages arriving: {string.Join("; ", most.Refusals)}");
            await SetAsync(ingress, "Ingress:MaxWorkingSet", 55);
            var few = await HoldAsync(stage, ingress, idle, isRefused: true);
            Stage.Require(few.Refusals is [var mail, var greeting] && mail.StartsWith("451", StringComparison.Ordinal) && greeting.StartsWith("421", StringComparison.Ordinal),
                $"with {few.Held} messages arriving where 55 % may be used: {string.Join("; ", few.Refusals)}");
            await SetAsync(ingress, "Ingress:MaxWorkingSet", 85);
            var eased = await Stage.UntilAsync(async () =>
            {
                using var client = await OpenAsync(stage, ingress);
                return (await client.CommandAsync("MAIL FROM:<b@back.test>")).StartsWith("250", StringComparison.Ordinal);
            }, TimeSpan.FromSeconds(90), () => "it does not take mail again");
            // Still no silo: what is taken now waits for one.
            var sent = await stage.Post.BulkAsync("acme", 20, i => Post.Domain(2, i));
            await silo.SendAsync(Signal.Continue);
            stage.Note("stop", silo.Name, "*", start);
            var settled = await stage.SettledAsync();
            Stage.Require(ingress.Deaths == 0, $"the ingress ended with code {ingress.LastCode}");
            return string.Create(CultureInfo.InvariantCulture, $"{Memory >> 20} MiB with {most.Held} messages of 900 KiB arriving: {string.Join("; ", most.Refusals.DefaultIfEmpty("none refused"))}; 55 % of it, with {few.Held}: {string.Join("; ", few.Refusals)}; mail taken again {eased.TotalSeconds:f1} s after they were gone; {sent.Count} sent while no silo answered delivered {settled.TotalSeconds:f1} s after it did");
        }
        finally
        {
            await silo.SendAsync(Signal.Continue);
        }
    }

    /// <summary>
    /// At most 400 messages that do not end, and then what was answered to MAIL or DATA and, to another, as a greeting, where that refused; if <paramref name="isRefused"/> MAIL is asked until it does,
    /// since memory is measured once a second.
    /// </summary>
    private static async Task<(int Held, IReadOnlyList<string> Refusals)> HoldAsync(Stage stage, Node ingress, Client idle, bool isRefused)
    {
        const int Most = 400;
        var holders = new List<Client>();
        string mail = "", greeting = "";
        var arriving = string.Concat(Enumerable.Repeat(new string('k', 76) + "\r\n", 900 * 1024 / 78));
        try
        {
            while (holders.Count < Most && mail.Length == 0 && greeting.Length == 0)
            {
                var holder = await Client.ConnectAsync(25, ingress.Address, stage.World.Tenants[0].Address);
                holders.Add(holder);
                var banner = await holder.ReplyAsync();
                if (!banner.StartsWith("220", StringComparison.Ordinal))
                {
                    greeting = banner;
                    break;
                }

                await holder.CommandAsync("EHLO client.test");
                foreach (var command in (string[])["MAIL FROM:<b@back.test>", $"RCPT TO:<{Post.At(0, Post.Domain(1, 2))}>", "DATA"])
                {
                    var reply = await holder.CommandAsync(command);
                    if (reply.Length > 0 && reply[0] is '2' or '3') continue;
                    mail = reply;
                    break;
                }

                if (mail.Length == 0) await holder.SendAsync(arriving);
                await idle.CommandAsync("NOOP");
            }

            if (mail.Length == 0)
            {
                await Stage.UntilAsync(async () =>
                {
                    mail = await idle.CommandAsync("MAIL FROM:<b@back.test>");
                    var isTaken = mail is ['2', ..];
                    if (isTaken) await idle.CommandAsync("RSET");
                    return !isTaken || !isRefused;
                }, TimeSpan.FromSeconds(10), () => $"MAIL with {holders.Count} messages arriving: {mail}");
            }

            if (greeting.Length == 0)
            {
                using var late = await Client.ConnectAsync(25, ingress.Address, stage.World.Tenants[0].Address);
                greeting = await late.ReplyAsync();
            }
        }
        finally
        {
            foreach (var holder in holders) holder.Dispose();
        }

        Stage.Require(ingress is { IsRunning: true, Deaths: 0 }, $"the ingress ended with code {ingress.LastCode} after {holders.Count} messages");
        return (holders.Count, [.. new[] { mail, greeting }.Where(r => r.Length > 0 && r[0] != '2')]);
    }

    /// <summary>Changes a setting of a running process, which has taken it over when this ends.</summary>
    private static async Task SetAsync(Node node, string setting, int value)
    {
        var settings = JsonNode.Parse(await File.ReadAllTextAsync(Cluster.ConfigOf(node)))!;
        settings[setting] = value.ToString(CultureInfo.InvariantCulture);
        var before = Lines();
        await File.WriteAllTextAsync(Cluster.ConfigOf(node) + ".new", settings.ToJsonString());
        File.Move(Cluster.ConfigOf(node) + ".new", Cluster.ConfigOf(node), overwrite: true);
        await node.SendAsync(Signal.Hangup);
        await Stage.UntilAsync(() => Task.FromResult(Lines() > before), TimeSpan.FromSeconds(10), () => $"{setting} was not taken over");

        int Lines() => File.ReadLines(node.Log).Count(l => l.Contains(setting, StringComparison.Ordinal));
    }

    private static async Task<Client> OpenAsync(Stage stage, Node ingress)
    {
        var client = await Client.ConnectAsync(25, ingress.Address, stage.World.Tenants[0].Address);
        var greeting = await client.ReplyAsync();
        if (!greeting.StartsWith("220", StringComparison.Ordinal))
        {
            client.Dispose();
            throw new IOException(greeting);
        }

        await client.CommandAsync("EHLO client.test");
        return client;
    }
}
