using Angarium.Grains.Index;
using Angarium.Grains.View;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

// Token, writes and reading back: one loop at a time, so that what was read is never older than what was written.
internal sealed partial class DomainQueue
{
    private const int WriteBatch = 1_000;
    private static readonly TimeSpan LanesEvery = TimeSpan.FromSeconds(1);
    private const int MaxWrites = 30_000;

    /// <summary>What comes in leaves this room to what comes of attempts: while the index is away, a burst must not keep from being tried what could leave at once.</summary>
    private const int MaxWritesOfOffers = 20_000;

    private readonly Queue<IndexOp> _ops = [];
    private IndexOwner? _owner;
    private StoreTime _confirmedAt;
    private StoreTime _readFrom;
    private StoreTime _nextRead = Never;
    private StoreTime _indexRetryAt;
    private StoreTime _foreignEndedAt;
    private TimeSpan _indexBackoff = TimeSpan.FromSeconds(1);
    private Task _pump = Task.CompletedTask;
    private Task _confirming = Task.CompletedTask;
    private Task _taking = Task.CompletedTask;
    private bool _pumping, _left;
    private StoreTime _lanesReadAt;
    private TimeSpan _lanesPause = LanesEvery;

    /// <summary>The token was found in the index within the last 10 s (design rule 14).</summary>
    private bool HasToken => !_deposed && _owner is not null && Now - _confirmedAt < ConfirmedFor;

    /// <summary>When the first of what is due in the index, and not here, has been due.</summary>
    private StoreTime Unread
    {
        get
        {
            var first = _nextRead;
            foreach (var pool in _pools) first = StoreTime.Min(first, pool.Unread);
            return first;
        }
    }

    /// <summary>
    /// When there is something to read, and room: what leaves the window makes room, and looks then; between times it looks for lanes that have nothing here (rule 22). A pool without room waits by
    /// itself.
    /// </summary>
    private StoreTime ReadWanted => StoreTime.Min(WantedWithRoom, StoreTime.Max(Unread, _lanesReadAt + _lanesPause));

    /// <summary>The same for pools that have room for a good part of what they may have there.</summary>
    private StoreTime WantedWithRoom
    {
        get
        {
            var wanted = Never;
            var hasRoom = false;
            foreach (var pool in _pools)
            {
                if (!HasRoomForAll(pool)) continue;
                hasRoom = true;
                wanted = StoreTime.Min(wanted, pool.Unread);
            }

            return hasRoom ? StoreTime.Min(wanted, _nextRead) : Never;
        }
    }

    private bool HasRoomForAll(QueuePool pool)
    {
        var share = ShareOf(pool);
        var room = share - pool.Ready - pool.Leased;
        return room >= share / 4 || pool.Ready == 0 && room > 0;
    }

    private bool WantsRead => !_stopping && _control is { Held: false } && Now >= Unread && Now >= ReadWanted
        && (_owner is null || Now >= _readFrom) && _seams.Clock.IsSettled;

    /// <summary>Writes the entry as it is; it stays in memory unless it is leaving.</summary>
    private void WriteToIndex(QueueEntry entry)
    {
        entry.InIndex = true;
        var leaving = entry.State == EntryState.Leaving;
        if (leaving) entry.Writes += entry.Keys.Length;
        foreach (var key in entry.Keys) _ops.Enqueue(new IndexOp(entry.Row(key), Remove: false, leaving ? entry : null));
        _nextRead = StoreTime.Min(_nextRead, IndexScore.Round(entry.Due));
        Pump();
    }

    /// <summary>The entry leaves memory for the index, to be read back when it is due.</summary>
    private void SendToIndex(QueueEntry entry, StoreTime due)
    {
        _ready.Leave(entry, EntryState.Leaving);
        entry.State = EntryState.Leaving;
        entry.Due = due;
        WriteToIndex(entry);
    }

