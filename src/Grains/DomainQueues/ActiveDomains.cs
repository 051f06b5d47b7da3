using System.Collections.Concurrent;

namespace Angarium.Grains.DomainQueues;

/// <summary>How many recipients the activations of this silo hold that are not in the index yet: for people and gauges. Any thread; gone with the process.</summary>
internal sealed class ActiveDomains
{
    private readonly ConcurrentDictionary<string, int> _counts = new();

    public long Total => _counts.Values.Sum(c => (long)c);

    public IEnumerable<KeyValuePair<string, int>> Counts => _counts;

    public void Set(string domain, int count)
    {
        if (count == 0) _counts.TryRemove(domain, out _);
        else _counts[domain] = count;
    }

    public void Remove(string domain) => _counts.TryRemove(domain, out _);
}
