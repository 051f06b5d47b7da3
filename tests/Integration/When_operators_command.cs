using System.Collections.Concurrent;
using System.Text.Json;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>One relay whose receiver defers what it is told to, and the commands that people and scripts give it.</summary>
public sealed class When_operators_command(When_operators_command.Bench bench) : IClassFixture<When_operators_command.Bench>
{
    private const string Nobody = "aaaaaaaaaaaaaaaaaaaaaaa";

    /// <summary>The relay of this class, and which domains its receiver defers.</summary>
    public sealed class Bench : IAsyncLifetime
    {
        private readonly ConcurrentDictionary<string, bool> open = new();

        internal Sink Sink { get; private set; } = null!;

        internal Relay Relay { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Sink = new Sink { OnRecipient = r => r.StartsWith("later", StringComparison.Ordinal) && !open.ContainsKey(r[(r.IndexOf('@', StringComparison.Ordinal) + 1)..]) ? "451 4.3.0 come again" : null };
            Relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{Sink.Port}", ["Retry:Schedule"] = "1h" }).StartAsync();
        }

        internal void Open(string domain) => open[domain] = true;

        public async ValueTask DisposeAsync()
        {
            await Relay.DisposeAsync();
            Sink.Dispose();
        }
    }

    private Relay Relay => bench.Relay;

