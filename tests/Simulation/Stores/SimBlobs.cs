using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.Stores;

/// <summary>The blob store itself: packs, ledger streams and documents, changed in one step each. Outlives every process; tells the account what has become durable or is gone.</summary>
internal sealed class SimBlobs(SimLoop loop, SimAccount account, Breaks breaks)
{
    private readonly Dictionary<string, Document> _documents = [];
    private readonly Dictionary<LedgerStream, Stream> _streams = [];
    private long _tags;

    public SimStoreLink Link { get; } = new(loop, "blobs", 15, 3_000);

    /// <summary>Copies that were made.</summary>
    public int Moved { get; private set; }

    /// <summary>Deletions of packs for the sake of their copies, and of copies.</summary>
    public int MovedAway { get; private set; }

    /// <summary>Packs in the order of their creation.</summary>
    public Dictionary<PackName, Pack> Packs { get; } = [];

    public PackCreation Create(PackName name, byte[] bytes, bool late)
    {
        if (Packs.TryGetValue(name, out var there) && breaks != Breaks.WriterId) return PackCreation.Exists;
        if (there is not null) Delete(name);
        if (name.Kind == PackKind.Moved) Moved++;
        var pack = Packs[name] = new Pack(bytes, loop.Now, late);
        PackDecoder.TryReadHeader(bytes, out var header);
        var toc = PackDecoder.ReadTable(header, bytes.AsSpan(PackFormat.HeaderSize, header.TableLength))!;
        foreach (var entry in toc.Entries)
        {
            foreach (var key in entry.Keys) pack.Keys.Add(key);
            if (name.Kind != PackKind.Birth) continue;
            var record = PackDecoder.ReadRecord(name, bytes.AsMemory((int)entry.Offset, PackDecoder.RecordLength(bytes.AsSpan((int)entry.Offset))))!;
            var content = bytes.AsMemory((int)record.BodyOffset, (int)record.BodyLength);
            account.Durable(entry, record, content);
        }

        return PackCreation.Created;
    }

    public int Read(PackName name, long offset, Span<byte> into)
    {
        if (!Packs.TryGetValue(name, out var pack)) return -1;
        var count = (int)Math.Clamp(pack.Bytes.Length - offset, 0, into.Length);
        pack.Bytes.AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    public List<PackListing> List() => [.. Packs.Select(p => new PackListing(p.Key, p.Value.Bytes.Length, p.Value.Created))];

    public void Delete(PackName name)
    {
        if (!Packs.Remove(name, out var pack)) return;
        var isMoved = name.Kind == PackKind.Moved;
        foreach (var key in pack.Keys)
        {
            if (Packs.Values.Any(p => p.Keys.Contains(key))) isMoved = true;
            else account.Vanished(key, name);
        }

        if (isMoved) MovedAway++;
    }

    public long Append(LedgerStream id, long offset, byte[] block)
    {
        if (!_streams.TryGetValue(id, out var stream)) _streams[id] = stream = new Stream();
        if (stream.IsSealed || stream.Bytes.Count != offset) throw new LedgerConflictException($"{id} ends at {stream.Bytes.Count}, sealed {stream.IsSealed}");
        stream.Bytes.AddRange(block);
        stream.Modified = loop.Now;
        foreach (var record in LedgerReader.Decode(block, out _)) account.Recorded(record, id.Writer);
        return stream.Bytes.Count;
    }

    public LedgerRead ReadLedger(LedgerStream id, long offset, int maxBytes)
    {
        if (!_streams.TryGetValue(id, out var stream)) return new LedgerRead(default, offset, false, offset);
        var data = stream.Bytes.GetRange((int)offset, stream.Bytes.Count - (int)offset).ToArray();
        return new LedgerRead(data, offset + data.Length, stream.IsSealed, offset + data.Length);
    }

    public long Seal(LedgerStream id)
    {
        if (!_streams.TryGetValue(id, out var stream)) _streams[id] = stream = new Stream();
        if (!stream.IsSealed) (stream.IsSealed, stream.Modified) = (true, loop.Now);
        return stream.Bytes.Count;
    }

    public List<LedgerStreamListing> ListLedger() => [.. _streams.Select(s => new LedgerStreamListing(s.Key, s.Value.Bytes.Count, s.Value.IsSealed, s.Value.Modified))];

    public bool DeleteLedger(LedgerStream id) => _streams.Remove(id);

    public Document? ReadDocument(string name) => _documents.GetValueOrDefault(name);

    public string? WriteDocument(string name, byte[] content, string? tag)
    {
        if (_documents.GetValueOrDefault(name)?.Tag != tag) return null;
        var next = (++_tags).ToString();
        _documents[name] = new Document(content, next);
        return next;
    }

    public bool DeleteDocument(string name) => _documents.Remove(name);

    public List<string> ListDocuments(string prefix) => [.. _documents.Keys.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    /// <param name="Late">Its creation was applied long after it was asked for.</param>
    internal sealed record Pack(byte[] Bytes, StoreTime Created, bool Late)
    {
        public HashSet<RecipientKey> Keys { get; } = [];
    }

    private sealed class Stream
    {
        public readonly List<byte> Bytes = [];
        public bool IsSealed;
        public StoreTime Modified;
    }
}
