using System.Diagnostics;
using System.Globalization;
using Angarium.Bench.Load;
using Angarium.Bench.Machine;
using Angarium.Bench.Relays;
using Angarium.Bench.Results;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Running;

/// <summary>
/// What a flow loses to what lies or goes on beside it: two relays on the same machine, one of them with many deferred messages over many domains, or with mail for a destination that is slow; in each
/// round each is given the same flow, and the other one has nothing to do.
/// </summary>
internal sealed class Beside(bool isSlow, BenchOptions options)
{
    private const int Domains = 10_000;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(30);
    private readonly Comparison comparison = new(options);

    public static async Task<int> RunAsync(bool isSlow, IReadOnlyList<string> arguments)
    {
        await new Beside(isSlow, BenchOptions.Parse(arguments)).MeasureAsync();
        return 0;
    }

    private async Task MeasureAsync()
    {
        var folder = Path.Combine(options.Folder, "beside");
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        var otherPort = Ports.Free();
        using var other = new TimedSink(otherPort, _ => { }, isSlow ? TimeSpan.FromSeconds(1) : default, refuses: !isSlow);
        var settings = new Dictionary<string, string> { ["Egress:Routes:*.later.test"] = $"127.0.0.1:{otherPort}", ["Egress:Routes:later.test"] = $"127.0.0.1:{otherPort}", ["Retry:Schedule"] = "2h" };
        await using (var plain = new Relays.Angarium())
        await using (var laden = new Relays.Angarium(settings, isSlow ? "beside a slow destination" : string.Create(CultureInfo.InvariantCulture, $"with {options.Messages} deferred")))
        {
            IRelay[] relays = [plain, laden];
            foreach (var relay in relays) await relay.StartAsync(comparison.SinkPort, Path.Combine(folder, relay == plain ? "plain" : "laden"));
            using var stop = new CancellationTokenSource();
            var slow = isSlow ? SlowlyAsync(laden.Port, stop.Token) : Task.CompletedTask;
            if (!isSlow) await DeferAsync(laden.Port, other);
            var rows = new List<Row>();
            var shape = Shape.All[0];
            foreach (var relay in relays) await comparison.MeasureAsync(relay, shape, 5_000, folder);
            for (var round = 1; round <= options.Rounds; round++)
            {
                foreach (var relay in relays)
                {
                    rows.Add(await comparison.MeasureAsync(relay, shape, (int)(shape.Messages * options.Share), folder));
                    Console.WriteLine($"round {round}  {rows[^1]}");
                }
            }

            await stop.CancelAsync();
            await slow;
            if (isSlow) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the slow destination took {other.Count} messages meanwhile"));
            Console.WriteLine();
            Console.WriteLine(Table.Of(rows, plain.Name));
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task DeferAsync(int port, TimedSink other)
    {
        var began = Stopwatch.GetTimestamp();
        using var limit = new CancellationTokenSource(s_patience);
        var shape = new Shape("later", "") { Sessions = 50, Size = 1024 };
        await new Loader(domain: n => string.Create(CultureInfo.InvariantCulture, $"d{n % Domains}.later.test")).RunAsync(port, shape, options.Messages, limit.Token);
        while (other.Refused < options.Messages) await Task.Delay(200, limit.Token);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{options.Messages} of 1 KiB accepted, tried once and deferred in {Stopwatch.GetElapsedTime(began).TotalSeconds:f0} s"));
        await MachineUse.WhenQuietAsync();
    }

    /// <summary>Ten messages a second, of which 20 connections carry four: the receiver takes 5 s for each.</summary>
    private static async Task SlowlyAsync(int port, CancellationToken stop)
    {
        try
        {
            await new Loader(10, domain: _ => "later.test").RunAsync(port, new Shape("slow", "") { Sessions = 2 }, int.MaxValue, stop);
        }
        catch (OperationCanceledException)
        {
            // The rounds are over.
        }
    }
}
