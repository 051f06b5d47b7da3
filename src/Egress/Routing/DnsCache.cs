using System.Collections.Concurrent;

namespace Angarium.Egress.Routing;

/// <summary>
/// Answers by (name, kind) until their time to live, bounded to 5 s and one hour, is over; one question at a time for each. Any thread. When it is full it
/// starts anew: cheaper than order, and DNS servers cache as well.
/// </summary>
internal sealed class DnsCache(IDnsSource source, TimeProvider time, int capacity = 20_000)
{
    public static readonly TimeSpan Least = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan Most = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<(string, DnsKind), Lazy<Task<Entry>>> entries = new();

    private sealed record Entry(DnsAnswer Answer, long Since);

    /// <summary>The answer, with what is left of its time to live.</summary>
    public async Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (entries.Count >= capacity) entries.Clear();
            // The question outlives the caller that asked it first: others wait for it, and it is bounded in itself.
            var lazy = entries.GetOrAdd((name, kind), static (key, self) => new Lazy<Task<Entry>>(() => self.AskAsync(key)), this);
            var entry = await lazy.Value.WaitAsync(cancellationToken);
            var left = entry.Answer.TimeToLive - time.GetElapsedTime(entry.Since);
            if (left > TimeSpan.Zero) return entry.Answer with { TimeToLive = left };
            entries.TryRemove(new((name, kind), lazy));
        }
    }

    private async Task<Entry> AskAsync((string Name, DnsKind Kind) key)
    {
        DnsAnswer answer;
        try
        {
            answer = await source.QueryAsync(key.Name, key.Kind, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            answer = DnsAnswer.Trouble("no usable answer from DNS");
        }

        var ttl = answer.TimeToLive < Least || answer.Status == DnsStatus.Trouble ? Least : answer.TimeToLive > Most ? Most : answer.TimeToLive;
        return new Entry(answer with { TimeToLive = ttl }, time.GetTimestamp());
    }
}
