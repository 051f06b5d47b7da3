using System.Globalization;

namespace Angarium.Chaos.Processes;

/// <summary>
/// The relay's own counters, for the report only: read from every process every few seconds, summed over the lives of processes that were killed between. One task.
/// </summary>
internal sealed class Meters(IReadOnlyList<Node> nodes)
{
    private readonly Dictionary<string, double> done = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, double>> last = nodes.ToDictionary(n => n.Name, _ => new Dictionary<string, double>(StringComparer.Ordinal));

    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(3));
        try
        {
            while (await timer.WaitForNextTickAsync(stop)) await ReadAsync();
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    public Task ReadAsync() => Task.WhenAll(nodes.Select(ReadAsync));

    /// <summary>A counter over all processes and lives; lines of a label that contains <paramref name="label"/> only.</summary>
    public double Total(string name, string label = "")
    {
        lock (done)
        {
            return done.Concat(last.Values.SelectMany(v => v)).Where(p => p.Key.Contains(label, StringComparison.Ordinal) && (p.Key == name || p.Key.StartsWith(name + "{", StringComparison.Ordinal))).Sum(p => p.Value);
        }
    }

    /// <summary>All counters whose name contains one of these words and which moved.</summary>
    public IEnumerable<(string Name, double Value)> Matching(params string[] words)
    {
        List<string> names;
        lock (done) names = done.Keys.Concat(last.Values.SelectMany(v => v.Keys)).Distinct().Where(k => Array.Exists(words, w => k.Contains(w, StringComparison.Ordinal))).Order(StringComparer.Ordinal).ToList();
        return names.Select(n => (n, Total(n))).Where(p => p.Item2 > 0);
    }

    private async Task ReadAsync(Node node)
    {
        string text;
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            text = await Probes.TextAsync(node.Address, 9464, "/metrics", limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            return;
        }

        var now = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n').Where(l => l.StartsWith("angarium_", StringComparison.Ordinal)))
        {
            var blank = line.LastIndexOf(' ');
            if (line.Contains("_total", StringComparison.Ordinal) && double.TryParse(line[(blank + 1)..], CultureInfo.InvariantCulture, out var value)) now[line[..blank]] = value;
        }

        lock (done)
        {
            var before = last[node.Name];
            // A counter that fell is that of a new process.
            if (before.Any(p => now.GetValueOrDefault(p.Key) < p.Value))
                foreach (var (name, value) in before) done[name] = done.GetValueOrDefault(name) + value;
            last[node.Name] = now;
        }
    }
}
