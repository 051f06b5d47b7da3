using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>Tables of contents as they would be without a clause of rule 4 or 5.</summary>
internal sealed class ForgedTables(SimWorld world, ISpoolReader reader) : ISpoolReader
{
    public async Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken)
    {
        var read = await reader.ReadTocAsync(name, cancellationToken);
        if (read.Value is not { } toc || name.Kind != PackKind.Moved) return read;
        return read with
        {
            Value = world.Breaks == Breaks.SourceNamed
                ? toc with { Sources = [.. world.Blobs.Packs.Keys] }
                : toc with { Entries = [.. toc.Entries.Select(e => e with { Keys = [.. e.Keys.Select(k => k with { Pack = k.Pack + 1_000_000 })] })] },
        };
    }

    public Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken) => reader.ReadEntryAsync(place, cancellationToken);
}
