using System.Collections.Concurrent;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Traffic;

namespace Angarium.Chaos.Faults;

/// <summary>
/// What faults act on, and what they have in common: who is stopped or cut off just now, one fault at a time for a process, waits that end with the load. Any thread.
/// </summary>
internal sealed class Arena(Cluster cluster, Sink sink, CancellationToken loadEnds)
{
    private readonly ConcurrentDictionary<string, int> isolated = new();

    public Cluster Cluster { get; } = cluster;

    public Sink Sink { get; } = sink;

    public CancellationToken LoadEnds { get; } = loadEnds;

    public static (string Name, bool IsExcused) PeerAt(string address, Cluster? cluster, Arena? arena)
    {
        var node = cluster?.Relays.FirstOrDefault(n => n.Address == address);
        return node is null ? (address, false) : (node.Name, arena?.isolated.GetValueOrDefault(node.Name) > 0);
    }

    /// <summary>One of these that no other fault has, now this one's until released; null = none is free.</summary>
    public static Node? Take(IEnumerable<Node> candidates, Random random)
    {
        var shuffled = candidates.ToArray();
        random.Shuffle(shuffled);
        return Array.Find(shuffled, n => n.Gate.Wait(0));
    }

    /// <summary>A time in the given bounds; the least of it only once the load is over, for faults end with it.</summary>
    public async Task HoldAsync(Random random, double least, double most)
    {
        var extra = TimeSpan.FromSeconds(random.NextDouble() * (most - least));
        await Task.Delay(TimeSpan.FromSeconds(least), CancellationToken.None);
        try
        {
            await Task.Delay(extra, LoadEnds);
        }
        catch (OperationCanceledException)
        {
            // Now.
        }
    }

    /// <summary>While the returned object lives, the sink does not count the connections of these processes.</summary>
    public IDisposable Isolate(params string[] names)
    {
        foreach (var name in names)
        {
            isolated.AddOrUpdate(name, 1, (_, n) => n + 1);
            Sink.Excuse(name);
        }

        return new Isolation(() =>
        {
            foreach (var name in names)
            {
                Sink.Excuse(name);
                isolated.AddOrUpdate(name, 0, (_, n) => n - 1);
            }
        });
    }

    private sealed class Isolation(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
