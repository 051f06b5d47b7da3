using Angarium.Contracts.Webhooks;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// The posts that wait for an egress, and those that one has. Who comes first goes first, but nobody has more than a share of the places: not a tenant, not a host; and those whose last post failed or
/// took long have a smaller one, and of each egress half. So whoever is dead or slow is in its own way. On its grain's turns; nothing survives, for whoever waits asks again.
/// </summary>
internal sealed class WebhookDesk
{
    public const int MaxWaiting = 1_000, PerTenant = 10, SlowPerTenant = 3, PerHost = 8, SlowPerHost = 4, MaxWaitingPerTenant = 40;

    private const long MaxOctets = 64 << 20, MaxAnswer = 8 << 20;

    private readonly LinkedList<Waiting> _waiting = new();
    private readonly Dictionary<long, Taken> _taken = [];
    private readonly Dictionary<string, int> _tenants = new(StringComparer.Ordinal), _hosts = new(StringComparer.Ordinal);

    /// <summary>The slow ones of a tenant, a host or an egress.</summary>
    private readonly Dictionary<(char Kind, string Of), int> _slow = [];
    private long _octets;

    /// <summary>Begins anywhere: what an egress reports of another activation's orders must not be taken for one of these.</summary>
    private long _number = Random.Shared.NextInt64(1, long.MaxValue / 2);

    public int InWaiting => _waiting.Count;

    /// <summary>Its number; null = there is no room.</summary>
    public long? Offer(WebhookPost post)
    {
        if (_waiting.Count >= MaxWaiting || _waiting.Count(w => w.Post.Tenant == post.Tenant) >= MaxWaitingPerTenant || _octets + post.Body.Length > MaxOctets) return null;
        _octets += post.Body.Length;
        _waiting.AddLast(new Waiting(++_number, post, HostOf(post.Url)));
        return _number;
    }

    /// <summary>What an egress shall post.</summary>
    /// <param name="worker">Which.</param>
    /// <param name="free">Most posts.</param>
    /// <param name="most">Posts that it could have under way in all.</param>
    public WebhookOrder[] Take(string worker, int free, int most)
    {
        var orders = new List<WebhookOrder>();
        var octets = 0L;
        for (var node = _waiting.First; node is not null && orders.Count < free && octets < MaxAnswer;)
        {
            var (waiting, next) = (node.Value, node.Next);
            if (MayGo(waiting, worker, most))
            {
                _waiting.Remove(node);
                _octets -= waiting.Post.Body.Length;
                octets += waiting.Post.Body.Length;
                Count(waiting, worker, 1);
                _taken[waiting.Number] = new Taken(waiting, worker);
                orders.Add(new WebhookOrder { Number = waiting.Number, Post = waiting.Post });
            }

            node = next;
        }

        return [.. orders];
    }

    /// <summary>It is over, however: its places are free. True = an egress had it.</summary>
    public bool End(long number)
    {
        if (_taken.Remove(number, out var taken))
        {
            Count(taken.Waiting, taken.Worker, -1);
            return true;
        }

        for (var node = _waiting.First; node is not null; node = node.Next)
        {
            if (node.Value.Number != number) continue;
            _octets -= node.Value.Post.Body.Length;
            _waiting.Remove(node);
            break;
        }

        return false;
    }

    private static string HostOf(string url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) ? uri.Authority.ToLowerInvariant() : "";

    private bool MayGo(Waiting waiting, string worker, int most) =>
        _tenants.GetValueOrDefault(waiting.Post.Tenant) < PerTenant && _hosts.GetValueOrDefault(waiting.Host) < PerHost
        && (!waiting.Post.IsSlow || (_slow.GetValueOrDefault(('t', waiting.Post.Tenant)) < SlowPerTenant && _slow.GetValueOrDefault(('h', waiting.Host)) < SlowPerHost
            && _slow.GetValueOrDefault(('e', worker)) < Math.Max(1, most / 2)));

    private void Count(Waiting waiting, string worker, int by)
    {
        Add(_tenants, waiting.Post.Tenant, by);
        Add(_hosts, waiting.Host, by);
        if (!waiting.Post.IsSlow) return;
        Add(_slow, ('t', waiting.Post.Tenant), by);
        Add(_slow, ('h', waiting.Host), by);
        Add(_slow, ('e', worker), by);

        static void Add<T>(Dictionary<T, int> counts, T key, int by) where T : notnull
        {
            var count = counts.GetValueOrDefault(key) + by;
            if (count > 0) counts[key] = count;
            else counts.Remove(key);
        }
    }

    private sealed record Waiting(long Number, WebhookPost Post, string Host);

    private sealed record Taken(Waiting Waiting, string Worker);
}