    private void Pump()
    {
        if (_pumping || _deposed || Now < _indexRetryAt || (_ops.Count == 0 && !WantsRead)) return;
        // The token is the one thing that is taken from others: only by whom they may take for the owner. Who has left takes it no more.
        if (_left) return;
        if (_owner is null && !(_stopping ? _seams.Standing.IsMember : _seams.Standing.IsConfirmed))
        {
            _indexRetryAt = Now + TimeSpan.FromSeconds(1);
            return;
        }

        _pumping = true;
        Run(_pump = PumpAsync());
    }

    private async Task PumpAsync()
    {
        try
        {
            for (var mayWrite = true; !_deposed && (mayWrite && _ops.Count > 0 || WantsRead);)
            {
                if (_owner is null) await TakeAsync();
                if (mayWrite && _ops.Count > 0) mayWrite = await WriteAsync();
                // Rule 8: what is not written yet is in memory, and what is in memory is not read back.
                if (WantsRead && !_deposed) await ReadBackAsync();
            }

            _indexBackoff = TimeSpan.FromSeconds(1);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            _indexRetryAt = Now + _indexBackoff;
            _indexBackoff = TimeSpan.FromSeconds(Math.Min(10, _indexBackoff.TotalSeconds * 2));
            LogIndexUnreachable(_domain, e.Message);
        }
        finally
        {
            _pumping = false;
        }
    }

    // A write whose result is unknown is repeated with a token of its own: until one is known to be written this activation has acted under none.
    private Task TakeAsync() => _taking.IsCompleted ? _taking = TakeOnceAsync() : _taking;

    private async Task TakeOnceAsync()
    {
        var token = _seams.Draw();
        // Confirmed as of the sending: another may have written its own before the answer came.
        var sent = Now;
        var stamp = await _seams.Index.TakeAsync(_domain, token, CancellationToken.None);
        _confirmedAt = sent;
        _readFrom = _seams.Standing.IsSoleProcess || Without(Waived.TokenWait) ? sent : Now + TokenWait;
        _owner = new IndexOwner(token, stamp.Run);
        _isControlOld = !_seams.Standing.IsSoleProcess;
    }

    // A token that nobody holds would stay for as long as the domain gets no mail. Where it stays none the less (a kill, no index) it is one small key.
    private async Task LeaveAsync()
    {
        if (_deposed || _owner is not { } owner) return;
        (_owner, _left) = (null, true);
        try
        {
            await _seams.Index.LeaveAsync(_domain, owner, CancellationToken.None);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogIndexUnreachable(_domain, e.Message);
        }
    }

    /// <summary>Makes sure that the token was confirmed not long ago; false = it was not.</summary>
    private async ValueTask<bool> ConfirmAsync()
    {
        if (_deposed) return false;
        if (_owner is not null && Now - _confirmedAt < ConfirmedFor / 2) return true;
        try
        {
            if (_confirming.IsCompleted) _confirming = ConfirmOnceAsync();
            await _confirming;
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogIndexUnreachable(_domain, e.Message);
        }

        return HasToken;
    }

    /// <summary>
    /// For grants: as <see cref="ConfirmAsync"/>, when something that needs it is ready. What was read back and cannot be granted now leaves memory, so that fresh mail neither waits for
    /// the index nor for its room; it is read back when the index answers.
    /// </summary>
    private async ValueTask ConfirmForGrantAsync()
    {
        if (_owner is null || _ready.ReadBack == 0 || await ConfirmAsync() || _deposed) return;
        foreach (var entry in _ready.Entries().Where(e => e.FreshUntil == default).ToList()) LetGo(entry);
        _nextRead = StoreTime.Min(_nextRead, Now);
        _indexRetryAt = StoreTime.Max(_indexRetryAt, Now + TimeSpan.FromSeconds(1));
    }

    private async Task ConfirmOnceAsync()
    {
        if (_owner is not { } owner)
        {
            if (_left || !_seams.Standing.IsConfirmed) throw new IOException(_left ? "this activation has ended" : "this silo's membership row is not confirmed");
            await TakeAsync();
            return;
        }

        var sent = Now;
        if (await _seams.Index.WriteAsync(_domain, owner, [], CancellationToken.None) == IndexWriteStatus.Deposed) DeposeByToken();
        else _confirmedAt = StoreTime.Max(_confirmedAt, sent);
    }

