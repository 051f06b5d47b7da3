using Angarium.Spool.Documents;

namespace Angarium.Integration.Cluster;

/// <summary>One process's way to the shared documents, which a test can cut.</summary>
internal sealed class TestDocuments(IDocumentStore shared) : IDocumentStore
{
    public volatile bool IsCut;
    public int Calls;
    public int Writes;

    public Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        Count(write: false);
        return shared.ReadAsync(name, cancellationToken);
    }

    public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        Count(write: true);
        return shared.WriteAsync(name, content, tag, cancellationToken);
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        Count(write: true);
        return shared.DeleteAsync(name, cancellationToken);
    }

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => shared.ListAsync(prefix, cancellationToken);

    private void Count(bool write)
    {
        if (IsCut) throw new IOException("cut");
        Interlocked.Increment(ref Calls);
        if (write) Interlocked.Increment(ref Writes);
    }
}
