using System.Text;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>kill -9 at random moments under load, with an account of every acknowledged recipient at the end.</summary>
public sealed class When_killed_under_load
{
    private const int Kills = 20;

    [Fact]
    public async Task Should_deliver_every_acknowledged_recipient()
    {
        var seed = Environment.GetEnvironmentVariable("ANGARIUM_TEST_SEED") is { Length: > 0 } given ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture) : Random.Shared.Next();
        var random = new Random(seed);
        var deferred = new HashSet<string>();
        using var sink = new Sink
        {
            // One in sixteen is deferred once: read back, retried, recorded twice.
            OnRecipient = r =>
            {
                lock (deferred) return r.GetHashCode(StringComparison.Ordinal) % 16 == 0 && deferred.Add(r) ? "451 4.3.0 later" : null;
            },
        };
        await using var relay = new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Retry:Schedule"] = "1s", ["Retry:Expire"] = "1h" });
        var load = new Load(relay.SmtpPort, 8, n => n % 10 == 0
            ? [Load.Address(n, 0, "one.test"), Load.Address(n, 1, "one.test"), Load.Address(n, 2, "two.test"), Load.Address(n, 3, $"d{n % 50}.test")]
            : [Load.Address(n, 0, n % 3 == 0 ? "two.test" : "one.test")]);
        using var stop = new CancellationTokenSource();
        var kills = new List<DateTimeOffset>();
        await relay.StartAsync();
        var sending = load.RunAsync(stop.Token);
        try
        {
            for (var kill = 1; kill <= Kills; kill++)
            {
                var before = load.Recipients.Count;
                // Not a wait for something: the kill comes at any moment of running load.
                await Task.Delay(random.Next(100, 1500));
                await relay.KillAsync();
                kills.Add(DateTimeOffset.UtcNow);
                TestContext.Current.TestOutputHelper?.WriteLine($"kill {kill}: {load.Recipients.Count - before} acknowledged since the last, {sink.All.Count} received so far");
                relay.Set("Spool:Cache", kill % 2 == 0 ? "67108864" : "0");
                await relay.StartAsync();
            }

            await Task.Delay(500);
        }
        finally
        {
            await stop.CancelAsync();
        }

        await sending;
        var due = load.Recipients.Keys.ToList();
        Assert.True(due.Count > 500, $"only {due.Count} acknowledged: no load");
        try
        {
            await sink.AllAsync(due, TimeSpan.FromSeconds(120));
        }
        catch (TimeoutException)
        {
            var missing = due.Where(d => !sink.Has(d)).ToList();
            Assert.Fail($"seed {seed}: {missing.Count} of {due.Count} lost: " + string.Join(' ', missing.Take(20).Select(m => $"{m} ({load.Recipients[m].Id} at {load.Recipients[m].At:HH:mm:ss.fff})")) + $"\n{relay.Process!.Output}");
        }

        var report = new StringBuilder();
        foreach (var twice in sink.All.SelectMany(r => r.Recipients.Select(to => (To: to, Message: r))).GroupBy(x => x.To).Where(g => g.Count() > 1))
        {
            var copies = twice.Select(x => x.Message).OrderBy(m => m.Sequence).ToList();
            // Allowed: the first dot came before a kill, and no delivered record of it is older than the second attempt.
            var killed = kills.Any(k => k >= copies[0].At.AddMilliseconds(-50) && k <= copies[^1].At);
            Assert.True(killed, $"seed {seed}: {twice.Key} arrived {copies.Count} times with no kill between {copies[0].At:O} and {copies[^1].At:O}");
            if (load.Recipients.TryGetValue(twice.Key, out var sent))
            {
                var (code, output) = await relay.CommandAsync("trace", sent.Id);
                Assert.True(code == 0, output);
                var delivered = Records(output).Where(r => r.Recipient == twice.Key && r.Kind == "delivered").ToList();
                Assert.True(delivered.Count > 0, $"seed {seed}: {twice.Key} arrived and has no delivered record: {output}");
                Assert.True(delivered.TrueForAll(d => d.Time > copies[^1].At.AddMilliseconds(-200)), $"seed {seed}: {twice.Key} was sent again after it was recorded: {output}");
            }

            report.Append(System.Globalization.CultureInfo.InvariantCulture, $"{twice.Key} {copies.Count} times; ");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {due.Count} acknowledged, 0 lost, doubled: {report}");
    }

    /// <summary>Lines of `trace`: a recipient in angle brackets, then its records, each beginning with time and kind.</summary>
    private static IEnumerable<(string Recipient, string Kind, DateTimeOffset Time)> Records(string output)
    {
        var recipient = "";
        foreach (var line in output.Split('\n').Select(l => l.Trim()))
        {
            var words = line.Split(' ');
            if (line.StartsWith('<')) recipient = line.Trim('<', '>');
            else if (words.Length > 1 && DateTimeOffset.TryParse(words[0], System.Globalization.CultureInfo.InvariantCulture, out var time)) yield return (recipient, words[1], time);
        }
    }
}