    /// <summary>Writes a batch of what waits; false = no more now: the token is another's, or there is no room.</summary>
    private async Task<bool> WriteAsync()
    {
        // The last word on a key counts: in one step removals come before puts.
        var changes = new Dictionary<RecipientKey, IndexChange>();
        var count = 0;
        foreach (var op in _ops)
        {
            if (count == WriteBatch) break;
            count++;
            changes[op.Row.Member.Key] = new IndexChange(op.Row, op.Remove);
        }

        var sent = Now;
        var status = await _seams.Index.WriteAsync(_domain, _owner!.Value, [.. changes.Values], CancellationToken.None);
        if (status == IndexWriteStatus.Deposed)
        {
            DeposeByToken();
            return false;
        }

        _confirmedAt = StoreTime.Max(_confirmedAt, sent);
        HashSet<RecipientKey> absent = [];
        if (status == IndexWriteStatus.Full)
        {
            _indexRetryAt = Now + TimeSpan.FromSeconds(2);
            LogIndexFull(_domain, _ops.Count);
            IndexSight[] puts = [.. changes.Values.Where(c => !c.Remove).Select(c => new IndexSight(c.Row.Lane, c.Row.Member))];
            var found = await _seams.Index.ContainsAsync(_domain, puts, CancellationToken.None);
            for (var i = 0; i < puts.Length; i++) if (!found[i]) absent.Add(puts[i].Member.Key);
            // A later word on it comes in its turn.
            foreach (var op in _ops.Skip(count)) absent.Remove(op.Row.Member.Key);
        }

        while (count-- > 0)
        {
            var op = _ops.Dequeue();
            // Rule 8: what is not in the index stays in memory with its new due time. It waits behind what needs no room; what the sweep offered is offered again.
            if (absent.Contains(op.Row.Member.Key) && (op.Leaving is not null || _entries.ContainsKey(op.Row.Member.Key)))
            {
                _ops.Enqueue(op);
                continue;
            }

            if (op.Leaving is { } entry && --entry.Writes == 0) Forget(entry);
            // A reading before it was written, or while it was in memory, passed it over.
            if (!op.Remove) _nextRead = StoreTime.Min(_nextRead, IndexScore.Round(op.Row.Due));
        }

        return status == IndexWriteStatus.Done;
    }

    private void Forget(QueueEntry entry)
    {
        if (entry.State == EntryState.Leaving) LetGo(entry);
    }

    private async Task ReadBackAsync()
    {
        var sent = Now;
        // What is in memory is in the index too, at the front of its lane.
        var perLane = sent >= WantedWithRoom ? Math.Min(IQueueIndex.MaxRead, _pools.Max(RoomIn) + _entries.Count + 1) : 2 * LaneShare;
        var asked = Unread;
        _nextRead = Never;
        foreach (var pool in _pools) pool.Unread = Never;
        IndexRead read;
        try
        {
            _lanesReadAt = sent;
            read = await _seams.Index.ReadDueAsync(_domain, _owner!.Value, sent, perLane, CancellationToken.None);
            if (read.Deposed)
            {
                DeposeByToken();
                return;
            }

            _confirmedAt = StoreTime.Max(_confirmedAt, sent);
            // Rule 13: the index proposes; only a view refreshed since the reading decides.
            if (read.Rows.Count > 0) await _seams.View.RefreshAsync(CancellationToken.None);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            _nextRead = StoreTime.Min(_nextRead, asked);
            throw;
        }

        if (_deposed || _stopping) return;
        // Rule 15: a lease of a former activation ended meanwhile; its entry needs a confirmation since then.
        if (_foreignEndedAt >= sent && !Without(Waived.ConfirmAgain))
        {
            _nextRead = StoreTime.Min(_nextRead, sent);
            return;
        }

        var (hasNew, hasTaken) = Admit(read.Rows, sent);
        _lanesPause = hasNew ? LanesEvery : TimeSpan.FromSeconds(Math.Min(8, _lanesPause.TotalSeconds * 2));
        // Nothing was taken in of all that was read: what is behind it is not reached by asking again at once.
        if (read.More is { } more) NoteUnread(read.Rows, perLane, more > sent, hasTaken || more > sent ? more : Now + LanesEvery);
    }

