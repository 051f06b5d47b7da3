using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>A full disk, a clock that steps, a machine that goes down in order.</summary>
public sealed class When_the_machine_misbehaves
{
    [Fact]
    public async Task Should_answer_452_on_a_full_disk_lose_nothing_and_recover()
    {
        var folder = Directory.CreateTempSubdirectory("angarium-small-").FullName;
        Assert.Equal(0, (await Child.RunAsync("mount", ["-t", "tmpfs", "-o", "size=20m,mode=0700", "tmpfs", folder], TimeSpan.FromSeconds(20))).Code);
        try
        {
            var closed = true;
            using var sink = new Sink { OnConnect = () => Volatile.Read(ref closed) ? "421 4.3.2 closed" : null };
            await using var relay = await new Relay(new()
            {
                ["Data"] = Path.Combine(folder, "data"),
                ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}",
                ["Retry:Schedule"] = "1s",
                ["Spool:MinFree"] = "5",
            }).StartAsync();
            using var client = await Client.ConnectAsync(relay.SmtpPort);
            await client.ReplyAsync();
            await client.CommandAsync("EHLO client.test");
            var content = "Subject: x\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 78) + "\r\n", 3000));
            var acknowledged = 0;
            var reply = "";
            while (acknowledged < 200)
            {
                reply = await client.TransactionAsync("a@sender.test", [$"n{acknowledged}@one.test"], content);
                if (!reply.StartsWith("250", StringComparison.Ordinal)) break;
                acknowledged++;
            }

            Assert.StartsWith("452 4.3.1", reply);
            Assert.InRange(acknowledged, 10, 100);
            Volatile.Write(ref closed, false);
            var all = await sink.CountAsync(acknowledged);
            Assert.Equal(acknowledged, all.SelectMany(r => r.Recipients).Distinct().Count());

            // With everything delivered the room comes back by itself.
            for (var tries = 0; ; tries++)
            {
                reply = await client.TransactionAsync("a@sender.test", ["again@one.test"], content);
                if (reply.StartsWith("250", StringComparison.Ordinal)) break;
                Assert.True(tries < 90 && reply.StartsWith("452", StringComparison.Ordinal), reply);
                await Task.Delay(1000);
            }
        }
        finally
        {
            await Child.RunAsync("umount", ["-l", folder], TimeSpan.FromSeconds(20));
            Directory.Delete(folder);
        }
    }

    [Fact]
    public async Task Should_expire_nothing_when_the_clock_steps_by_five_days()
    {
        var tries = 0;
        var open = false;
        using var sink = new Sink
        {
            OnRecipient = _ =>
            {
                Interlocked.Increment(ref tries);
                return Volatile.Read(ref open) ? null : "451 4.3.0 later";
            },
        };
        var folder = Directory.CreateTempSubdirectory("angarium-clock-").FullName;
        var clock = Path.Combine(folder, "offset");
        await File.WriteAllTextAsync(clock, "+0\n");
        try
        {
            await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Retry:Schedule"] = "1s" }, environment: new()
            {
                ["LD_PRELOAD"] = FakeTime(),
                ["FAKETIME_TIMESTAMP_FILE"] = clock,
                ["FAKETIME_NO_CACHE"] = "1",
                ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
                ["FAKETIME_FORCE_MONOTONIC_FIX"] = "0",
            }).StartAsync();
            using var client = await Client.ConnectAsync(relay.SmtpPort);
            await client.ReplyAsync();
            await client.CommandAsync("EHLO client.test");
            Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", ["b@one.test"], "Subject: x\r\n\r\nx"));
            await relay.Process!.LineAsync(l => l.Contains("later", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "first deferral");

            // Past every expiry (4 d).
            await File.WriteAllTextAsync(clock, "+5d\n");
            await relay.Process.LineAsync(l => l.Contains("clock has jumped", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "line about the clock");
            var seen = Volatile.Read(ref tries);
            await relay.Process.LineAsync(_ => Volatile.Read(ref tries) > seen + 1, TimeSpan.FromSeconds(90), "attempts after the step");
            Volatile.Write(ref open, true);
            var message = Assert.Single(await sink.CountAsync(1, 90));
            Assert.Equal("b@one.test", message.Recipients.Single());
            Assert.Equal(0, await relay.StopAsync());
            Assert.Single(relay.Output.Split('\n'), l => l.Contains("clock has jumped", StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Should_say_421_to_the_idle_finish_the_rest_and_keep_what_was_taken()
    {
        using var sink = new Sink { OnConnect = () => "421 4.3.2 closed" };
        await using var relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Retry:Schedule"] = "1s" }).StartAsync();
        using var idle = await Client.ConnectAsync(relay.SmtpPort);
        await idle.ReplyAsync();
        using var busy = await Client.ConnectAsync(relay.SmtpPort);
        await busy.ReplyAsync();
        await busy.CommandAsync("EHLO client.test");
        await busy.CommandAsync("MAIL FROM:<a@sender.test>");
        await busy.CommandAsync("RCPT TO:<b@one.test>");
        await busy.CommandAsync("DATA");
        var stopping = relay.StopAsync();
        Assert.StartsWith("421 4.3.2", await idle.ReplyAsync());
        await busy.SendAsync("Subject: x\r\n\r\nx\r\n.\r\n");
        Assert.StartsWith("250 2.0.0", await busy.ReplyAsync());
        Assert.StartsWith("421", await busy.ReplyAsync());
        Assert.Equal(0, await stopping);

        using var open = new Sink();
        relay.Set("Egress:NextHop", $"127.0.0.1:{open.Port}");
        await relay.StartAsync();
        Assert.Equal("b@one.test", Assert.Single(await open.CountAsync(1)).Recipients.Single());
    }

    /// <summary>Debian's folder of the machine's architecture. No search through /usr/lib: packages keep links there that lead in circles.</summary>
    private static string FakeTime() =>
        Directory.GetDirectories("/usr/lib", "*-linux-gnu*").Select(f => Path.Combine(f, "faketime", "libfaketime.so.1")).First(File.Exists);
}
