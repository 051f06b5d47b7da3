using Angarium.Contracts.Admin;
using Angarium.Grains.Control;
using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.DomainQueues;

// What operators ask (and rule 17 orders). Holds are documents and outlive everything here.
internal sealed partial class DomainQueue
{
    private const int AdminBatch = 1_000;

    // As many of other messages in one second are read at once for the sake of one among them.
    private const int MaxAdminBatch = 32_000;

    public async Task<QueueSnapshot> ShowAsync(int limit)
    {
        IReadOnlyList<IndexRow> rows = [];
        var (queued, away) = (0L, false);
        try
        {
            rows = await _seams.Index.ListAsync(_domain, default, Math.Clamp(limit, 1, 10_000), CancellationToken.None);
            queued = await _seams.Index.CountAsync(_domain, CancellationToken.None);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            // What is in memory is shown all the same.
            LogIndexUnreachable(_domain, e.Message);
            away = true;
        }

        var suspended = _pools.Find(p => p.State?.SuspendedUntil > Now)?.State;
        var inMemory = _entries.Values.Distinct().Where(e => !e.InIndex).ToList();
        var listed = inMemory.SelectMany(e => e.Keys.Select(k => Describe(e.Row(k), e))).Concat(rows.Select(r => Describe(r, _entries.GetValueOrDefault(r.Member.Key))))
            .OrderBy(r => r.Due).ToArray();
        return new QueueSnapshot
        {
            Domain = _domain, Queued = queued + inMemory.Sum(e => e.Keys.Length), IndexAway = away, Leased = _leased.Count,
            Held = _control?.Held ?? false, Site = SiteNames(), SuspendedUntil = suspended?.SuspendedUntil ?? default,
            SiteTrouble = (suspended ?? _pools.Find(p => p.State?.Trouble is not null)?.State)?.Trouble?.ToString(), OldestDue = listed.Length > 0 ? listed[0].Due : default, Recipients = [.. listed.Take(limit)],
        };
    }

    /// <summary>Where mail goes from here, by each pool that has some of it: `default` is known by the bare site.</summary>
    private string? SiteNames()
    {
        var sites = string.Join(", ", _pools.Where(p => p.IsBusy && p.Site is not null).Select(p => p.Site));
        return sites.Length > 0 ? sites : _pools.Find(p => p.Site is not null)?.Site;
    }

    /// <summary>Makes what waits due now, and has a suspended site tried. What is in memory is due already.</summary>
    /// <exception cref="IOException">The index cannot be reached: only some of it was made due.</exception>
    public async Task<int> RetryAsync(RecipientKey? message)
    {
        _touchedAt = Now;
        var now = Floor(Now);
        var count = 0;
        var page = new AdminPage(now + TimeSpan.FromSeconds(1), AdminBatch);
        while (!_deposed)
        {
            if (!await ConfirmAsync()) throw new IOException(_deposed ? "the queue is being moved; ask again" : "the queue index cannot be reached; what waits there was not made due");
            var rows = await _seams.Index.ListAsync(_domain, page.From, page.Size, CancellationToken.None);
            var changes = rows.Where(r => (message is null || r.Member.Message == message) && !_entries.ContainsKey(r.Member.Key))
                .Select(r => new IndexChange(r with { Due = now }, Remove: false)).ToList();
            if (changes.Count > 0 && await _seams.Index.WriteAsync(_domain, _owner!.Value, changes, CancellationToken.None) == IndexWriteStatus.Deposed) DeposeByToken();
            count += changes.Count;
            if (rows.Count < page.Size) break;
            page = NextPage(page, rows[^1].Due, changes.Count > 0);
        }

        _nextRead = StoreTime.Min(_nextRead, now);
        await RetrySitesAsync();
        Tick();
        return count;
    }

    private async Task RetrySitesAsync()
    {
        for (var i = 0; i < _pools.Count; i++)
        {
            var pool = _pools[i];
            if (pool is not { Site: { } site, State: { } state } || state.SuspendedUntil <= Now) continue;
            try
            {
                pool.State = await _seams.Sites.RetryAsync(site);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // It is tried when its suspension ends.
                LogSiteUnreachable(_domain, e.Message);
            }
        }
    }