    private async Task<string> SendAsync(params string[] recipients)
    {
        using var client = await Client.ConnectAsync(Relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        var reply = await client.TransactionAsync("a@sender.test", recipients, "Subject: x\r\n\r\nx");
        Assert.StartsWith("250", reply);
        return reply[^23..];
    }

    private async Task<string> DoneAsync(params string[] command)
    {
        var (code, output) = await Relay.CommandAsync(command);
        Assert.True(code == 0, $"{string.Join(' ', command)} → {code}: {output}");
        return output;
    }

    private async Task RefusedAsync(int expected, string line, params string[] command)
    {
        var (code, output) = await Relay.CommandAsync(command);
        Assert.Contains(line, Assert.Single(output.Split('\n')), StringComparison.Ordinal);
        Assert.Equal(expected, code);
    }

    /// <summary>Gives the command until its output is as expected: each answer is of the running process, so the wait is on its work.</summary>
    private async Task<string> UntilAsync(Func<string, bool> expected, params string[] command)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var (_, output) = await Relay.CommandAsync(command);
            if (expected(output)) return output;
            Assert.False(limit.IsCancellationRequested, $"{string.Join(' ', command)}: {output}");
        }
    }

    private Task<string> DeferredAsync(string domain, int recipients) =>
        UntilAsync(output => output.Split('\n').Count(l => l.Contains("  waiting  1 ", StringComparison.Ordinal)) == recipients, "queue", "show", domain);

    private Task ArrivedAsync(string recipient) => bench.Sink.UntilAsync(_ => bench.Sink.Has(recipient), TimeSpan.FromSeconds(60), recipient);

    [Fact]
    public async Task Should_list_show_and_retry_by_message_domain_and_all()
    {
        var first = await SendAsync("later1@retry.test");
        await SendAsync("later2@retry.test");
        await SendAsync("later3@again.test");
        var shown = await DeferredAsync("retry.test", 2);
        await DeferredAsync("again.test", 1);
        Assert.StartsWith("retry.test: 2 queued, 0 under way, site route:127.0.0.1:", shown);
        Assert.Contains(first, shown, StringComparison.Ordinal);
        var rows = JsonDocument.Parse(await DoneAsync("queue", "show", "RETRY.test", "--json")).RootElement[0].GetProperty("recipients");
        Assert.Equal(2, rows.GetArrayLength());
        await UntilAsync(output => output.Split('\n').Intersect(["2       retry.test", "1       again.test"]).Count() == 2, "queue", "list");
        var mailq = await DoneAsync("mailq");
        Assert.Matches("\n-- [0-9]+ Kbytes in [0-9]+ Requests\\.$", mailq);
        Assert.Matches($"(?m)^{first} +[0-9]+ [A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [0-9]{{2}} [0-9:]{{8}}  ", mailq);
        Assert.Contains("                later1@retry.test", mailq, StringComparison.Ordinal);
        Assert.Contains("later1@retry.test", shown, StringComparison.Ordinal);

        bench.Open("retry.test");
        Assert.Equal("1 recipients are due now.", await DoneAsync("queue", "retry", first));
        await ArrivedAsync("later1@retry.test");
        Assert.False(bench.Sink.Has("later2@retry.test"));
        Assert.Equal("1 recipients are due now.", await DoneAsync("queue", "retry", "retry.test"));
        await ArrivedAsync("later2@retry.test");
        bench.Open("again.test");
        Assert.Matches("^[1-9][0-9]* recipients are due now\\.$", await DoneAsync("queue", "retry", "--all"));
        await ArrivedAsync("later3@again.test");
        await UntilAsync(output => output == "angarium: nothing is queued for again.test.", "queue", "show", "again.test");
    }

    [Fact]
    public async Task Should_hold_and_release_a_domain_and_a_message()
    {
        Assert.Equal("held.test is held.", await DoneAsync("queue", "hold", "held.test"));
        await SendAsync("a@held.test");
        await UntilAsync(output => output.StartsWith("held.test: 1 queued, 0 under way, held", StringComparison.Ordinal) && output.Contains("  held   ", StringComparison.Ordinal), "queue", "show", "held.test");
        Assert.Contains("held.test is held: ", await DoneAsync("queue", "retry", "held.test"), StringComparison.Ordinal);
        Assert.False(bench.Sink.Has("a@held.test"));
        Assert.Equal("held.test is released.", await DoneAsync("queue", "release", "held.test"));
        await ArrivedAsync("a@held.test");

        var kept = await SendAsync("later1@some.test");
        await SendAsync("later2@some.test");
        await DeferredAsync("some.test", 2);
        Assert.Equal($"{kept} is held.", await DoneAsync("queue", "hold", kept));
        bench.Open("some.test");
        await DoneAsync("queue", "retry", "some.test");
        await ArrivedAsync("later2@some.test");
        Assert.Matches($"{kept}  held", await DoneAsync("queue", "show", kept));
        Assert.False(bench.Sink.Has("later1@some.test"));
        Assert.Equal($"{kept} is released.", await DoneAsync("queue", "release", kept));
        await ArrivedAsync("later1@some.test");
    }

    [Fact]
    public async Task Should_drop_a_message_and_a_domain_and_keep_the_reason()
    {
        var first = await SendAsync("later1@drop.test");
        var second = await SendAsync("later2@drop.test");
        await DeferredAsync("drop.test", 2);
        Assert.Equal("1 recipients dropped.", await DoneAsync("queue", "drop", first, "--reason", "asked by its sender"));
        Assert.Contains("dropped own=\"554 5.7.0 asked by its sender\"", await DoneAsync("trace", first), StringComparison.Ordinal);
        Assert.Contains(second, await DoneAsync("queue", "show", "drop.test"), StringComparison.Ordinal);
        Assert.Equal("1 recipients dropped.", await DoneAsync("queue", "drop", "drop.test"));
        Assert.Contains("dropped by an operator", await DoneAsync("trace", second), StringComparison.Ordinal);
        await RefusedAsync(1, "nothing is queued for drop.test.", "queue", "drop", "drop.test");
        await RefusedAsync(1, $"no queue holds {first}", "queue", "drop", first);
    }

    [Fact]
    public async Task Should_trace_every_event_of_a_message()
    {
        var id = await SendAsync("later1@trace.test", "b@straight.test");
        await DeferredAsync("trace.test", 1);
        await ArrivedAsync("b@straight.test");
        var text = await UntilAsync(output => output.Contains(" delivered ", StringComparison.Ordinal), "trace", id);
        Assert.StartsWith($"{id}: from <a@sender.test>, tenant default, ", text);
        Assert.Matches($"(?m)^    \\S+ deferred attempt=1 remote=127\\.0\\.0\\.1:{bench.Sink.Port} .*next=\\S+ reply=\"451 4.3.0 come again\"", text);
        var events = JsonDocument.Parse(await DoneAsync("trace", id, "--json")).RootElement.EnumerateArray().Select(e => e.GetProperty("kind").GetString()).Order();
        Assert.Equal(["deferred", "delivered"], events);

        await DoneAsync("queue", "hold", "untried.test");
        var untried = await SendAsync("c@untried.test");
        var waiting = $"{untried}: accepted, not tried yet; queued for untried.test.";
        Assert.Equal(waiting, await DoneAsync("trace", untried));
        Assert.Equal($"{text}\n{waiting}", await DoneAsync("trace", id, untried));
    }

    [Fact]
    public async Task Should_answer_a_wrong_command_with_one_line_and_a_code()
    {
        await RefusedAsync(1, $"no queue holds {Nobody}", "queue", "show", Nobody);
        await RefusedAsync(1, $"no queue holds {Nobody}", "queue", "retry", Nobody);
        await RefusedAsync(1, $"{Nobody} is neither queued nor in the ledger", "trace", Nobody);
        await RefusedAsync(1, "`xyz` is not a message id", "trace", "xyz");
        await RefusedAsync(1, "nothing is queued for nosuch.test.", "queue", "show", "nosuch.test");
        await RefusedAsync(1, "nothing is queued for nosuch.test.", "queue", "retry", "nosuch.test");
        await RefusedAsync(1, "`not a domain!` is neither a domain nor a message id", "queue", "hold", "not a domain!");
        await RefusedAsync(2, "there is no `bogus`", "bogus");
        await RefusedAsync(2, "there is no `bogus`", "queue", "bogus");
        await RefusedAsync(2, "Required argument missing", "trace");
        await RefusedAsync(2, "101 ids are too many; name at most 100 at a time.", ["trace", .. Enumerable.Repeat(Nobody, 101)]);
        await RefusedAsync(2, "Cannot parse argument 'x' for option '--limit'", "queue", "list", "--limit", "x");
        await RefusedAsync(2, "name a domain or a message id, or say --all", "queue", "retry");
        await RefusedAsync(2, "name a domain or a message id, or say --all", "queue", "retry", "one.test", "--all");
        await RefusedAsync(1, "no relay runs on /nowhere", "queue", "list", "--data", "/nowhere");
        await RefusedAsync(1, "Data: /nowhere is not there.", "spool", "verify", "--data", "/nowhere");
        await RefusedAsync(2, "--role: `grains` needs no keys of its own", "storage", "keys", "--role", "ingress,grains", "--set", "Spool:Azure=UseDevelopmentStorage=true");
        await RefusedAsync(2, "the stores of the cluster `mail` are not under Data", "spool", "verify", "--set", "Cluster:Id=mail");
    }

    [Fact]
    public async Task Should_show_settings_metrics_and_a_sound_spool_beside_the_running_relay()
    {
        var settings = await DoneAsync("settings");
        Assert.Contains("Retry:Schedule = 1h\n", settings, StringComparison.Ordinal);
        Assert.Equal("1h", JsonDocument.Parse(await DoneAsync("settings", "--json")).RootElement.GetProperty("Retry:Schedule").GetString());
        Assert.Equal("", await DoneAsync("settings", "--check"));
        Assert.Contains("| `angarium_queue_recipients` | gauge |", await DoneAsync("metrics"), StringComparison.Ordinal);
        await SendAsync("a@verify.test");
        await ArrivedAsync("a@verify.test");
        Assert.Matches("^[0-9]+ packs with [0-9]+ entries, .* 0 problems$", await DoneAsync("spool", "verify"));
    }

    [Fact]
    public async Task Should_open_its_socket_to_its_user_alone()
    {
        if (OperatingSystem.IsWindows()) return;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(Relay.Data, "angarium.sock")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Relay.Data));
        Assert.SkipUnless(Environment.UserName == "root", "only root can become another user");
        foreach (var command in (string[][])[["queue", "list"], ["spool", "verify"]])
        {
            var (code, output) = await Child.RunAsync("setpriv", ["--reuid", "65534", "--clear-groups", Relay.Executable, .. command, "--data", Relay.Data], TimeSpan.FromSeconds(60));
            Assert.Matches("^angarium: .*(may not be opened by this user|denied|is not there)", Assert.Single(output.Split('\n')));
            Assert.Equal(1, code);
        }
    }

    private async Task<(int Code, string Output)> SendmailAsync(string input, params string[] arguments) =>
        await Child.RunAsync(Relay.Executable, ["sendmail", "--server", $"127.0.0.1:{Relay.SmtpPort}", .. arguments], TimeSpan.FromSeconds(60), input);

    [Fact]
    public async Task Should_submit_as_sendmail_does()
    {
        var (code, output) = await SendmailAsync("To: T <t@mail.test>\nBcc: hidden@mail.test\nSubject: by header\n\none\n.\nlost\n", "-t", "-f", "me@here.test");
        Assert.True(code == 0 && output.Length == 0, output);
        (code, output) = await SendmailAsync("Subject: by argument\n\none\n.\nkept\n", "-oi", "-f", "<>", "arg@mail.test", "other@mail.test");
        Assert.True(code == 0 && output.Length == 0, output);
        foreach (var recipient in (string[])["t@mail.test", "hidden@mail.test", "arg@mail.test", "other@mail.test"]) await ArrivedAsync(recipient);
        var byHeader = bench.Sink.All.First(m => m.Recipients.Contains("t@mail.test"));
        Assert.Equal("me@here.test", byHeader.Sender);
        Assert.DoesNotContain("hidden", byHeader.Text, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\none\r\n", byHeader.Text, StringComparison.Ordinal);
        var byArgument = bench.Sink.All.First(m => m.Recipients.Contains("arg@mail.test"));
        Assert.Equal("", byArgument.Sender);
        Assert.EndsWith("\r\n\r\none\r\n.\r\nkept\r\n", byArgument.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_exit_as_sysexits_says()
    {
        const string Mail = "Subject: x\n\nx\n";
        foreach (var (expected, line, arguments) in new (int, string, string[])[]
        {
            (64, "name recipients, or say -t", ["-i"]),
            (64, "the message names no recipients", ["-t"]),
            (64, "unknown option -Z", ["-Z", "a@b.test"]),
            (64, "this mode of sendmail is not offered", ["-bs"]),
            (65, "cannot read the address list", ["a@@b"]),
            (65, "cannot read the address list", ["a@b.test\r\nRCPT TO:<z@z.test>"]),
            (69, "501 5.1.3", ["a@[1.2.3]"]),
            (75, "Connection refused", ["--server", "127.0.0.1:9", "a@b.test"]),
            (78, "the relay has no SMTP listener at a known address", ["--server", "nonsense", "a@b.test"]),
            (78, "there is no such file", ["--config", "/nowhere.json", "a@b.test"]),
        })
        {
            var (code, output) = await SendmailAsync(Mail, arguments);
            Assert.Contains(line, Assert.Single(output.Split('\n')), StringComparison.Ordinal);
            Assert.StartsWith("sendmail: ", output);
            Assert.Equal(expected, code);
        }
    }

    [Fact]
    public async Task Should_be_sendmail_and_mailq_by_name()
    {
        var folder = Directory.CreateTempSubdirectory("angarium-names-").FullName;
        foreach (var name in (string[])["sendmail", "mailq"]) File.CreateSymbolicLink(Path.Combine(folder, name), Relay.Executable);
        Assert.Equal((0, ""), await Child.RunAsync(Path.Combine(folder, "sendmail"), ["--config", Relay.ConfigFile, "-i", "named@name.test"], TimeSpan.FromSeconds(60), "Subject: x\n\nx\n"));
        await ArrivedAsync("named@name.test");
        Assert.Equal(0, (await Child.RunAsync(Path.Combine(folder, "mailq"), ["--config", Relay.ConfigFile], TimeSpan.FromSeconds(60))).Code);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Should_be_unready_while_it_stops_and_be_missed_when_it_is_down()
    {
        // Nobody is there to take the mail: it stays as it is, however long the stop takes.
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{Ports.Free()}" }).StartAsync();
        using var http = new HttpClient();
        var readyz = new Uri($"http://127.0.0.1:{relay.AdminPort}/readyz");
        using (var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60)))
            while (await (await http.GetAsync(readyz, limit.Token)).Content.ReadAsStringAsync(limit.Token) != "ready\n") Assert.False(limit.IsCancellationRequested);

        // A transaction under way keeps the process alive for its drain; meanwhile it is not ready.
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        await client.CommandAsync("MAIL FROM:<a@sender.test>");
        await client.CommandAsync("RCPT TO:<b@one.test>");
        Assert.StartsWith("354", await client.CommandAsync("DATA"));
        var stop = relay.StopAsync();
        HttpResponseMessage answer;
        do answer = await http.GetAsync(readyz);
        while (answer.IsSuccessStatusCode && !stop.IsCompleted);
        Assert.Equal("not ready: the process is stopping\n", await answer.Content.ReadAsStringAsync());
        Assert.Equal(System.Net.HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.StartsWith("250", await client.CommandAsync("Subject: x\r\n\r\nx\r\n."));
        Assert.Equal(0, await stop);

        var (code, output) = await relay.CommandAsync("queue", "list");
        Assert.Equal((1, $"angarium: no relay runs on {relay.Data}; start it, or name its folder with --data or its file with --config."), (code, output));
        (code, output) = await Child.RunAsync(Relay.Executable, ["sendmail", "--config", relay.ConfigFile, "a@b.test"], TimeSpan.FromSeconds(60), "Subject: x\n\nx\n");
        Assert.Equal(75, code);
        Assert.StartsWith("sendmail: ", Assert.Single(output.Split('\n')));
        (code, output) = await relay.CommandAsync("spool", "verify");
        Assert.True(code == 0 && output.StartsWith("1 packs with 1 entries", StringComparison.Ordinal), output);

        // One octet of the stored message changes: it is found, named, and told by the exit code.
        var segment = Directory.EnumerateFiles(Path.Combine(relay.Data, "spool"), "*", SearchOption.AllDirectories).OrderByDescending(f => new FileInfo(f).Length).First();
        var octets = await File.ReadAllBytesAsync(segment);
        octets[octets.AsSpan().IndexOf("Subject: x"u8)] ^= 1;
        await File.WriteAllBytesAsync(segment, octets);
        (code, output) = await relay.CommandAsync("spool", "verify");
        Assert.Equal(1, code);
        Assert.Contains("fails its checksum", output, StringComparison.Ordinal);
        Assert.DoesNotContain(" 0 problems", output, StringComparison.Ordinal);
    }
}
