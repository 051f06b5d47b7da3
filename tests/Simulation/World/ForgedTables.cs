using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>Tables of contents as they would be without a clause of rule 4 or 5.</summary>
internal sealed class ForgedTables(SimWorld world, ISpoolReader reader) : ISpoolReader
{
    public async Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken)
    {
        var read = await reader.ReadTocAsync(name, cancellationToken);
        if (read.Value is not { } toc || name.Kind != PackKind.Moved) return read;
        // Each copy names the other only if it is read when both are there.
        if (world.Breaks == Breaks.SourceNamed && !world.Blobs.Packs.Any(p => p.Key.Kind == PackKind.Moved && p.Key != name && toc.Entries.Any(e => e.Keys.Any(p.Value.Keys.Contains)))) throw new IOException("later");
        return read with
        {
            Value = world.Breaks == Breaks.SourceNamed ? toc with { Sources = [.. world.Blobs.Packs.Keys] }
                : world.Breaks == Breaks.CopyPositions ? toc with { Positions = [.. world.Blobs.ListLedger().Select(l => new LedgerPosition(l.Stream, l.Length))] }
                : toc with { Entries = [.. toc.Entries.Select(e => e with { Keys = Forge(e.Keys) })] },
        };
    }

    public async Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken)
    {
        var read = await reader.ReadEntryAsync(place, cancellationToken);
        return world.Breaks == Breaks.KeyIsPlace && place.Pack.Kind == PackKind.Moved && read.Value is { } entry ? read with { Value = new Forged(entry) } : read;
    }

    private static RecipientKey[] Forge(IEnumerable<RecipientKey> keys) => [.. keys.Select(k => k with { Pack = k.Pack + 1_000_000 })];

    private sealed class Forged(SpooledEntry entry) : SpooledEntry
    {
        public override Envelope Envelope => entry.Envelope;

        public override IReadOnlyList<RecipientKey> Keys { get; } = Forge(entry.Keys);

        public override MessageId Message => entry.Message;

        public override string Domain => entry.Domain;

        public override long ContentLength => entry.ContentLength;

        public override bool ContentIsEightBit => entry.ContentIsEightBit;

        public override ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken) => entry.ReadAsync(cancellationToken);

        public override void Dispose() => entry.Dispose();
    }
}
