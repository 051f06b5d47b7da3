using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;
using Angarium.Spool.Documents;

namespace Angarium.Simulation.Stores;

/// <summary>The documents as one process reaches them.</summary>
internal sealed class SimDocuments(SimWorld world, SimProcess process) : IDocumentStore
{
    public Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        if (IsLost(name)) return Task.FromResult<Document?>(null);
        return world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.ReadDocument(name));
    }

    public async Task<DocumentRead> ReadIfChangedAsync(string name, string? tag, CancellationToken cancellationToken)
    {
        // Rule 10 broken: who writes since the first look is not seen.
        if (world.Breaks == Breaks.NewStreams && tag is not null) return new DocumentRead(false, null);
        var document = await ReadAsync(name, cancellationToken);
        return document?.Tag == tag ? new DocumentRead(false, null) : new DocumentRead(true, document);
    }

    public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        if (IsLost(name)) return Task.FromResult<string?>("1");
        var bytes = content.ToArray();
        return world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.WriteDocument(name, bytes, tag));
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken) => world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.DeleteDocument(name));

    public async Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) =>
        await world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.ListDocuments(prefix));

    private bool IsLost(string name) => world.Breaks == Breaks.ControlDocuments && name.StartsWith("control/", StringComparison.Ordinal)
        || world.Breaks == Breaks.WorkerList && name.StartsWith("pools/", StringComparison.Ordinal);
}
