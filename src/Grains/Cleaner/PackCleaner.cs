using Angarium.Grains.Membership;
using Angarium.Grains.Sweep;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Cleaner;

/// <summary>
/// Copies what is unfinished in old, mostly finished packs into moved packs, so that the sweep may delete the old ones (design rules 5 and 10). It deletes nothing. One pass
/// at a time, over this silo's share; a pass is bounded in tables read and octets copied, and holds the tables of one segment; where nothing was finished since the last look, none is read.
/// What it remembers only saves work: a copy made twice does no harm.
/// </summary>
internal sealed partial class PackCleaner(IPackStore packs, ISpoolReader reader, IPackMover mover, RecordView view, IStoreClock clock, ISilos silos, ILogger<PackCleaner> log)
{
    private const int MaxTables = 2_048;
    private const long MaxPassBytes = 256L << 20;
    private const long MaxBatchBytes = 32L << 20;
    private const int MaxBatchEntries = 4_096;
    private const long TravelsAlone = 16L << 20;
    private const double SparseShare = 0.5;

    /// <summary>Halves of batches that one pass tries for the sake of entries that cannot be read now.</summary>
    private const int MaxHalvings = 32;

    /// <summary>In place of what was finished: the next look is a real one.</summary>
    private const long Unread = -2;
    private static readonly TimeSpan MinAge = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(10);

    /// <summary>
    /// What is on disk beyond twice the live mail (the octets of entries with an unfinished recipient) was written within this time: a segment is filled for ten minutes, is judged when it is
    /// ten old and every ten minutes, and a copy must have been durable for an hour before its source is deleted (rule 5); the rest is the time between passes. This is what
    /// "space on disk stays within 3 × the live mail" leaves out, and what the copies of that hour take is why it says 3.
    /// </summary>
    public static readonly TimeSpan Fresh = TimeSpan.FromMinutes(10) + MinAge + LookAgain + PackSweep.MovedFor + TimeSpan.FromMinutes(5);

    /// <summary>A copy is known to the view long before.</summary>
    private static readonly TimeSpan CopiedFor = TimeSpan.FromHours(2);

    private readonly Dictionary<Place, (StoreTime At, long Finished)> _looked = [];
    private readonly Dictionary<PackName, StoreTime> _copied = [];

    /// <summary>One pass. Packs whose positions are older than half of <paramref name="retention"/> are copied again, so that the ledger can let go of its streams.</summary>
    public async Task PassAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        var now = clock.Now;
        var units = new Dictionary<Place, List<PackListing>>();
        await foreach (var pack in packs.ListAsync(cancellationToken))
        {
            var place = Place.Of(pack);
            if (!silos.IsMine(SiloShares.Item(place.Name))) continue;
            if (units.TryGetValue(place, out var members)) members.Add(pack);
            else units.Add(place, [pack]);
        }

        foreach (var gone in _looked.Keys.Where(p => !units.ContainsKey(p)).ToList()) _looked.Remove(gone);
        foreach (var old in _copied.Where(c => now - c.Value > CopiedFor).Select(c => c.Key).ToList()) _copied.Remove(old);
        // Positions first: what is found unfinished below was so at these or later.
        var pass = new Pass(view.Positions, MaxPassBytes);
        await view.RefreshAsync(cancellationToken);
        var tables = 0;
        foreach (var (place, members) in units.Where(u => now - _looked.GetValueOrDefault(u.Key).At >= LookAgain && u.Value.Any(p => now - p.Created >= MinAge))
            .OrderBy(u => _looked.GetValueOrDefault(u.Key).At))
        {
            if (tables >= MaxTables || pass.Left <= 0) break;
            var finished = FinishedIn(members, now, retention);
            if (finished < 0 || finished != (_looked.TryGetValue(place, out var last) ? last.Finished : place.Unit == 0 && place.Name.Kind == PackKind.Birth ? members.Count : -1))
            {
                tables += members.Count;
                if (!await LookAsync(place, members, now, retention, pass, cancellationToken)) break;
            }

            _looked[place] = (now, finished);
        }