    /// <summary>Finishes without delivery or notice what is not leased just now (design rule 6: an operator's decision, by the owner).</summary>
    /// <exception cref="IOException">The index cannot be reached, or the queue was taken over just now: only some of it was dropped.</exception>
    public async Task<int> DropAsync(RecipientKey? message, string reason)
    {
        _touchedAt = Now;
        // What is to be dropped must not be leased while the record of that is on its way; all else is, however long the index is.
        if (message is { } one) _dropping[one] = _dropping.GetValueOrDefault(one) + 1;
        else _drops++;
        try
        {
            return await DropWhatIsThereAsync(message, reason);
        }
        finally
        {
            if (message is not { } over) _drops--;
            else if (--_dropping[over] == 0) _dropping.Remove(over);
            foreach (var entry in TakeWithheld(e => !_dropping.ContainsKey(e.Message)))
            {
                if (entry.FreshUntil != default && entry.FreshUntil <= Now) SendToIndex(entry, entry.Due);
                else _ready.Add(entry);
            }

            Tick();
        }
    }

    private async Task<int> DropWhatIsThereAsync(RecipientKey? message, string reason)
    {
        await ConfirmAsync();
        var count = await DropReadyAsync(message, reason);
        var page = new AdminPage(StoreTime.Zero, AdminBatch);
        while (true)
        {
            if (!MayAct) throw new IOException("this silo may not act for the queue just now; ask again");
            if (!await ConfirmAsync()) throw new IOException(_deposed ? "the queue is being moved; ask again" : "the queue index cannot be reached; what waits there was not dropped");
            // Rule 16: somebody may have been at it until just now.
            if (Now < _readFrom) throw new IOException($"the queue of {_domain} was taken over just now; ask again in {Math.Ceiling((_readFrom - Now).TotalSeconds)} s");
            var rows = await _seams.Index.ListAsync(_domain, page.From, page.Size, CancellationToken.None);
            var drop = rows.Where(r => message is null || r.Member.Message == message).ToList();
            if (drop.Count > 0) await _seams.View.RefreshAsync(CancellationToken.None);
            drop.RemoveAll(r => _entries.ContainsKey(r.Member.Key) || _leased.ContainsKey(r.Member.Key));
            var open = drop.Where(r => !IsFinished(r.Member.Key)).Select(r => new Dropped(r.Member.Key, r.Member.Message, r.Lane)).ToArray();
            if (!HasToken) throw new IOException("the queue is being moved; ask again");
            if (open.Length > 0) await RecordDropAsync(open, reason);
            if (drop.Count > 0) await _seams.Index.WriteAsync(_domain, _owner!.Value, [.. drop.Select(r => new IndexChange(r, Remove: true))], CancellationToken.None);
            count += open.Length;
            if (rows.Count < page.Size) break;
            page = NextPage(page, rows[^1].Due, drop.Count > 0);
        }

        // What was read back meanwhile.
        return count + await DropReadyAsync(message, reason);
    }

    private async Task<int> DropReadyAsync(RecipientKey? message, string reason)
    {
        bool IsToBeDropped(QueueEntry e) => (message is null || e.Message == message) && MayDecide(e);
        var drop = _ready.Entries().Where(IsToBeDropped).ToList();
        foreach (var entry in drop) _ready.Leave(entry, EntryState.Deciding);
        drop.AddRange(TakeWithheld(IsToBeDropped));
        // What was read back while the record of it was on its way is finished.
        Dropped[] keys = [.. drop.SelectMany(e => e.Keys, (e, k) => new Dropped(k, e.Message, e.Lane)).Where(one => !IsFinished(one.Key))];
        try
        {
            if (keys.Length > 0) await RecordDropAsync(keys, reason);
        }
        catch (IOException)
        {
            foreach (var entry in drop) SendToIndex(entry, entry.Due);
            throw;
        }

        foreach (var entry in drop) Remove(entry);
        return keys.Length;
    }

    /// <summary>Takes out what came to be leased while its message is being dropped.</summary>
    private List<QueueEntry> TakeWithheld(Predicate<QueueEntry> which)
    {
        var taken = new List<QueueEntry>();
        // Asked once of each: it may depend on the time.
        _withheld.RemoveAll(entry =>
        {
            if (!which(entry)) return false;
            taken.Add(entry);
            return true;
        });
        return taken;
    }

    public async Task HoldAsync(RecipientKey? message)
    {
        _control = await _seams.Control.ChangeAsync(_domain, c => message is { } m ? c with { HeldMessages = new HashSet<RecipientKey>(c.HeldMessages) { m } } : c with { Held = true },
            CancellationToken.None);
        await DeposeOthersAsync();
        Tick();
        if (message is { } held) await TellAsync(held, LedgerKind.Held);
    }

