using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Grains.View;

/// <summary>
/// A moved pack that exists: which recipients it holds and where, six octets each and twenty for each birth pack, since all silos keep all of them. Immutable; any thread. Read again from
/// the pack after a crash.
/// </summary>
internal sealed class MovedPack
{
    private readonly PackId[] _births;
    private readonly int[] _starts;
    private readonly ushort[] _ordinals;
    private readonly int[] _entries;
    private readonly (uint Offset, uint Length)[] _places;

    public MovedPack(PackToc toc, StoreTime listedAt)
    {
        (Name, Created, ListedAt) = (toc.Name, toc.Created, listedAt);
        (Sources, Positions) = (toc.Sources.ToHashSet(), [.. toc.Positions]);
        _places = [.. toc.Entries.Select(e => (e.Offset, e.Length))];
        var rows = new List<(RecipientKey Key, int Entry)>();
        for (var i = 0; i < toc.Entries.Count; i++)
        {
            foreach (var key in toc.Entries[i].Keys) rows.Add((key, i));
        }

        rows.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        _ordinals = [.. rows.Select(r => r.Key.Ordinal)];
        _entries = [.. rows.Select(r => r.Entry)];
        var births = new List<PackId>();
        var starts = new List<int>();
        for (var i = 0; i < rows.Count; i++)
        {
            if (i > 0 && rows[i].Key.PackId == rows[i - 1].Key.PackId) continue;
            births.Add(rows[i].Key.PackId);
            starts.Add(i);
        }

        (_births, _starts) = ([.. births], [.. starts, rows.Count]);
    }

    public PackName Name { get; }

    public StoreTime Created { get; }

    /// <summary>When this silo first saw it in a listing.</summary>
    public StoreTime ListedAt { get; }

    public IReadOnlySet<PackName> Sources { get; }

    /// <summary>The ledger from here on is kept for it (design rule 10).</summary>
    public IReadOnlyList<LedgerPosition> Positions { get; }

    public IReadOnlyList<PackId> Births => _births;

    public int Count => _ordinals.Length;

    public IEnumerable<RecipientKey> Keys => _births.SelectMany((b, i) => Enumerable.Range(_starts[i], _starts[i + 1] - _starts[i]).Select(r => b.Recipient(_ordinals[r])));

    public bool Contains(RecipientKey key) => Row(key) >= 0;

    public EntryPlace? Find(RecipientKey key)
    {
        if (Row(key) is not (>= 0 and var row)) return null;
        var (offset, length) = _places[_entries[row]];
        return new EntryPlace(Name, offset, length);
    }

    private int Row(RecipientKey key)
    {
        var birth = Array.BinarySearch(_births, key.PackId);
        return birth < 0 ? -1 : Array.BinarySearch(_ordinals, _starts[birth], _starts[birth + 1] - _starts[birth], key.Ordinal);
    }
}
