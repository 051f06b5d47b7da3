using System.Diagnostics;
using System.Globalization;
using Angarium.Bench.Load;
using Angarium.Bench.Machine;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Running;

/// <summary>
/// How long a client waits for its 250, and the receiver for the message, at a fifth and at four fifths of what the relay can carry; beside what a bare write and flush of 4 KiB takes on the same
/// disk just before and after. Loader, relay and sink share the machine.
/// </summary>
internal sealed class Latency(BenchOptions options)
{
    private const int Flushes = 500;
    private Times times = new(0);

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        await new Latency(BenchOptions.Parse(arguments)).MeasureAsync();
        return 0;
    }

    private async Task MeasureAsync()
    {
        var folder = Path.Combine(options.Folder, "latency");
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        var shape = Shape.All[0];
        var sinkPort = Ports.Free();

        // One for all loads: the relay keeps its connections from one to the next.
        using var sink = new TimedSink(sinkPort, number => Volatile.Read(ref times).Arrived(number));
        await using (var relay = new Relays.Angarium())
        {
            await relay.StartAsync(sinkPort, folder);
            var capacity = options.Capacity;
            await LoadAsync(relay.Port, shape, 5_000, 0);
            if (capacity == 0)
            {
                var (took, _) = await LoadAsync(relay.Port, shape, 20_000, 0);
                capacity = 20_000 / took.TotalSeconds;
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"at most {capacity:f0} messages/s, with loader and sink on the same {MachineUse.Processors} processors"));
            Console.WriteLine("| load | messages/s | to 250: p50 / p99 / max ms | to arrival: p50 / p99 / max ms | bare flush before and after: p50 / p99 / max ms |");
            Console.WriteLine("| --- | --- | --- | --- | --- |");
            foreach (var share in (double[])[0.2, 0.8])
            {
                await MachineUse.WhenQuietAsync();
                var flush = Flush(folder);
                var rate = capacity * share;
                var (_, measured) = await LoadAsync(relay.Port, shape, (int)(rate * options.Seconds), rate);
                flush = [.. flush, .. Flush(folder)];
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {100 * share:f0} % | {rate:f0} | {Text(measured.ToAnswer())} | {Text(measured.ToArrival())} | {Text(flush)} |"));
            }
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task<(TimeSpan Took, Times Times)> LoadAsync(int port, Shape shape, int messages, double rate)
    {
        var current = new Times(messages);
        Volatile.Write(ref times, current);
        var began = Stopwatch.GetTimestamp();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        await new Loader(rate, current).RunAsync(port, shape, messages, limit.Token);
        await current.AllArrived.Task.WaitAsync(limit.Token);
        return (Stopwatch.GetElapsedTime(began), current);
    }

    private static double[] Flush(string folder)
    {
        var path = Path.Combine(folder, "flush");
        var milliseconds = new double[Flushes];
        var octets = new byte[4096];
        using (var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 0))
        {
            for (var i = 0; i < Flushes; i++)
            {
                var began = Stopwatch.GetTimestamp();
                file.Write(octets);
                file.Flush(flushToDisk: true);
                milliseconds[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            }
        }

        File.Delete(path);
        return milliseconds;
    }

    private static string Text(double[] values) =>
        string.Create(CultureInfo.InvariantCulture, $"{Times.Percentile(values, 50):0.0} / {Times.Percentile(values, 99):0.0} / {values.Max():0.0}");
}
