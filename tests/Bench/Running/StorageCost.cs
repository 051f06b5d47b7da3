using System.Diagnostics;
using System.Globalization;
using Angarium.Bench.Load;
using Angarium.Bench.Relays;

namespace Angarium.Bench.Running;

/// <summary>
/// What a cluster of one ingress, one silo and one egress asks of blob storage at a steady rate: each rate runs for two minutes first, so that packs of the time before are looked at and deleted
/// while the next are made, and everything that is asked for from then on counts, what an idle cluster asks for too.
/// </summary>
internal sealed class StorageCost(BenchOptions options)
{
    /// <summary>Dollars for 10,000: Azure block blobs, hot tier, locally redundant; a listing costs what a write does, a deletion nothing.</summary>
    private const double Write = 0.05, Read = 0.004;
    private static readonly TimeSpan s_before = TimeSpan.FromMinutes(2);

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        await new StorageCost(BenchOptions.Parse(arguments)).MeasureAsync();
        return 0;
    }

    private async Task MeasureAsync()
    {
        Console.WriteLine("| messages/s | reached | packs | appends to the ledger | writes | reads | lists | deletes | $ per million |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var rate in options.Rates)
        {
            var folder = Path.Combine(options.Folder, "storage");
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            Directory.CreateDirectory(folder);
            await using (var relay = new AngariumCluster(1, 1)) await MeasureAsync(relay, rate, folder);
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task MeasureAsync(AngariumCluster relay, double rate, string folder)
    {
        var comparison = new Comparison(options);
        await relay.StartAsync(comparison.SinkPort, folder);
        using var sink = new SmtpSink(comparison.SinkPort, folder);
        await Ready.ListensAsync(comparison.SinkPort);
        using var stop = new CancellationTokenSource();
        // Twenty sessions that wait for their 250 send no more than 800 messages a second into packs that begin 25 ms apart.
        var shape = Shape.All.First(s => s.Name == (rate > 500 ? "reuse-100" : "reuse-20"));
        var load = new Loader(rate).RunAsync(relay.Port, shape, int.MaxValue, stop.Token);
        await Task.WhenAny(load, Task.Delay(s_before));
        var (began, before, first) = (Stopwatch.GetTimestamp(), await relay.CountersAsync(), sink.Count());
        await Task.WhenAny(load, Task.Delay(TimeSpan.FromSeconds(options.Seconds)));
        var (took, after, messages) = (Stopwatch.GetElapsedTime(began), await relay.CountersAsync(), sink.Count() - first);
        await stop.CancelAsync();
        try
        {
            await load;
        }
        catch (OperationCanceledException)
        {
            // It is over.
        }

        double Million(string counter) => after.Where(c => c.Key.StartsWith(counter, StringComparison.Ordinal)).Sum(c => c.Value - before.GetValueOrDefault(c.Key)) * 1_000_000 / messages;
        double Asked(string operation) => after.Where(c => c.Key.StartsWith("angarium_storage_requests_total{", StringComparison.Ordinal) && c.Key.Contains($"operation=\"{operation}\"", StringComparison.Ordinal))
            .Sum(c => c.Value - before.GetValueOrDefault(c.Key)) * 1_000_000 / messages;
        var (writes, reads, lists) = (Asked("write"), Asked("read"), Asked("list"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {rate:f0} | {messages / took.TotalSeconds:f0} | {Million("angarium_spool_commits_total"):f0} | {Million("angarium_ledger_appends_total"):f0} | {writes:f0} | {reads:f0} | {lists:f0} | {Asked("delete"):f0} | {((writes + lists) * Write + reads * Read) / 10_000:f2} |"));
    }
}