    /// <summary>
    /// More is due than was read, or will be. What is due already belongs, where there are several pools, to those whose lanes came as long as they may: one that has room must not read again and
    /// again for one that has none.
    /// </summary>
    private void NoteUnread(IReadOnlyList<IndexRow> rows, int perLane, bool isLater, StoreTime more)
    {
        var isSomebodys = false;
        if (_pools.Count > 1 && !isLater)
        {
            var lanes = rows.CountBy(row => row.Lane).ToList();
            var most = IQueueIndex.PerLane(perLane, lanes.Count);
            foreach (var (lane, count) in lanes)
            {
                if (count < most) continue;
                var pool = PoolOf(lane.Tenant);
                pool.Unread = StoreTime.Min(pool.Unread, more);
                isSomebodys = true;
            }
        }

        if (!isSomebodys) _nextRead = StoreTime.Min(_nextRead, more);
    }

    /// <summary>Takes in what was read, lane by lane in turn (rule 22), as far as there is room. Whether anything of it was new, and whether any was taken in.</summary>
    private (bool HasNew, bool HasTaken) Admit(IReadOnlyList<IndexRow> rows, StoreTime readAt)
    {
        FollowPools();
        var groups = new Dictionary<(PackId, uint, ushort, Lane, StoreTime, int, bool), List<RecipientKey>>();
        var lanes = new Dictionary<Lane, Queue<(IndexRow Row, bool IsDecided, List<RecipientKey> Keys)>>();
        foreach (var row in rows)
        {
            var key = row.Member.Key;
            if (_entries.ContainsKey(key) || _leased.ContainsKey(key)) continue;
            var bits = _seams.View.Bits(key);
            if ((bits & RecipientBits.Finished) != 0)
            {
                _ops.Enqueue(new IndexOp(row, Remove: true, null));
                continue;
            }

            var group = (key.PackId, row.Member.Offset, row.Member.First, row.Lane, row.Due, row.Attempts, bits != 0);
            if (groups.TryGetValue(group, out var keys))
            {
                keys.Add(key);
                continue;
            }

            groups[group] = keys = [key];
            if (!lanes.TryGetValue(row.Lane, out var lane)) lanes[row.Lane] = lane = new();
            lane.Enqueue((row, bits != 0, keys));
        }

        var hasTaken = false;
        for (var turn = new Queue<Lane>(lanes.Keys); turn.TryDequeue(out var name);)
        {
            var (row, isDecided, keys) = lanes[name].Peek();
            if (!isDecided && !HasRoom(name))
            {
                var pool = PoolOf(name.Tenant);
                pool.Unread = StoreTime.Min(pool.Unread, row.Due);
                continue;
            }

            lanes[name].Dequeue();
            if (lanes[name].Count > 0) turn.Enqueue(name);
            TakeIn(row, keys, isDecided, readAt);
            hasTaken = true;
        }

        SendDemand(Now);
        return (groups.Count > 0, hasTaken);
    }

    private void TakeIn(IndexRow row, List<RecipientKey> keys, bool isDecided, StoreTime readAt)
    {
        var (attempts, isRecovered) = QueueEntry.OfRow(row.Attempts);
        var entry = new QueueEntry
        {
            Lane = row.Lane, Birth = row.Member.Birth, Message = row.Member.Message, Keys = [.. keys], Born = _seams.View.Born(keys[0]) ?? default,
            Due = row.Due, Attempts = attempts, IsRecovered = isRecovered, TakenUp = readAt, InIndex = true,
        };
        Enter(entry);
        if (isDecided) ResumeNotice(entry);
        else _ready.Add(entry);
    }

    /// <summary>One change on its way; <paramref name="Leaving"/>: the entry that waits for it to leave memory.</summary>
    private readonly record struct IndexOp(IndexRow Row, bool Remove, QueueEntry? Leaving);
}
