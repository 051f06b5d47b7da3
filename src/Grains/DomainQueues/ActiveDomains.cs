using System.Collections.Concurrent;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// How many recipients the activations of this silo hold that are not in the index yet: for people and gauges, and so that a long absence of the index does not take all memory. Any
/// thread; gone with the process.
/// </summary>
internal sealed class ActiveDomains
{
    /// <summary>Recipients of all domains together. Each costs some 400 octets.</summary>
    public const int Most = 1_000_000;

    private readonly ConcurrentDictionary<string, int> _counts = new();
    private long _total;

    public long Total => Interlocked.Read(ref _total);

    /// <summary>No more is taken into memory: what comes is left to the sweep, which offers it again.</summary>
    public bool IsFull => Total >= Most;

    public IEnumerable<KeyValuePair<string, int>> Counts => _counts;

    public void Set(string domain, int count)
    {
        if (count == 0)
        {
            Remove(domain);
            return;
        }

        // One activation may end while its successor begins here: the total must not drift.
        while (true)
        {
            var isThere = _counts.TryGetValue(domain, out var before);
            if (!(isThere ? _counts.TryUpdate(domain, count, before) : _counts.TryAdd(domain, count))) continue;
            Interlocked.Add(ref _total, count - before);
            return;
        }
    }

    public void Remove(string domain)
    {
        if (_counts.TryRemove(domain, out var count)) Interlocked.Add(ref _total, -count);
    }
}
