using System.Collections.Concurrent;

namespace Angarium.Egress.Sessions;

/// <summary>Addresses that could not be connected a short while ago. Any thread; bounded; lost in a crash.</summary>
internal sealed class UnreachableHosts(TimeProvider time)
{
    public static readonly TimeSpan For = TimeSpan.FromMinutes(1);

    private const int Most = 10_000;

    private readonly ConcurrentDictionary<RouteEndPoint, long> since = new();

    public bool Contains(RouteEndPoint target)
    {
        if (!since.TryGetValue(target, out var failed)) return false;
        if (time.GetElapsedTime(failed) < For) return true;
        since.TryRemove(new(target, failed));
        return false;
    }

    public void Add(RouteEndPoint target)
    {
        if (since.Count >= Most)
        {
            foreach (var known in since.Keys) Contains(known);
            // All of them young: who knows so many hosts that do not answer has no use for the list.
            if (since.Count >= Most) since.Clear();
        }

        since[target] = time.GetTimestamp();
    }

    public void Remove(RouteEndPoint target) => since.TryRemove(target, out _);
}
