namespace Angarium.Spool.Documents;

/// <summary>The seam of small documents with compare-and-swap (writers of the ledger, control, view checkpoints, pools). One contract suite for every provider.</summary>
public interface IDocumentStore
{
    /// <summary>Null = it is not there.</summary>
    Task<Document?> ReadAsync(string name, CancellationToken cancellationToken);

    /// <summary>
    /// Writes durably if the document's tag is still <paramref name="tag"/> (null = must not exist yet) and returns the new tag; null = somebody else was first.
    /// </summary>
    Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken);

    Task DeleteAsync(string name, CancellationToken cancellationToken);

    /// <summary>Names that begin with <paramref name="prefix"/>, sorted.</summary>
    Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken);
}

/// <param name="Tag">Opaque; changes with every write.</param>
public sealed record Document(ReadOnlyMemory<byte> Content, string Tag);
