using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Cleaner;

/// <summary>
/// Copies what is unfinished in old, mostly finished packs into moved packs, so that the sweep may delete the old ones (design rules 5 and 10). It deletes nothing. One pass
/// at a time; a pass is bounded in tables read and octets copied, and holds the tables of one block of packs. What it remembers only saves work: a copy made twice does no harm.
/// </summary>
internal sealed partial class PackCleaner(IPackStore packs, ISpoolReader reader, IPackMover mover, RecordView view, IStoreClock clock, ILogger<PackCleaner> log)
{
    /// <summary>
    /// Packs of one writer with neighbouring numbers lie in one segment of the disk, which is given back only when all of them are deleted: they are judged together, the deleted
    /// ones too, which their numbers give away.
    /// </summary>
    private const uint BlockPacks = 32;

    private const int MaxTables = 2_048;
    private const long MaxPassBytes = 256L << 20;
    private const long MaxBatchBytes = 32L << 20;
    private const int MaxBatchEntries = 4_096;
    private const long TravelsAlone = 16L << 20;
    private const double SparseShare = 0.5;
    private static readonly TimeSpan MinAge = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(10);

    /// <summary>A copy is known to the view long before.</summary>
    private static readonly TimeSpan CopiedFor = TimeSpan.FromHours(2);

    private readonly Dictionary<Block, StoreTime> _looked = [];
    private readonly Dictionary<PackName, StoreTime> _copied = [];

    /// <summary>One pass. Packs whose positions are older than half of <paramref name="retention"/> are copied again, so that the ledger can let go of its streams.</summary>
    public async Task PassAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        var now = clock.Now;
        var blocks = new Dictionary<Block, List<PackListing>>();
        await foreach (var pack in packs.ListAsync(cancellationToken))
        {
            if (now - pack.Created < MinAge) continue;
            var block = new Block(pack.Name.Kind, pack.Name.Writer, (pack.Name.Number - 1) / BlockPacks);
            if (blocks.TryGetValue(block, out var members)) members.Add(pack);
            else blocks.Add(block, [pack]);
        }

        foreach (var gone in _looked.Keys.Where(b => !blocks.ContainsKey(b)).ToList()) _looked.Remove(gone);
        foreach (var old in _copied.Where(c => now - c.Value > CopiedFor).Select(c => c.Key).ToList()) _copied.Remove(old);
        // Positions first: what is found unfinished below was so at these or later.
        var pass = new Pass(view.Positions, MaxPassBytes);
        await view.RefreshAsync(cancellationToken);
        var tables = 0;
        foreach (var (block, members) in blocks.Where(b => now - _looked.GetValueOrDefault(b.Key) >= LookAgain).OrderBy(b => _looked.GetValueOrDefault(b.Key)).ThenBy(b => b.Key.Index))
        {
            if (tables >= MaxTables || pass.Left <= 0) break;
            tables += members.Count;
            if (!await LookAsync(members, now, retention, pass, cancellationToken)) break;
            _looked[block] = now;
        }

        await FlushAsync(pass, cancellationToken);
        CleanerInstruments.Passes.Inc();
    }

    /// <summary>False = the store takes nothing now.</summary>
    private async Task<bool> LookAsync(List<PackListing> members, StoreTime now, TimeSpan retention, Pass pass, CancellationToken cancellationToken)
    {
        var live = new List<(PackListing Pack, List<MovedEntry> Entries)>();
        long liveBytes = 0, tableBytes = 0;
        foreach (var pack in members)
        {
            if (_copied.ContainsKey(pack.Name)) continue;
            var toc = await reader.ReadTocAsync(pack.Name, cancellationToken);
            // Gone meanwhile, or kept for somebody to look at: the sweep says so.
            if (toc.Value is not { } contents) continue;
            var copies = view.MovedPacksFrom(pack.Name);
            var entries = new List<MovedEntry>();
            foreach (var entry in contents.Entries)
            {
                var open = entry.Keys.Where(k => (view.Bits(k) & RecipientBits.Finished) == 0 && !copies.Any(c => c.Keys.ContainsKey(k))).ToArray();
                if (open.Length > 0) entries.Add(new MovedEntry(pack.Name, entry, open));
            }

            if (entries.Count == 0) continue;
            live.Add((pack, entries));
            tableBytes += contents.Entries.Sum(e => (long)e.Length);
            liveBytes += entries.Sum(e => (long)e.Entry.Length);
        }

        if (live.Count == 0) return true;
        var first = members[0].Name;
        var born = members.Max(m => (m.Name.Number - 1) % BlockPacks) + 1;
        // A moved pack is judged by itself: a copy of it would lie no denser among its neighbours, and be copied for ever.
        var bornBytes = first.Kind == PackKind.Moved ? tableBytes : members.Average(m => (double)m.Length) * born;
        var isSparse = liveBytes < bornBytes * SparseShare;
        foreach (var (pack, entries) in live)
        {
            if (!isSparse && (first.Kind == PackKind.Birth || now - pack.Created < retention / 2)) continue;
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
        return await MoveAsync(batch, pass.Positions, cancellationToken);
    }

    private async Task<bool> MoveAsync(List<MovedEntry> entries, IReadOnlyList<LedgerPosition> positions, CancellationToken cancellationToken)
    {
        PackName[] sources = [.. entries.Select(e => e.Source).Distinct()];
        try
        {
            if (await mover.MoveAsync(entries, sources, positions, cancellationToken) is not { } name)
            {
                LogRefused(log, entries.Count);
                // Some of these packs may have been copied in part: they are looked at again.
                foreach (var source in sources) _copied.Remove(source);
                foreach (var source in sources) _looked.Remove(new Block(source.Kind, source.Writer, (source.Number - 1) / BlockPacks));
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
        catch (InvalidDataException)
        {
            // One of them cannot be read: find it by halves.
            var half = entries.Count / 2;
            return await MoveAsync(entries[..half], positions, cancellationToken) && await MoveAsync(entries[half..], positions, cancellationToken);
        }
    }

    [LoggerMessage(2702, LogLevel.Debug, "Copied {Entries} unfinished entries of {Packs} old packs to {Name}: {Bytes} octets")]
    private static partial void LogMoved(ILogger logger, int entries, int packs, PackName name, long bytes);

    [LoggerMessage(2703, LogLevel.Warning, "The store does not take {Entries} entries of old packs now; they are copied later")]
    private static partial void LogRefused(ILogger logger, int entries);

    [LoggerMessage(2704, LogLevel.Error, "The entry of pack {Pack} at {Offset} cannot be copied and stays where it is: {Error}")]
    private static partial void LogLeftOut(ILogger logger, PackName pack, uint offset, string error);

    private readonly record struct Block(PackKind Kind, ulong Writer, uint Index);

    /// <summary>What one pass gathers and may still copy.</summary>
    private sealed class Pass(IReadOnlyList<LedgerPosition> positions, long left)
    {
        public IReadOnlyList<LedgerPosition> Positions => positions;
        public long Left = left;
        public List<MovedEntry> Batch = [];
        public long BatchBytes;
    }
}
