using Angarium.Spool.Documents;

namespace Angarium.Unit.Grains.Control;

/// <summary>Documents in memory, with a hook that runs before each write (another writer's turn) and one before each reading, which are listed.</summary>
internal sealed class MemoryDocuments : IDocumentStore
{
    private readonly Dictionary<string, Document> _documents = [];
    private int _tag;

    public Func<Task>? BeforeWrite { get; set; }

    public Func<Task>? BeforeRead { get; set; }

    /// <summary>What was read, in this order.</summary>
    public List<string> Reads { get; } = [];

    public async Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        Reads.Add(name);
        if (BeforeRead is { } before) await before();
        return _documents.GetValueOrDefault(name);
    }

    public async Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        if (BeforeWrite is { } before)
        {
            BeforeWrite = null;
            await before();
        }

        if (_documents.GetValueOrDefault(name)?.Tag != tag) return null;
        _documents[name] = new Document(content.ToArray(), $"{++_tag}");
        return $"{_tag}";
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        _documents.Remove(name);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([.. _documents.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)]);
}
