using Angarium.Spool.Documents;

namespace Angarium.Integration.Cluster;

/// <summary>One process's way to the shared documents, which a test can cut.</summary>
internal sealed class TestDocuments(IDocumentStore shared) : IDocumentStore
{
    public volatile bool IsCut;

    public Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        Check();
        return shared.ReadAsync(name, cancellationToken);
    }

    public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        Check();
        return shared.WriteAsync(name, content, tag, cancellationToken);
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        Check();
        return shared.DeleteAsync(name, cancellationToken);
    }

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => shared.ListAsync(prefix, cancellationToken);

    private void Check()
    {
        if (IsCut) throw new IOException("cut");
    }
}
