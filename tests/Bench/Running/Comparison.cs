using System.Diagnostics;
using System.Globalization;
using Angarium.Bench.Load;
using Angarium.Bench.Machine;
using Angarium.Bench.Relays;
using Angarium.Bench.Results;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Running;

/// <summary>
/// Relays side by side: in each round every relay is started afresh, warmed, given every shape once, and stopped, so that those of one round saw the same machine. One at a time.
/// </summary>
internal sealed class Comparison(BenchOptions options)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    public int SinkPort { get; } = Ports.Free();

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        var options = BenchOptions.Parse(arguments);
        var rows = new List<Row>();
        var comparison = new Comparison(options);
        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var name in options.Relays) await comparison.RoundAsync(round, name, rows);
        }

        Console.WriteLine();
        Console.WriteLine(Table.Of(rows, options.Relays.Contains("postfix") ? "postfix" : options.Relays[0]));
        if (options.Picture is { } picture) await File.WriteAllTextAsync(picture, Picture.Of(rows, options.Title, "direct"));
        return 0;
    }

    public static IRelay Create(string name) => name switch
    {
        "direct" => new Direct(),
        "postfix" => new Postfix(),
        "angarium" => new Relays.Angarium(),
        "trusted" or "trusted-tls" or "submission" or "submission-verp" => new AngariumTenant(name),
        ['a', 'n', 'g', 'a', 'r', 'i', 'u', 'm', '@', .. var other] => new Relays.Angarium(name: Path.GetFileName(Path.GetDirectoryName(other)!), executable: other),
        ['c', 'l', 'u', 's', 't', 'e', 'r', '-', .. var shape] when shape.Split('@', 2) is [var size, .. var other] && size.Split('x') is [var silos, var egresses] =>
            new AngariumCluster(int.Parse(silos, CultureInfo.InvariantCulture), int.Parse(egresses, CultureInfo.InvariantCulture), other.FirstOrDefault()),
        _ => throw new ArgumentException($"no relay `{name}`"),
    };

    private async Task RoundAsync(int round, string name, List<Row> rows)
    {
        var folder = Path.Combine(options.Folder, $"{name.Split('@')[0]}-{round.ToString(CultureInfo.InvariantCulture)}");
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        await using (var relay = Create(name))
        {
            await relay.StartAsync(SinkPort, folder);
            await MeasureAsync(relay, Shape.All[0], Math.Max(100, (int)(options.WarmUp * relay.Share)), folder);
            foreach (var shape in options.Shapes)
            {
                var row = await MeasureAsync(relay, shape, Math.Max(shape.Sessions, (int)(shape.Messages * relay.Share * options.Share)), folder);
                rows.Add(row);
                Console.WriteLine($"round {round}  {row}");
            }
        }

        Directory.Delete(folder, recursive: true);
    }

    public async Task<Row> MeasureAsync(IRelay relay, Shape shape, int messages, string folder)
    {
        using var sink = new SmtpSink(SinkPort, folder);
        await Ready.ListensAsync(SinkPort);
        await MachineUse.WhenQuietAsync();
        var load = relay.Load ?? (shape.IsPlain ? new SmtpSource() : new Loader());
        using var limit = new CancellationTokenSource(s_patience);
        using var self = Process.GetCurrentProcess();
        var before = await relay.CountersAsync();
        var (machine, cpu, sinkCpu, ownCpu) = (MachineUse.Now(), ProcessTree.Cpu(relay.Roots), ProcessTree.CpuOf(sink.Id), self.TotalProcessorTime.TotalSeconds);
        var began = Stopwatch.GetTimestamp();
        var peak = 0.0;
        var sending = Task.Run(() => load.RunAsync(relay.Port, shape, messages, limit.Token));
        TimeSpan? accepted = null;
        int count, behind = 0;
        for (var looked = TimeSpan.Zero; (count = sink.Count()) < messages || !sending.IsCompleted;)
        {
            var now = Stopwatch.GetElapsedTime(began);
            if (accepted is null && sending.IsCompleted) (accepted, behind) = (now, messages - count);
            if (sending.IsFaulted) await sending;
            if (now > s_patience) throw new TimeoutException($"{relay.Name}, {shape.Name}: {count} of {messages} at the sink after {s_patience}");
            if (now - looked > TimeSpan.FromSeconds(1))
            {
                looked = now;
                peak = Math.Max(peak, ProcessTree.Memory(relay.Roots));
            }

            await Task.Delay(4);
        }

        var took = Stopwatch.GetElapsedTime(began);
        peak = Math.Max(peak, ProcessTree.Memory(relay.Roots));
        // What is written behind the last message belongs to it.
        await Task.Delay(500);
        self.Refresh();
        var (after, used) = (MachineUse.Now(), ProcessTree.Cpu(relay.Roots) - cpu);
        var wall = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var counted = (await relay.CountersAsync()).ToDictionary(c => c.Key, c => c.Value - before.GetValueOrDefault(c.Key));
        return new Row
        {
            Relay = relay.Name, Shape = shape.Name, Messages = messages, AcceptedPerSecond = messages / (accepted ?? took).TotalSeconds, PerSecond = messages / took.TotalSeconds, Backlog = behind,
            CpuPerThousand = used * 1000 / messages, PeakMemory = peak, Busy = (after.Busy - machine.Busy) / wall / MachineUse.Processors,
            OtherCpu = after.Busy - machine.Busy - used - (ProcessTree.CpuOf(sink.Id) - sinkCpu) - (self.TotalProcessorTime.TotalSeconds - ownCpu) - (load is SmtpSource ? await sending : 0),
            DiskPerMessage = (after.Written - machine.Written) / 1024.0 / messages, Counted = counted,
        };
    }
}
