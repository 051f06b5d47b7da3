using Angarium.Contracts.Admin;
using Angarium.Grains.Control;
using Angarium.Grains.Index;
using Angarium.Grains.Tenants;
using Angarium.Grains.View;
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
            Suspensions = OrdersOfOperators(), SiteTrouble = (suspended ?? _pools.Find(p => p.State?.Trouble is not null)?.State)?.Trouble?.ToString(), OldestDue = listed.Length > 0 ? listed[0].Due : default, Recipients = [.. listed.Take(limit)],
        };
    }

    /// <summary>Where mail goes from here, by each pool that has some of it: `default` is known by the bare site.</summary>
    private string? SiteNames()
    {
        var sites = string.Join(", ", _pools.Where(p => p.IsBusy && p.Site is not null).Select(p => p.Site));
        return sites.Length > 0 ? sites : _pools.Find(p => p.Site is not null)?.Site;
    }

    /// <summary>Those that keep mail of this domain from being sent: of its sites, and of the tenants that have some ready.</summary>
    private Suspension[] OrdersOfOperators()
    {
        if (_seams.Suspensions() is not { All.Count: > 0 } map) return [];
        var now = Now;
        var sites = _pools.Select(pool => pool.Site is { } site ? map.OfSite(site, now) : null);
        var tenants = FindPool(PoolMap.Parked)?.Round.Select(tenant => map.OfTenant(tenant.Name, now)) ?? [];
        return [.. sites.Concat(tenants).OfType<Suspension>().Distinct()];
    }

    /// <summary>Makes what waits due now, and has a suspended site tried. What is in memory is due already.</summary>
    /// <exception cref="IOException">The index cannot be reached: only some of it was made due.</exception>
    public async Task<int> RetryAsync(QueueSelection which)
    {
        _touchedAt = Now;
        var now = Floor(Now);
        var count = 0;
        var page = new AdminPage(now + TimeSpan.FromSeconds(1), AdminBatch);
        while (!_deposed)
        {
            if (!await ConfirmAsync()) throw new IOException(_deposed ? "the queue is being moved; ask again" : "the queue index cannot be reached; what waits there was not made due");
            var rows = await _seams.Index.ListAsync(_domain, page.From, page.Size, CancellationToken.None);
            // What was never tried waits for the time that its sender chose, or is held: it is hurried by its own name only.
            var changes = rows.Where(r => which.Has(r.Member.Message, r.Lane.Tenant) && !_entries.ContainsKey(r.Member.Key) && (which.Message is not null || QueueEntry.OfRow(r.Attempts).Attempts > 0))
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

    /// <summary>
    /// Finishes without delivery or notice what is not leased just now (design rule 6: an operator's decision, by the owner). Where senders are to be told, it fails instead, and is finished as whatever fails
    /// is: when the notice is durable.
    /// </summary>
    /// <exception cref="IOException">The index cannot be reached, or the queue was taken over just now: only some of it was dropped.</exception>
    public async Task<int> DropAsync(QueueSelection which, string reason, bool isTold = false)
    {
        _touchedAt = Now;
        // What is to be dropped must not be leased while the record of that is on its way; all else is, however long the index is.
        if (which.IsAll) _drops++;
        else _dropping.Add(which);
        try
        {
            return await DropWhatIsThereAsync(which, reason, isTold);
        }
        finally
        {
            if (which.IsAll) _drops--;
            else _dropping.Remove(which);
            foreach (var entry in TakeWithheld(e => !IsBeingDropped(e)))
            {
                if (entry.FreshUntil != default && entry.FreshUntil <= Now) SendToIndex(entry, entry.Due);
                else _ready.Add(entry);
            }

            Tick();
        }
    }

    private bool IsBeingDropped(QueueEntry entry)
    {
        foreach (var order in _dropping) if (order.Has(entry.Message, entry.Lane.Tenant)) return true;
        return false;
    }

    private async Task<int> DropWhatIsThereAsync(QueueSelection which, string reason, bool isTold)
    {
        await ConfirmAsync();
        var count = await DropReadyAsync(which, reason, isTold);
        var page = new AdminPage(StoreTime.Zero, AdminBatch);
        while (true)
        {
            if (!MayAct) throw new IOException("this silo may not act for the queue just now; ask again");
            if (!await ConfirmAsync()) throw new IOException(_deposed ? "the queue is being moved; ask again" : "the queue index cannot be reached; what waits there was not dropped");
            // Rule 16: somebody may have been at it until just now.
            if (Now < _readFrom) throw new IOException($"the queue of {_domain} was taken over just now; ask again in {Math.Ceiling((_readFrom - Now).TotalSeconds)} s");
            var rows = await _seams.Index.ListAsync(_domain, page.From, page.Size, CancellationToken.None);
            var drop = rows.Where(r => which.Has(r.Member.Message, r.Lane.Tenant)).ToList();
            if (drop.Count > 0) await _seams.View.RefreshAsync(CancellationToken.None);
            drop.RemoveAll(r => _entries.ContainsKey(r.Member.Key) || _leased.ContainsKey(r.Member.Key) || _told.Contains(r.Member.Key));
            // What is decided already is told of by itself.
            if (isTold) drop.RemoveAll(r => _seams.View.Bits(r.Member.Key) == RecipientBits.Decided);
            var open = drop.Where(r => !IsFinished(r.Member.Key)).Select(r => new Dropped(r.Member.Key, r.Member.Message, r.Lane)).ToArray();
            if (!HasToken) throw new IOException("the queue is being moved; ask again");
            // Beyond what is kept of them senders would be told of a failure without the operator's words.
            if (isTold && open.Length > 0 && _seams.View.IsFullOfDecisions) throw new IOException($"{count} recipients of {_domain} were dropped, and so many senders are being told now that the others have to wait; ask again in a minute");
            if (open.Length > 0) await RecordDropAsync(open, reason, isTold);
            // Decided, it is read back as what owes a notice: due at once, and before all that this order has not come to yet.
            var before = isTold && drop.Count > 0 ? StoreTime.Min(Floor(Now), rows[0].Due - TimeSpan.FromSeconds(1)) : default;
            if (drop.Count > 0)
                await _seams.Index.WriteAsync(_domain, _owner!.Value, [.. drop.Select(r => isTold && !IsFinished(r.Member.Key) ? new IndexChange(r with { Due = before }, Remove: false) : new IndexChange(r, Remove: true))], CancellationToken.None);
            if (isTold) _nextRead = StoreTime.Min(_nextRead, Now);
            count += open.Length;
            if (rows.Count < page.Size) break;
            page = NextPage(page, rows[^1].Due, drop.Count > 0);
        }

        // What was read back meanwhile.
        return count + await DropReadyAsync(which, reason, isTold);
    }

    private async Task<int> DropReadyAsync(QueueSelection which, string reason, bool isTold)
    {
        // What is being recorded as delivered is as what is leased.
        bool IsToBeDropped(QueueEntry e) => which.Has(e.Message, e.Lane.Tenant) && MayDecide(e) && !_told.Overlaps(e.Keys);
        var drop = _ready.Entries().Where(IsToBeDropped).ToList();
        foreach (var entry in drop) _ready.Leave(entry, EntryState.Deciding);
        drop.AddRange(TakeWithheld(IsToBeDropped));
        // What was read back while the record of it was on its way is finished.
        Dropped[] keys = [.. drop.SelectMany(e => e.Keys, (e, k) => new Dropped(k, e.Message, e.Lane)).Where(one => !IsFinished(one.Key))];
        LedgerRecord[] records = [];
        try
        {
            if (keys.Length > 0) records = await RecordDropAsync(keys, reason, isTold);
        }
        catch (IOException)
        {
            foreach (var entry in drop) SendToIndex(entry, entry.Due);
            throw;
        }

        var told = isTold ? records.ToDictionary(record => record.Key) : [];
        foreach (var entry in drop)
        {
            if (entry.Keys.Where(told.ContainsKey).Select(key => told[key]).ToArray() is not { Length: > 0 } owed)
            {
                Remove(entry);
                continue;
            }

            if (entry.Keys.Length > owed.Length) Remove(Piece(entry, [.. entry.Keys.Where(key => !told.ContainsKey(key))], EntryState.Deciding));
            StartNotice(Piece(entry, [.. owed.Select(record => record.Key)], EntryState.Deciding), owed);
        }

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
    private async Task<LedgerRecord[]> RecordDropAsync(Dropped[] dropped, string reason, bool isTold)
    {
        var now = Now;
        var text = reason.Length > 200 ? reason[..200] : reason;
        LedgerRecord[] records = [.. dropped.Select(one => new LedgerRecord
        {
            Key = one.Key, Kind = isTold ? LedgerKind.Failed : LedgerKind.Dropped, Time = now, Own = true, Reply = new Reply(554, new EnhancedStatus(5, 7, 0), text), Summary = KnownOf(one.Key, one.Message, one.Lane),
        })];
        try
        {
            await _seams.Ledger.AppendAsync(records, DecideBy);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogLedgerFailed(_domain, e.Message);
            throw new IOException("the ledger cannot be written now; what was not dropped yet stays; ask again", e);
        }

        for (var i = 0; i < records.Length; i++) DomainQueueInstruments.Count(records[i].Kind, 1, dropped[i].Lane.Tenant, PoolOf(dropped[i].Lane.Tenant).Name);
        return records;
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
            : _map is not null && IsSuspended(PoolOf(row.Lane.Tenant)) ? "suspended"
            : row.Due <= now ? "ready" : "waiting";
        return new QueuedRecipient
        {
            Key = row.Member.Key, Message = row.Member.Message, Tenant = row.Lane.Tenant, Attempts = QueueEntry.OfRow(row.Attempts).Attempts, Due = row.Due,
            Born = entry is { Born: var born } && born != default ? born : _seams.View.Born(row.Member.Key) ?? default, State = state,
            Place = _seams.View.Locate(row.Member.Key, row.Member.Birth) ?? row.Member.Birth,
        };
    }
}
