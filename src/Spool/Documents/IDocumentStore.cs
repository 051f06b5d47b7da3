namespace Angarium.Spool.Documents;

/// <summary>The seam of small documents with compare-and-swap (writers of the ledger, control, view checkpoints, pools). One contract suite for every provider.</summary>
public interface IDocumentStore
{
    /// <summary>Null = it is not there.</summary>
    Task<Document?> ReadAsync(string name, CancellationToken cancellationToken);

    /// <summary>Reads only what has changed since it had this tag (null = was not there): a refresh that finds nothing new is cheap (design rule 10).</summary>
    async Task<DocumentRead> ReadIfChangedAsync(string name, string? tag, CancellationToken cancellationToken)
    {
        var document = await ReadAsync(name, cancellationToken).ConfigureAwait(Turns.Captured);
        return document?.Tag == tag ? new DocumentRead(false, null) : new DocumentRead(true, document);
    }

    /// <summary>
    /// Writes durably if the document's tag is still <paramref name="tag"/> (null = must not exist yet) and returns the new tag; null = somebody else was first.
    /// </summary>
    /// <exception cref="IOException">It may or may not have been written: read it again.</exception>
    Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken);

    Task DeleteAsync(string name, CancellationToken cancellationToken);

    /// <summary>Names that begin with <paramref name="prefix"/>, sorted.</summary>
    Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken);
}

/// <param name="Tag">Opaque; changes with every write.</param>
public sealed record Document(ReadOnlyMemory<byte> Content, string Tag);

/// <param name="HasChanged">False = its tag is still the one given.</param>
/// <param name="Document">What it is now, where it has changed; null = it is not there any more.</param>
public readonly record struct DocumentRead(bool HasChanged, Document? Document);
