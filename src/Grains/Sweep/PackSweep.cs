using System.Collections;
using System.Collections.Concurrent;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Sweep;

/// <summary>
/// Puts back whatever is unfinished and not queued (design rules 5 and 12). It lists all packs: existence is the to-do list. Each pack is checked until every unfinished
/// recipient was seen in the index, again hourly and when a partition of the index that it is in was reborn; one whose recipients are all finished, or moved for an hour, is deleted. Every
/// silo lists, so that each knows where mail lies; it checks the packs of its share. One pass at a time. Everything it remembers is a reason not to look again; none of it survives a crash.
/// </summary>
internal sealed partial class PackSweep(
    IPackStore packs, ISpoolReader reader, IQueueIndex index, RecordView view, IStoreClock clock, IStanding standing, ISilos silos, ISweepOffers offers,
    Func<ulong, bool> isOwnWriter, ILogger<PackSweep> log)
{
    private const int OfferBatch = 500;

    /// <summary>Domains of one pack that are looked at together.</summary>
    private const int DomainsAtATime = 8;

    /// <summary>
    /// Packs that wait for the view together. Its refreshes have a pace of their own, whoever asks: were only as many packs under way as may be read at a time, a silo of two processors would
    /// sweep ten packs a second, and what a dead silo held would come back after minutes.
    /// </summary>
    private const int Together = 64;

    /// <summary>Tables of moved packs that are read at a time: at a start all of them are, before anything is swept.</summary>
    private const int MovedAtATime = 32;

    /// <summary>Such lots at a time.</summary>
    private const int Lots = 4;

    /// <summary>Recipients of a pack that may wait with others; the tables of larger ones take memory, and are worth a refresh each.</summary>
    private const int Small = 500;

    /// <summary>Recipients after which the first pass says how far it is.</summary>
    private const int ProgressEvery = 10_000;

    private static readonly TimeSpan MinAge = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Recheck = TimeSpan.FromHours(1);
    private static readonly TimeSpan SilentFor = TimeSpan.FromSeconds(30);
    internal static readonly TimeSpan MovedFor = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<PackName, Known> _known = new();

    /// <summary>Domains that could not be reached when they were asked last, and when that was.</summary>
    private readonly ConcurrentDictionary<string, StoreTime> _silent = new();
    private StoreTime _passBegan;
    private readonly IndexStamp[] _stamps = new IndexStamp[IQueueIndex.Partitions];

    /// <summary>Of each partition: which change of any mark was its last.</summary>
    private readonly int[] _bornAt = new int[IQueueIndex.Partitions];
    private volatile int _births;
    private volatile bool _work;

    /// <summary>The index cannot be reached in this pass: only what needs none of it is done.</summary>
    private volatile bool _isIndexAway;
    private bool _isFirst = true;
    private StoreTime _firstBegan;
    private long _read;

    /// <summary>Packs that are read at a time: enough to hide a store's latency, not so many that reading back keeps deliveries from the processors.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>One pass over all packs; true = there was work, so that the next comes soon.</summary>
    public async Task<bool> PassAsync(CancellationToken cancellationToken)
    {
        _work = false;
        var began = _passBegan = clock.Now;
        // What is not asked for any more does not stay in memory.
        foreach (var (domain, at) in _silent) if (began - at > Recheck) _silent.TryRemove(domain, out _);
        var listed = new List<PackListing>();
        await foreach (var pack in packs.ListAsync(cancellationToken)) listed.Add(pack);
        if (_isFirst) _firstBegan = began;
        if (_isFirst && listed.Count > 0) LogBegun(log, listed.Count);
        var mine = listed.Where(p => silos.IsMine(SiloShares.Item(p.Name))).ToList();
        Forget(mine);
        // Moved packs before the listing counts: what they hold must not seem to be in no listing.
        var learned = true;
        foreach (var some in listed.Where(p => p.Name.Kind == PackKind.Moved).Chunk(MovedAtATime))
            foreach (var one in await Task.WhenAll(some.Select(pack => LearnMovedAsync(pack, began, cancellationToken)))) learned &= one;
        if (learned) view.Listed(began, listed);
        var moved = SourcesMoved(began);
        await LookAtStampsAsync(cancellationToken);

        var running = new List<Task>();
        var read = new List<Read>();
        var judging = new List<Task>();
        foreach (var pack in mine)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var known = _known.GetOrAdd(pack.Name, _ => new Known { FirstListed = began });
            if (!IsOldEnough(pack, known, began)) continue;
            var isMoved = moved.TryGetValue(pack.Name, out var since) && known.CheckedAt < since;
            if (!isMoved && !IsDone(pack.Name, known))
            {
                if (known.Seen && !IsReborn(known) && began - known.CheckedAt < Recheck) continue;
                if (_isIndexAway && known.Recipients is not null)
                {
                    _work = true;
                    continue;
                }
            }

            if (running.Count == Concurrency) running.Remove(await Task.WhenAny(running));
            running.Add(GuardAsync(pack, () => ReadAsync(pack, known, read, cancellationToken)));
            if (CountOf(read) < Together) continue;
            // Lots are judged while the next is read: one call to a silo that just died would hold up all that is behind it.
            if (judging.Count == Lots) judging.Remove(await Task.WhenAny(judging));
            judging.Add(JudgeAsync(TakeAll(read), cancellationToken));
        }

        await Task.WhenAll(running);
        await Task.WhenAll([.. judging, JudgeAsync(TakeAll(read), cancellationToken)]);
        if (_isFirst && listed.Count > 0) LogRead(log, _read, clock.Now - began);
        _isFirst = false;
        return _work;
    }

    // Hand-over and sweep never race: only packs that no hand-over can still be about. Earlier processes' packs have none when this process is alone.
    private bool IsOldEnough(PackListing pack, Known known, StoreTime now)
    {
        if (now - pack.Created >= MinAge || now - known.FirstListed >= MinAge) return true;
        return standing.IsSoleProcess && !isOwnWriter(pack.Name.Writer);
    }

    private bool IsDone(PackName name, Known known) => known.Recipients is { } all && (name.Kind == PackKind.Birth
        ? view.Finished(name.Id) >= all
        : view.Moved(name) is { } moved && moved.Keys.All(k => (view.Bits(k) & RecipientBits.Finished) != 0));

    private async Task GuardAsync(PackListing pack, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The next pass comes; what is in this pack stays where it is.
            _work = true;
            LogFailed(log, pack.Name, e.Message);
        }
    }

    private async Task ReadAsync(PackListing pack, Known known, List<Read> lot, CancellationToken cancellationToken)
    {
        var began = clock.Now;
        var births = _births;
        var toc = await reader.ReadTocAsync(pack.Name, cancellationToken);
        if (toc.Status == SpoolReadStatus.NotFound) return;
        if (toc.Value is not { } contents)
        {
            // It is kept, and nothing of it is delivered until somebody has looked at it. It stays in sight of the log once an hour.
            LogCorrupt(log, pack.Name);
            known.Seen = true;
            known.CheckedAt = began;
            known.Births = births;
            return;
        }

        known.Recipients = contents.Entries.Sum(e => e.Keys.Count);
        var read = Interlocked.Add(ref _read, known.Recipients.Value);
        if (_isFirst && read / ProgressEvery != (read - known.Recipients.Value) / ProgressEvery) LogRead(log, read, clock.Now - _firstBegan);
        var one = new Read(pack, known, contents, began, births);
        if (known.Recipients > Small)
        {
            await view.RefreshAsync(cancellationToken);
            await JudgeAsync(one, cancellationToken);
            return;
        }

        lock (lot) lot.Add(one);
    }

    /// <summary>What tables of contents show as open is judged by a view that is newer than the tables.</summary>
    private async Task JudgeAsync(IReadOnlyList<Read> lot, CancellationToken cancellationToken)
    {
        if (lot.Count == 0) return;
        var refreshing = view.RefreshAsync(cancellationToken);
        await Task.WhenAll(lot.Select(one => GuardAsync(one.Pack, async () =>
        {
            await refreshing;
            await JudgeAsync(one, cancellationToken);
        })));
    }

    private async Task JudgeAsync(Read table, CancellationToken cancellationToken)
    {
        var (pack, known, contents, began, births) = table;
        var open = contents.Entries.Select(e => (Entry: e, Keys: e.Keys.Where(k => (view.Bits(k) & RecipientBits.Finished) == 0).ToArray())).Where(e => e.Keys.Length > 0).ToList();
        if (open.Count == 0 || IsMoved(pack.Name, open.SelectMany(o => o.Keys), began))
        {
            await packs.DeleteAsync(pack.Name, cancellationToken);
            view.Deleted(pack.Name);
            _known.TryRemove(pack.Name, out _);
            return;
        }

        if (_isIndexAway)
        {
            (_work, known.Seen) = (true, false);
            return;
        }

        var seen = true;
        var partitions = new BitArray(IQueueIndex.Partitions);
        // A domain that is offered something waits for a view refreshed since, as all others do just then: one after the other, a pack of many domains would take seconds.
        foreach (var domains in open.GroupBy(o => o.Entry.Domain).OrderBy(d => _silent.GetValueOrDefault(d.Key).Milliseconds).Chunk(DomainsAtATime))
        {
            foreach (var domain in domains) partitions.Set(IndexPartition.Of(domain.Key), true);
            var each = await Task.WhenAll(domains.Select(d => TrySeeAllAsync(d.Key, d, cancellationToken)));
            foreach (var one in each) seen &= one.Seen;
            if (Array.Find(each, one => one.Failure is not null).Failure is not { } failure) continue;
            // No more of it now. In the next pass those that did not answer come last, the latest at the end, so that they keep nothing from the others.
            LogFailed(log, pack.Name, failure.Message);
            break;
        }

        if (!seen) _work = true;
        known.Partitions = partitions;
        known.Seen = seen;
        known.CheckedAt = began;
        known.Births = births;
    }

    private static int CountOf(List<Read> lot)
    {
        lock (lot) return lot.Count;
    }

    private static Read[] TakeAll(List<Read> lot)
    {
        lock (lot)
        {
            Read[] all = [.. lot];
            lot.Clear();
            return all;
        }
    }

    private async Task<(bool Seen, Exception? Failure)> TrySeeAllAsync(string domain, IEnumerable<(PackEntry Entry, RecipientKey[] Keys)> open, CancellationToken cancellationToken)
    {
        // Whoever did not answer in time has enough to do: for a while this pass does not ask again, and it costs the packs of others nothing.
        if (_silent.TryGetValue(domain, out var at) && at >= _passBegan && clock.Now - at < SilentFor) return (false, null);
        try
        {
            var seen = await SeeAllAsync(domain, open, cancellationToken);
            _silent.TryRemove(domain, out _);
            return (seen, null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return (false, e);
        }
    }

    private async Task<bool> SeeAllAsync(string domain, IEnumerable<(PackEntry Entry, RecipientKey[] Keys)> open, CancellationToken cancellationToken)
    {
        var seen = true;
        foreach (var batch in Batches(open)) seen &= await SeeAsync(domain, batch, cancellationToken);
        return seen;
    }

    private async Task<bool> SeeAsync(string domain, List<SweptEntry> entries, CancellationToken cancellationToken)
    {
        var sights = entries.SelectMany(e => e.Keys.Select(k => new IndexSight(new Lane(e.Tenant, e.Class), e.Member(k)))).ToList();
        var reply = await index.SeeAsync(domain, sights, cancellationToken);
        Note(IndexPartition.Of(domain), reply.Stamp);
        var missing = new HashSet<RecipientKey>();
        for (var i = 0; i < sights.Count; i++)
        {
            if (!reply.Found[i]) missing.Add(sights[i].Member.Key);
        }

        if (missing.Count == 0) return true;
        var offered = entries.Select(e => e with { Keys = [.. e.Keys.Where(missing.Contains)] }).Where(e => e.Keys.Length > 0).ToArray();
        try
        {
            await offers.OfferAsync(domain, new SweptOffer { SentAt = clock.Now, Entries = offered });
            SweepInstruments.Offered.Inc(missing.Count);
        }
        catch
        {
            _silent[domain] = clock.Now;
            throw;
        }

        return false;
    }

    private static IEnumerable<List<SweptEntry>> Batches(IEnumerable<(PackEntry Entry, RecipientKey[] Keys)> open)
    {
        var batch = new List<SweptEntry>();
        var count = 0;
        foreach (var (entry, keys) in open)
        {
            foreach (var part in keys.Chunk(OfferBatch))
            {
                if (count > 0 && count + part.Length > OfferBatch)
                {
                    yield return batch;
                    batch = [];
                    count = 0;
                }

                batch.Add(new SweptEntry
                {
                    Offset = entry.BirthOffset, Length = entry.BirthLength, Tenant = entry.Tenant, Class = entry.Class, Keys = part,
                    Born = entry.Born, NotBefore = entry.NotBefore, Message = entry.Message.First,
                });
                count += part.Length;
            }
        }

        if (count > 0) yield return batch;
    }

    // Rule 5: every unfinished recipient is in a moved pack that names this one as its source and has been durable for an hour.
    private bool IsMoved(PackName name, IEnumerable<RecipientKey> open, StoreTime now)
    {
        var copies = view.MovedPacksFrom(name).Where(m => m.Name != name && now - m.ListedAt >= MovedFor).ToList();
        return copies.Count > 0 && open.All(k => copies.Any(c => c.Contains(k)));
    }

    // When each source became due for deletion because a copy of it had been durable for an hour.
    private Dictionary<PackName, StoreTime> SourcesMoved(StoreTime now)
    {
        var due = new Dictionary<PackName, StoreTime>();
        foreach (var copy in view.AllMoved.Where(m => now - m.ListedAt >= MovedFor))
        {
            foreach (var source in copy.Sources) due[source] = StoreTime.Max(due.GetValueOrDefault(source), copy.ListedAt + MovedFor);
        }

        return due;
    }

    private async Task<bool> LearnMovedAsync(PackListing pack, StoreTime began, CancellationToken cancellationToken)
    {
        if (view.Moved(pack.Name) is not null) return true;
        try
        {
            var toc = await reader.ReadTocAsync(pack.Name, cancellationToken);
            if (toc.Value is not { } contents) return true;
            await view.AddMovedAsync(contents, began, cancellationToken);
            return true;
        }
        catch (IOException e)
        {
            _work = true;
            LogFailed(log, pack.Name, e.Message);
            return false;
        }
    }

    // Of the partitions that packs of this share are in: no mail, no call.
    private async Task LookAtStampsAsync(CancellationToken cancellationToken)
    {
        var used = new BitArray(IQueueIndex.Partitions);
        foreach (var known in _known.Values)
        {
            if (known.Partitions is { } partitions) used.Or(partitions);
        }

        int[] asked = [.. IndexPartition.All.Where(p => used[p])];
        _isIndexAway = false;
        if (asked.Length == 0) return;
        try
        {
            var stamps = await index.StampsAsync(asked, cancellationToken);
            for (var i = 0; i < asked.Length; i++) Note(asked[i], stamps[i]);
        }
        catch (IOException e)
        {
            _isIndexAway = true;
            LogIndexAway(log, e.Message);
        }
    }

    private void Note(int partition, IndexStamp stamp)
    {
        lock (_stamps)
        {
            if (_stamps[partition] == stamp) return;
            _stamps[partition] = stamp;
            _bornAt[partition] = ++_births;
        }
    }

    /// <summary>A mark of its partitions is no longer what came in the reply of its last check (design rule 12).</summary>
    private bool IsReborn(Known known)
    {
        if (known.Births == _births || known.Partitions is not { } partitions) return false;
        lock (_stamps)
        {
            for (var p = 0; p < _bornAt.Length; p++)
            {
                if (partitions[p] && _bornAt[p] > known.Births) return true;
            }
        }

        return false;
    }

    // What is gone, or in another silo's share now.
    private void Forget(List<PackListing> mine)
    {
        var names = mine.Select(p => p.Name).ToHashSet();
        foreach (var gone in _known.Keys.Where(k => !names.Contains(k)).ToList()) _known.TryRemove(gone, out _);
    }

    [LoggerMessage(2304, LogLevel.Information, "Reading back what is queued: {Packs} packs; deliveries go on meanwhile")]
    private static partial void LogBegun(ILogger logger, int packs);

    [LoggerMessage(2305, LogLevel.Information, "Read back {Recipients} recipients, {Elapsed} after the start")]
    private static partial void LogRead(ILogger logger, long recipients, TimeSpan elapsed);

    [LoggerMessage(2306, LogLevel.Error, "Pack {Pack} fails its checksum: its mail cannot be read and the pack is kept")]
    private static partial void LogCorrupt(ILogger logger, PackName pack);

    [LoggerMessage(2307, LogLevel.Warning, "The queue index cannot be reached: only finished packs are swept: {Error}")]
    private static partial void LogIndexAway(ILogger logger, string error);

    [LoggerMessage(2302, LogLevel.Warning, "Pack {Pack} could not be swept and is tried again: {Error}")]
    private static partial void LogFailed(ILogger logger, PackName pack, string error);

    /// <summary>A pack whose table of contents was read just now, after <paramref name="Births"/> changes of any mark.</summary>
    private sealed record Read(PackListing Pack, Known Known, PackToc Contents, StoreTime Began, int Births);

    /// <summary>What the sweep remembers of a pack.</summary>
    private sealed class Known
    {
        public StoreTime FirstListed;
        public StoreTime CheckedAt;
        public bool Seen;
        public int Births;
        public int? Recipients;
        public BitArray? Partitions;
    }
}