    public async Task ReleaseAsync(RecipientKey? message)
    {
        _control = await _seams.Control.ChangeAsync(_domain, c => message is { } m ? c with { HeldMessages = c.HeldMessages.Where(h => h != m).ToHashSet() } : c with { Held = false },
            CancellationToken.None);
        try
        {
            // What a held domain has is due as it was.
            if (message is { } one) await RetryAsync(one);
            else await RetrySitesAsync();
        }
        catch (Exception e) when (IsTrouble(e))
        {
            // It is released; what was held back comes when it is due.
            LogIndexUnreachable(_domain, e.Message);
        }

        _nextRead = StoreTime.Min(_nextRead, Now);
        Tick();
        if (message is { } released) await TellAsync(released, LedgerKind.Released);
    }

    /// <summary>Records for whoever follows the ledger that a message was held or released. What was ordered stands, whether that can be told or not.</summary>
    private async Task TellAsync(RecipientKey message, LedgerKind kind)
    {
        try
        {
            var found = _entries.Values.Where(e => e.Message == message).Distinct().SelectMany(e => e.Keys, (e, k) => (Key: k, e.Lane)).ToDictionary(one => one.Key, one => one.Lane);
            for (var page = new AdminPage(StoreTime.Zero, AdminBatch); ;)
            {
                var rows = await _seams.Index.ListAsync(_domain, page.From, page.Size, CancellationToken.None);
                foreach (var row in rows.Where(r => r.Member.Message == message && !IsFinished(r.Member.Key))) found[row.Member.Key] = row.Lane;
                if (rows.Count < page.Size) break;
                page = NextPage(page, rows[^1].Due, changed: false);
            }

            if (found.Count > 0)
                await _seams.Ledger.AppendAsync([.. found.Select(one => new LedgerRecord { Key = one.Key, Kind = kind, Time = Now, Own = true, Summary = KnownOf(one.Key, message, one.Value) })]);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogLedgerFailed(_domain, e.Message);
        }
    }

    /// <summary>An activation that acts elsewhere under the token has loaded what was ordered before: it loses the token, or this one is none any more and is asked in vain.</summary>
    private async Task DeposeOthersAsync()
    {
        if (!await ConfirmAsync() && _deposed) throw new IOException("The queue has another owner; the order is written, and is to be repeated so that the owner hears it.");
    }

    /// <exception cref="IOException">It could not be recorded: what was to be dropped is not.</exception>
    private async Task RecordDropAsync(Dropped[] dropped, string reason)
    {
        var now = Now;
        var text = reason.Length > 200 ? reason[..200] : reason;
        try
        {
            await _seams.Ledger.AppendAsync([.. dropped.Select(one => new LedgerRecord
            {
                Key = one.Key, Kind = LedgerKind.Dropped, Time = now, Own = true, Reply = new Reply(554, new EnhancedStatus(5, 7, 0), text), Summary = KnownOf(one.Key, one.Message, one.Lane),
            })], DecideBy);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogLedgerFailed(_domain, e.Message);
            throw new IOException("the ledger cannot be written now; what was not dropped yet stays; ask again", e);
        }

        foreach (var one in dropped) DomainQueueInstruments.Count(LedgerKind.Dropped, 1, one.Lane.Tenant, PoolOf(one.Lane.Tenant).Name);
    }

    // Rows come by due second. Those that were changed are gone from where they were; where a whole page of one second was not, a larger one is read.
    private AdminPage NextPage(AdminPage page, StoreTime last, bool changed) =>
        last > page.From ? new AdminPage(last, AdminBatch)
        : changed ? page
        : page.Size < MaxAdminBatch ? page with { Size = page.Size * 2 }
        : throw new IOException($"more than {MaxAdminBatch} other recipients of {_domain} are due in the second of {last}; ask for the whole domain, or again when they were tried");

    private readonly record struct Dropped(RecipientKey Key, RecipientKey Message, Lane Lane);

    private readonly record struct AdminPage(StoreTime From, int Size);

    private QueuedRecipient Describe(IndexRow row, QueueEntry? entry)
    {
        var now = Now;
        var state = _leased.ContainsKey(row.Member.Key) ? "leased"
            : entry?.State == EntryState.Deciding ? "deciding"
            : _control is { } c && (c.Held || c.HeldMessages.Contains(row.Member.Message)) ? "held"
            : row.Due <= now ? "ready" : "waiting";
        return new QueuedRecipient
        {
            Key = row.Member.Key, Message = row.Member.Message, Tenant = row.Lane.Tenant, Attempts = QueueEntry.OfRow(row.Attempts).Attempts, Due = row.Due,
            Born = entry is { Born: var born } && born != default ? born : _seams.View.Born(row.Member.Key) ?? default, State = state,
            Place = _seams.View.Locate(row.Member.Key, row.Member.Birth) ?? row.Member.Birth,
        };
    }
}