        await FlushAsync(pass, cancellationToken);
        foreach (var (place, _) in units.Where(u => u.Value.Any(p => pass.Unread.Contains(p.Name)))) _looked[place] = (now, Unread);
        foreach (var source in pass.Unread) _copied.Remove(source);
        CleanerInstruments.Passes.Inc();
    }

    /// <summary>
    /// A number that changes when anything is finished or deleted in a place, and for one birth pack with nothing finished is 1; -1 = it has to be looked at in any case.
    /// </summary>
    private long FinishedIn(List<PackListing> members, StoreTime now, TimeSpan retention)
    {
        long finished = 0;
        foreach (var pack in members)
        {
            if (now - pack.Created < MinAge || now - pack.Created >= retention / 2) return -1;
            if (pack.Name.Kind == PackKind.Birth) finished += view.Finished(pack.Name.Id);
            else if (view.Moved(pack.Name) is { } moved) finished += moved.Keys.Count(k => (view.Bits(k) & RecipientBits.Finished) != 0);
            else return -1;
        }

        return (finished << 20) + members.Count;
    }

    /// <summary>False = the store takes nothing now.</summary>
    private async Task<bool> LookAsync(Place place, List<PackListing> members, StoreTime now, TimeSpan retention, Pass pass, CancellationToken cancellationToken)
    {
        var live = new List<(PackListing Pack, List<MovedEntry> Entries)>();
        double liveBytes = 0;
        foreach (var pack in members)
        {
            if (now - pack.Created < MinAge)
            {
                liveBytes += pack.Length;
                continue;
            }

            if (_copied.ContainsKey(pack.Name)) continue;
            var toc = await reader.ReadTocAsync(pack.Name, cancellationToken);
            // Gone meanwhile, or kept for somebody to look at: the sweep says so.
            if (toc.Value is not { } contents) continue;
            var copies = view.MovedPacksFrom(pack.Name);
            var entries = new List<MovedEntry>();
            foreach (var entry in contents.Entries)
            {
                var open = entry.Keys.Where(k => (view.Bits(k) & RecipientBits.Finished) == 0 && !copies.Any(c => c.Contains(k))).ToArray();
                if (open.Length > 0) entries.Add(new MovedEntry(pack.Name, entry, open));
            }

            if (entries.Count == 0) continue;
            live.Add((pack, entries));
            // Its share of the pack, table and all: what is wholly live is never copied, or it would be for ever.
            liveBytes += pack.Length * (double)entries.Sum(e => e.Entry.ContentLength + e.Entry.Length) / contents.Entries.Sum(e => e.ContentLength + e.Length);
        }

        if (live.Count == 0) return true;
        var packed = members[0].Unit is { Number: > 0, Packed: var all } ? all : members[0].Length;
        var isSparse = liveBytes < packed * SparseShare;
        foreach (var (pack, entries) in live)
        {
            if (!isSparse && now - pack.Created < retention / 2) continue;
            foreach (var entry in entries)
            {
                var size = entry.Entry.ContentLength + entry.Entry.Length;
                var alone = entry.Entry.ContentLength > TravelsAlone;
                if (pass.Batch.Count > 0 && (alone || pass.BatchBytes + size > MaxBatchBytes || pass.Batch.Count == MaxBatchEntries) && !await FlushAsync(pass, cancellationToken)) return false;
                pass.Batch.Add(entry);
                pass.BatchBytes += size;
                if (alone && !await FlushAsync(pass, cancellationToken)) return false;
            }
        }

        return true;
    }

    private async Task<bool> FlushAsync(Pass pass, CancellationToken cancellationToken)
    {
        if (pass.Batch.Count == 0) return true;
        var (batch, bytes) = (pass.Batch, pass.BatchBytes);
        (pass.Batch, pass.BatchBytes) = ([], 0);
        pass.Left -= bytes;
        return await MoveAsync(batch, pass, cancellationToken);
    }

    private async Task<bool> MoveAsync(List<MovedEntry> entries, Pass pass, CancellationToken cancellationToken)
    {
        PackName[] sources = [.. entries.Select(e => e.Source).Distinct()];
        try
        {
            if (await mover.MoveAsync(entries, sources, pass.Positions, cancellationToken) is not { } name)
            {
                LogRefused(log, entries.Count);
                // Some of these packs may have been copied in part: they are looked at again.
                foreach (var source in sources) _copied.Remove(source);
                _looked.Clear();
                return false;
            }

            foreach (var source in sources) _copied[source] = clock.Now;
            var moved = entries.Sum(e => (long)e.Entry.Length);
            CleanerInstruments.MovedBytes.Inc(moved);
            LogMoved(log, entries.Count, sources.Length, name, moved);
            return true;
        }
        catch (InvalidDataException e) when (entries.Count == 1)
        {
            // It stays where it is, and its pack with it: nothing else may be deleted for it.
            LogLeftOut(log, entries[0].Source, entries[0].Entry.Offset, e.Message);
            _copied[entries[0].Source] = clock.Now;
            return true;
        }
        catch (IOException e) when (entries.Count == 1 || pass.Halvings >= MaxHalvings)
        {
            LogUnreadNow(log, entries.Count, sources[0], e.Message);
            pass.Unread.UnionWith(sources);
            return true;
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            // One of them cannot be read, or none: find out by halves.
            if (e is IOException) pass.Halvings++;
            var half = entries.Count / 2;
            return await MoveAsync(entries[..half], pass, cancellationToken) && await MoveAsync(entries[half..], pass, cancellationToken);
        }
    }

    [LoggerMessage(2702, LogLevel.Debug, "Copied {Entries} unfinished entries of {Packs} old packs to {Name}: {Bytes} octets")]
    private static partial void LogMoved(ILogger logger, int entries, int packs, PackName name, long bytes);

    [LoggerMessage(2703, LogLevel.Warning, "The store does not take {Entries} entries of old packs now; they are copied later")]
    private static partial void LogRefused(ILogger logger, int entries);

    [LoggerMessage(2704, LogLevel.Error, "The entry of pack {Pack} at {Offset} cannot be copied and stays where it is: {Error}")]
    private static partial void LogLeftOut(ILogger logger, PackName pack, uint offset, string error);

    [LoggerMessage(2705, LogLevel.Warning, "{Entries} entries of old packs, {Pack} among them, cannot be read now; they are copied later: {Error}")]
    private static partial void LogUnreadNow(ILogger logger, int entries, PackName pack, string error);

    /// <summary>A unit of space: a segment of a writer, or a pack by itself.</summary>
    private readonly record struct Place(PackName Name, uint Unit)
    {
        public static Place Of(PackListing pack) => pack.Unit.Number > 0 ? new(pack.Name with { Number = 0 }, pack.Unit.Number) : new(pack.Name, 0);
    }

    /// <summary>What one pass gathers and may still copy.</summary>
    private sealed class Pass(IReadOnlyList<LedgerPosition> positions, long left)
    {
        public IReadOnlyList<LedgerPosition> Positions => positions;
        public long Left = left;
        public List<MovedEntry> Batch = [];
        public long BatchBytes;
        public int Halvings;

        /// <summary>Packs of which something could not be read.</summary>
        public readonly HashSet<PackName> Unread = [];
    }
}
