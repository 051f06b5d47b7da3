using Angarium.Spool.Documents;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>Documents that several couriers write at a time, and that can be what they were.</summary>
internal sealed class LockedDocuments : IDocumentStore
{
    private readonly Lock _gate = new();
    private Dictionary<string, Document> _all = [];
    private int _tag;

    public int Count
    {
        get { lock (_gate) return _all.Count; }
    }

    public Dictionary<string, Document> Copy()
    {
        lock (_gate) return new(_all);
    }

    public void Restore(Dictionary<string, Document> all)
    {
        lock (_gate) _all = all;
    }

    public Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        lock (_gate) return Task.FromResult(_all.GetValueOrDefault(name));
    }

    public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_all.GetValueOrDefault(name)?.Tag != tag) return Task.FromResult<string?>(null);
            _all[name] = new Document(content.ToArray(), $"{++_tag}");
            return Task.FromResult<string?>($"{_tag}");
        }
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        lock (_gate) _all.Remove(name);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        lock (_gate) return Task.FromResult<IReadOnlyList<string>>([.. _all.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)]);
    }
}
