using System.Buffers.Binary;
using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>The spool of all processes: tables of contents only. Survives every crash.</summary>
internal sealed class SimPacks(SimLoop loop) : IPackStore, ISpoolReader
{
    public readonly SortedDictionary<(PackKind, ulong, uint), PackToc> Packs = [];

    public int MaxCreationsInFlight => 1;

    public void Add(PackToc toc) => Packs.Add((toc.Name.Kind, toc.Name.Writer, toc.Name.Number), toc);

    public bool Exists(PackName name) => Packs.ContainsKey((name.Kind, name.Writer, name.Number));

    public async IAsyncEnumerable<PackListing> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var all = Packs.Values.ToList();
        await loop.Delay(1, 30);
        foreach (var pack in all) yield return new PackListing(pack.Name, 1000, pack.Created);
    }

    public async Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken)
    {
        await loop.Delay(1, 30);
        return Packs.TryGetValue((name.Kind, name.Writer, name.Number), out var toc)
            ? new SpoolRead<PackToc>(SpoolReadStatus.Found, toc)
            : new SpoolRead<PackToc>(SpoolReadStatus.NotFound, null);
    }

    public async Task DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        await loop.Delay(1, 30);
        Packs.Remove((name.Kind, name.Writer, name.Number));
    }

    public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>The ledger's streams: lists of records. Survives every crash.</summary>
internal sealed class SimLedgerStore(SimLoop loop) : ILedgerStore
{
    public readonly List<(LedgerRecord Record, StoreTime At)> All = [];
    public readonly Dictionary<RecipientKey, List<(LedgerRecord Record, StoreTime At)>> ByKey = [];
    private readonly SortedDictionary<ulong, List<int>> _streams = [];
    private readonly HashSet<ulong> _sealed = [];

    public bool Write(ulong writer, IReadOnlyList<LedgerRecord> records)
    {
        if (_sealed.Contains(writer)) return false;
        if (!_streams.TryGetValue(writer, out var stream)) _streams[writer] = stream = [];
        foreach (var record in records)
        {
            stream.Add(All.Count);
            All.Add((record, loop.Now));
            if (!ByKey.TryGetValue(record.Key, out var list)) ByKey[record.Key] = list = [];
            list.Add((record, loop.Now));
        }

        return true;
    }

    public IEnumerable<LedgerRecord> Decode(ReadOnlyMemory<byte> data)
    {
        for (var i = 0; i < data.Length; i += 4) yield return All[BinaryPrimitives.ReadInt32LittleEndian(data.Span[i..])].Record;
    }

    public void Seal(ulong writer) => _sealed.Add(writer);

    public async Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken)
    {
        await loop.Delay(1, 5);
        var list = stream.Number == 1 ? _streams.GetValueOrDefault(stream.Writer, []) : [];
        var isSealed = stream.Number == 1 && _sealed.Contains(stream.Writer);
        var data = new byte[(list.Count - (int)offset / 4) * 4];
        for (var i = 0; i < data.Length; i += 4) BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(i), list[(int)(offset + i) / 4]);
        var answer = new LedgerRead(data, offset + data.Length, isSealed);
        await loop.Delay(1, 5);
        return answer;
    }

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var all = _streams.Select(s => new LedgerStreamListing(new LedgerStream(s.Key, 1), s.Value.Count * 4, _sealed.Contains(s.Key), loop.Now)).ToList();
        await loop.Delay(1, 5);
        foreach (var stream in all) yield return stream;
    }

    public Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>The document of the ledger's writers and no other: the views of this world read the whole ledger.</summary>
internal sealed class SimDocuments : IDocumentStore
{
    private readonly Dictionary<ulong, LedgerWriterLine> _writers = [];
    private int _tag;

    public void Register(ulong writer)
    {
        _writers.Add(writer, new LedgerWriterLine(writer, default, "silo"));
        _tag++;
    }

    public void End(ulong writer)
    {
        _writers[writer] = _writers[writer] with { Last = 1, SealedAt = new StoreTime(1) };
        _tag++;
    }

    public Task<Document?> ReadAsync(string name, CancellationToken cancellationToken) =>
        Task.FromResult(name == WritersDocument.Name ? new Document(WritersDocument.Format(_writers), $"{_tag}") : null);

    public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken) => Task.FromResult<string?>("1");

    public Task DeleteAsync(string name, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>([]);
}

/// <summary>The real index in memory behind a network, as a server of its own: calls take time, fail before or after, and everything may be wiped.</summary>
internal sealed class SimIndex(SimLoop loop, SimIndexServer server, Func<bool> alive, Func<double> trouble, Breaks breaks) : IQueueIndex
{
    private MemoryQueueIndex _index => server.Index;

    public ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken) => Call(i => i.TakeAsync(domain, token, cancellationToken));

    public ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken) => _index.LeaveAsync(domain, owner, cancellationToken);

    public ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken) =>
        breaks.HasFlag(Breaks.Confirm) && changes.Count == 0 ? new(IndexWriteStatus.Done)
            : Call(i => breaks.HasFlag(Breaks.Token) ? Forged(i, domain, changes) : i.WriteAsync(domain, owner, changes, cancellationToken));

    public ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken) =>
        Call(async i =>
        {
            if (!breaks.HasFlag(Breaks.Token)) return await i.ReadDueAsync(domain, owner, until, perLane, cancellationToken);
            var rows = await i.ListAsync(domain, default, 100_000, cancellationToken);
            return new IndexRead(false, [.. rows.Where(r => r.Due <= until)], rows.Where(r => r.Due > until).Select(r => (StoreTime?)r.Due).FirstOrDefault());
        });

    public ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken) => Call(i => i.ListAsync(domain, from, limit, cancellationToken));

    public ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken) => Call(i => i.ContainsAsync(domain, sights, cancellationToken));

    public ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken) => Call(async i =>
    {
        var seen = await i.SeeAsync(domain, sights, cancellationToken);
        return breaks.HasFlag(Breaks.Sweep) ? seen with { Found = [.. seen.Found.Select(_ => true)] } : seen;
    });

    public ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken) => _index.StampAsync(partition, cancellationToken);

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken) =>
        breaks.HasFlag(Breaks.WakeUp) ? new([]) : _index.WakesAsync(partition, until, limit, cancellationToken);

    public ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken) => Call(i => i.CountAsync(domain, cancellationToken));

    public ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken) => Call(i => i.DomainsAsync(limit, cancellationToken));

    private static async ValueTask<IndexWriteStatus> Forged(MemoryQueueIndex index, string domain, IReadOnlyList<IndexChange> changes)
    {
        var stamp = await index.TakeAsync(domain, 1, default);
        return await index.WriteAsync(domain, new IndexOwner(1, stamp.Run), changes, default);
    }

    private async ValueTask<T> Call<T>(Func<MemoryQueueIndex, ValueTask<T>> call)
    {
        await loop.Delay(0, 5);
        if (!alive()) await SimLoop.Never;
        if (loop.Random.NextDouble() < trouble()) throw new IOException("index: not reached");
        var result = await call(_index);
        await loop.Delay(0, 5);
        if (!alive()) await SimLoop.Never;
        if (loop.Random.NextDouble() < trouble()) throw new IOException("index: reply lost");
        return result;
    }
}

/// <summary>The index server: one for all silos. A wipe takes everything.</summary>
internal sealed class SimIndexServer(SimLoop loop)
{
    public MemoryQueueIndex Index { get; private set; } = New(loop);

    public void Wipe() => Index = New(loop);

    private static MemoryQueueIndex New(SimLoop loop) => new(() => long.MaxValue, () => (ulong)loop.Random.NextInt64());
}
