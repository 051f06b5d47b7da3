namespace Angarium.Host.Sink;

/// <summary>What the sink received, the newest first, bounded by number and octets: the oldest are forgotten. In memory; any thread.</summary>
internal sealed class SinkStore(int maxMessages, long maxOctets, TimeProvider time)
{
    /// <summary>What a message costs beside its content.</summary>
    private const int Overhead = 512;

    private readonly Lock _lock = new();
    private readonly LinkedList<SinkMessage> _messages = new();
    private readonly Dictionary<long, LinkedListNode<SinkMessage>> _byId = [];
    private long _octets;
    private long _received;

    /// <summary>All that ever came, the forgotten included.</summary>
    public long Received => Interlocked.Read(ref _received);

    public SinkMessage Add(string client, string reversePath, IReadOnlyList<string> recipients, ReadOnlyMemory<byte> content)
    {
        lock (_lock)
        {
            var message = new SinkMessage
            {
                Id = ++_received,
                Received = time.GetUtcNow(),
                Client = client,
                ReversePath = reversePath,
                Recipients = recipients,
                Content = content,
            };
            _byId[message.Id] = _messages.AddFirst(message);
            _octets += content.Length + Overhead;
            while (_messages.Count > maxMessages || (_octets > maxOctets && _messages.Count > 1)) Forget(_messages.Last!);
            return message;
        }
    }

    public SinkMessage? Find(long id)
    {
        lock (_lock) return _byId.GetValueOrDefault(id)?.Value;
    }

    public IReadOnlyList<SinkMessage> Latest(int limit)
    {
        lock (_lock) return [.. _messages.Take(limit)];
    }

    private void Forget(LinkedListNode<SinkMessage> node)
    {
        _messages.Remove(node);
        _byId.Remove(node.Value.Id);
        _octets -= node.Value.Content.Length + Overhead;
    }
}
