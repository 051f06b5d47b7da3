using System.Collections.Concurrent;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.View;

/// <summary>
/// Follows all streams of the ledger (design rule 10): two bits per recipient of every pack that exists and of those not (yet, or no longer) listed for an hour. Reads
/// from any thread; one refresh at a time, shared by all who asked before it began. In memory; starts from the newest good checkpoint and the tails behind it.
/// </summary>
internal sealed partial class RecordView(
    ILedgerStore ledger, IDocumentStore documents, IStoreClock clock, IStanding standing, ISilos silos, DecodeLedger decode, Func<ulong> ownWriter, TimeProvider time,
    ILogger<RecordView> log) : IRecordView
{
    public static readonly TimeSpan ForgetAfter = TimeSpan.FromHours(1);

    /// <summary>Least time between the starts of two refreshes: five a second, whatever number of domains ask; more where more than 16 writers are followed.</summary>
    public static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(200);

    private const int MostReadBytes = 1 << 20, LeastReadBytes = 1 << 14;

    /// <summary>Beyond it a notice of failure goes out without the receiver's words. One of success never becomes one of failure.</summary>
    private const int MaxDecisions = 100_000;

    private readonly ConcurrentDictionary<PackId, PackBits> _packs = new();
    private readonly ConcurrentDictionary<RecipientKey, LedgerRecord> _decisions = new();
    private readonly Dictionary<PackName, MovedPack> _movedPacks = [];
    private readonly Dictionary<PackName, List<MovedPack>> _bySource = [];
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    /// <summary>Asked of a stream at once: less after a refresh that the store was too slow for. What it sent stays read, so that however slow it is, reading comes to an end.</summary>
    private int _readBytes = MostReadBytes;

    private Task _current = Task.CompletedTask;
    private Task? _next;
    private long _begunAt;
    private bool _hasBegun;
    private bool _isLoaded;

    /// <summary>Writers whose streams the last refresh read.</summary>
    private volatile int _following;

    /// <summary>Records have been let go of (or a checkpoint that had done so was loaded): what is said of an unknown pack is no longer all that the ledger says.</summary>
    private volatile bool _forgot;

    public StoreTime ListedFrom { get; private set; }

    /// <summary>Whether <see cref="OpenAsync"/> is done: until then nothing that is read back is judged.</summary>
    public bool IsOpen => _opened.Task.IsCompletedSuccessfully;

    public RecipientBits Bits(RecipientKey key) => _packs.TryGetValue(key.PackId, out var pack) ? pack[key.Ordinal] : RecipientBits.None;

    public StoreTime? Born(RecipientKey key) => _packs.TryGetValue(key.PackId, out var pack) && pack.Created != default ? pack.Created : null;

    public LedgerRecord? Decision(RecipientKey key) => _decisions.GetValueOrDefault(key);

    public bool IsFullOfDecisions => _decisions.Count >= MaxDecisions / 2;

    public EntryPlace? Locate(RecipientKey key, EntryPlace birth)
    {
        if (!_packs.TryGetValue(key.PackId, out var pack)) return null;
        // The newest copy: what it was made from may be gone already, and be listed here until the next look.
        MovedPack? newest = null;
        EntryPlace? place = null;
        foreach (var copy in pack.Copies)
        {
            if ((newest is null || copy.Created > newest.Created) && copy.Find(key) is { } found) (newest, place) = (copy, found);
        }

        return place ?? (pack.Listed ? birth : null);
    }

    /// <summary>How many recipients of a birth pack are finished.</summary>
    public int Finished(PackId pack) => _packs.TryGetValue(pack, out var bits) ? bits.Finished : 0;

    /// <summary>
    /// Loads the newest good checkpoint, lists all streams once, seals those of the dead (alone: all earlier ones) and reads what is behind the checkpoint. Until it is done, nothing read
    /// back is judged.
    /// </summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        // Once: what an attempt that failed has read beyond the checkpoint would be taken for read, and its bits be gone.
        if (!_isLoaded) await LoadAsync(cancellationToken);
        _isLoaded = true;
        await FollowAsync(lists: true, cancellationToken);
        if (standing.IsSoleProcess) await WritersDocument.LeaveOnlyAsync(documents, ownWriter(), cancellationToken);
        _opened.TrySetResult();
    }

    /// <summary>It will not be opened any more. Who waits for it is told: an activation that waits could not end, and would keep the silo from leaving for all the time that this has.</summary>
    public void Close() => _opened.TrySetException(new IOException("The silo stops and has not read the ledger yet."));

    public Task RefreshAsync(CancellationToken cancellationToken)
    {
        Task task;
        lock (_gate)
        {
            // A refresh that has begun does not count for who asks now: the next one does, for all who ask until it begins.
            if (IsOpen && _current.IsCompleted && _next is null && Wait() <= TimeSpan.Zero) task = _current = Begin();
            else task = _next ??= NextAsync(_current);
        }

        return cancellationToken.CanBeCanceled ? task.WaitAsync(cancellationToken) : task;
    }

    /// <summary>This silo's own records, before they are acknowledged. Called by the ledger's writer; any thread.</summary>
    public void OnDurable(LedgerStream stream, long end, IReadOnlyList<LedgerRecord> records)
    {
        foreach (var record in records) Take(record);
        Fed(stream, end);
    }

    /// <summary>What a complete listing of packs showed: forgets what has been in none for an hour.</summary>
    public void Listed(StoreTime began, IReadOnlyCollection<PackListing> packs)
    {
        var births = new HashSet<PackId>();
        var moved = new HashSet<PackName>();
        foreach (var pack in packs)
        {
            if (pack.Name.Kind == PackKind.Moved)
            {
                moved.Add(pack.Name);
                continue;
            }

            births.Add(pack.Name.Id);
            var bits = _packs.GetOrAdd(pack.Name.Id, static _ => new PackBits());
            bits.Created = pack.Created;
            bits.Listed = true;
            bits.MissingSince = default;
        }

        foreach (var (id, bits) in _packs)
        {
            if (births.Contains(id)) continue;
            bits.Listed = false;
            if (bits.MissingSince == default || bits.Copies.Length > 0) bits.MissingSince = began;
            else if (began - bits.MissingSince > ForgetAfter) _forgot |= _packs.TryRemove(id, out _);
        }

        foreach (var gone in MovedPacks().Where(m => !moved.Contains(m.Name)).ToList()) DropMoved(gone.Name);
        ListedFrom = began;
    }

    /// <summary>
    /// A moved pack's table of contents: where its recipients lie now. What the view may have forgotten of their birth packs is read again first, from the positions at which they
    /// were found unfinished (design rule 10): a copy that appears late must not be the only one that nothing is known of.
    /// </summary>
    /// <exception cref="IOException">The ledger cannot be read now: nothing was added.</exception>
    public async Task AddMovedAsync(PackToc toc, StoreTime listed, CancellationToken cancellationToken)
    {
        // Only a pack that was listed, or held by a moved one, ever since its first record has its time of creation here.
        if (_forgot && toc.Entries.Any(e => e.Keys.Any(k => !_packs.TryGetValue(k.PackId, out var bits) || bits.Created == default))) await ReadAgainAsync(toc, cancellationToken);
        AddMoved(toc, listed);
    }

    private async Task ReadAgainAsync(PackToc toc, CancellationToken cancellationToken)
    {
        var from = toc.Positions.ToDictionary(p => p.Stream, p => p.Offset);
        await foreach (var listing in ledger.ListAsync(cancellationToken))
        {
            // One that they do not name was sealed and read by then, which its age shows, or began later.
            if (listing.Sealed && !from.ContainsKey(listing.Stream) && listing.Modified < toc.Created - ForgetAfter) continue;
            for (long offset = from.GetValueOrDefault(listing.Stream), end = long.MaxValue; ;)
            {
                var read = await ledger.ReadAsync(listing.Stream, offset, _readBytes, cancellationToken);
                TakeAll(listing.Stream, read.Data);
                end = Math.Min(end, read.End);
                if (read.Data.IsEmpty || read.Next == offset || read.Next >= end) break;
                offset = read.Next;
            }
        }
    }

    private void AddMoved(PackToc toc, StoreTime listed)
    {
        var pack = new MovedPack(toc, listed);
        lock (_gate)
        {
            if (!_movedPacks.TryAdd(toc.Name, pack)) return;
            foreach (var source in pack.Sources)
            {
                if (!_bySource.TryGetValue(source, out var copies)) _bySource.Add(source, copies = []);
                copies.Add(pack);
            }

            foreach (var birth in pack.Births)
            {
                var bits = _packs.GetOrAdd(birth, static _ => new PackBits());
                bits.Copies = [.. bits.Copies, pack];
            }
        }

        foreach (var entry in toc.Entries)
        {
            foreach (var key in entry.Keys)
            {
                if (_packs.TryGetValue(key.PackId, out var bits) && (bits.Created == default || entry.Born < bits.Created)) bits.Created = entry.Born;
            }
        }
    }

    public MovedPack? Moved(PackName name)
    {
        lock (_gate) return _movedPacks.GetValueOrDefault(name);
    }

    /// <summary>Moved packs that name <paramref name="source"/> as a source.</summary>
    public IReadOnlyList<MovedPack> MovedPacksFrom(PackName source)
    {
        lock (_gate) return _bySource.TryGetValue(source, out var copies) ? [.. copies] : [];
    }

    /// <summary>A pack was deleted.</summary>
    public void Deleted(PackName name)
    {
        if (name.Kind == PackKind.Moved)
        {
            DropMoved(name);
        }
        else if (_packs.TryGetValue(name.Id, out var bits))
        {
            bits.Listed = false;
            bits.MissingSince = clock.Now;
        }
    }

    public IReadOnlyList<MovedPack> AllMoved => MovedPacks();

    private List<MovedPack> MovedPacks()
    {
        lock (_gate) return [.. _movedPacks.Values];
    }

    private void DropMoved(PackName name)
    {
        lock (_gate)
        {
            if (!_movedPacks.Remove(name, out var pack)) return;
            foreach (var source in pack.Sources)
            {
                if (_bySource.TryGetValue(source, out var copies) && copies.Remove(pack) && copies.Count == 0) _bySource.Remove(source);
            }

            foreach (var birth in pack.Births)
            {
                if (_packs.TryGetValue(birth, out var bits)) bits.Copies = [.. bits.Copies.Where(c => c != pack)];
            }
        }
    }

    // Each silo reads the stream of each: of many, none may ask the store as often as of few.
    private TimeSpan Wait() => _hasBegun && !standing.IsSoleProcess ? Spacing * Math.Max(1, _following / 16.0) - time.GetElapsedTime(_begunAt) : TimeSpan.Zero;

    private Task Begin()
    {
        (_hasBegun, _begunAt) = (true, time.GetTimestamp());
        return FollowAsync(lists: false, CancellationToken.None);
    }

    private async Task NextAsync(Task current)
    {
        // Whoever called holds the gate and has yet to note this task.
        await Task.Yield();
        await _opened.Task;
        try
        {
            await current;
        }
        catch (Exception)
        {
            // The refresh before this one failed; its callers know.
        }

        if (Wait() is var wait && wait > TimeSpan.Zero) await Task.Delay(wait, time);
        Task mine;
        lock (_gate)
        {
            mine = _current = Begin();
            _next = null;
        }

        await mine;
    }

    private void TakeAll(LedgerStream stream, ReadOnlyMemory<byte> blocks)
    {
        var (records, damaged) = decode(blocks);
        if (damaged > 0) LogDamaged(log, stream, damaged);
        foreach (var record in records) Take(record);
    }

    private void Take(LedgerRecord record)
    {
        if (record.Finishes)
        {
            Pack(record.Key).Set(record.Key.Ordinal, RecipientBits.Finished);
            _decisions.TryRemove(record.Key, out _);
        }
        else if (record.Decides)
        {
            var pack = Pack(record.Key);
            pack.Set(record.Key.Ordinal, RecipientBits.Decided);
            if ((pack[record.Key.Ordinal] & RecipientBits.Finished) == 0 && (_decisions.Count < MaxDecisions || record.Kind == LedgerKind.Relayed)) _decisions[record.Key] = record;
        }
    }

    private PackBits Pack(RecipientKey key) => _packs.GetOrAdd(key.PackId, static _ => new PackBits());
}
