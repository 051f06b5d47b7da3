using Angarium.Grains.Index;
using Angarium.Grains.Notices;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.DomainQueues;

// Expiry, and what is owed between *decided* and *finished* (design rules 6 and 7).
internal sealed partial class DomainQueue
{
    private const int MaxNotices = 256, ExpiredAtOnce = 32;

    private int _notices;
    private bool _expiryDue;

    private void StartNotice(QueueEntry entry, LedgerRecord[] outcomes)
    {
        entry.State = EntryState.Deciding;
        // Beyond the bound it waits in the index; read back, its bit leads here again.
        if (_notices >= MaxNotices) SendToIndex(entry, Now + TimeSpan.FromSeconds(30));
        else Run(NoticeAsync(entry, outcomes));
    }

    /// <summary>Decided by an earlier activation or process, and not finished: the notice again, never an attempt.</summary>
    private void ResumeNotice(QueueEntry entry) => StartNotice(entry, [.. entry.Keys.Select(k => _seams.View.Decision(k) ?? new LedgerRecord
    {
        Key = k, Kind = LedgerKind.Failed, Own = true, Time = entry.Born,
        Reply = new Reply(550, new EnhancedStatus(5, 0, 0), "delivery failed; the receiver's reply is no longer known"),
    })]);

    private async Task NoticeAsync(QueueEntry entry, LedgerRecord[] outcomes)
    {
        _notices++;
        try
        {
            var place = _seams.View.Locate(entry.Keys[0], entry.Birth);
            // As rule 13: what is in no listing begun since it was decided is nowhere, and there is nothing to tell. Till then it may be where this silo has not looked yet.
            var isGone = place is null && _seams.View.ListedFrom > outcomes.Max(o => o.Time) + MaxSkew;
            if (isGone) LogOriginalGone(_domain, entry.Message);
            foreach (var kind in isGone ? [] : outcomes.GroupBy(o => o.Kind))
            {
                var notice = kind.Key switch { LedgerKind.Expired => NoticeKind.Expired, LedgerKind.Relayed => NoticeKind.Relayed, _ => NoticeKind.Failed };
                await _seams.Notices.WriteAsync(notice, place ?? entry.Birth, [.. kind], CancellationToken.None);
            }

            var now = Now;
            await _seams.Ledger.AppendAsync([.. entry.Keys.Select(k => new LedgerRecord { Key = k, Kind = LedgerKind.Finished, Time = now })]);
            Remove(entry);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            // It stays decided; the index brings it back. A repeat writes the same Message-ID.
            LogNoticeFailed(_domain, entry.Message, e.Message);
            SendToIndex(entry, Now + TimeSpan.FromSeconds(30));
        }
        finally
        {
            _notices--;
        }
    }

    private async Task TellOfDelayAsync(EntryPlace place, LedgerRecord[] outcomes)
    {
        try
        {
            if (!await _seams.Notices.WriteAsync(NoticeKind.Delayed, place, outcomes, CancellationToken.None)) return;
            await _seams.Ledger.AppendAsync([.. outcomes.Select(o => new LedgerRecord { Key = o.Key, Kind = LedgerKind.DelayNotice, Time = Now, Attempt = o.Attempt })]);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogNoticeFailed(_domain, outcomes[0].Key, e.Message);
        }
    }

    /// <summary>
    /// Expires what is too old, could be leased now, and whose site has failed a connection since it was taken up (design rule 6) and since an operator resumed it. Held mail does not expire.
    /// </summary>
    private void ExpireReady(StoreTime now)
    {
        if (!MayGrant && !Without(Waived.OwnerDecides)) return;
        foreach (var pool in _pools.FindAll(p => !IsResting(p, now) && p.State is not null)) ExpireReady(pool, pool.State!, now);
    }

    private void ExpireReady(QueuePool pool, Sites.SiteState state, StoreTime now)
    {
        _expiryDue = false;
        var old = pool.Round.SelectMany(t => t.Lanes.SelectMany(l => l).Where(e => Retry.IsExpired(e.Born, now) && (state.LastFailure > StoreTime.Max(e.TakenUp, StoreTime.Max(pool.RestedUntil, t.RestedUntil)) || Without(Waived.ExpiryNeedsFailure)))).Where(e => e.Born != default
            && (e.FreshUntil > now || HasToken || Without(Waived.OwnerDecides)) && !_control!.HeldMessages.Contains(e.Message) && !IsBeingDropped(e) && !_told.Overlaps(e.Keys)).Take(1_000).ToList();
        var expired = new List<QueueEntry>();
        foreach (var entry in old)
        {
            _ready.Leave(entry, EntryState.Deciding);
            var left = entry;
            if (SplitDone(ref left)) expired.Add(left);
        }

        if (expired.Count > 0) Run(ExpireAsync(expired, state, now));
    }

    /// <summary>So many at a time, for each is read; rule 6 bounds how long any of them may wait for that.</summary>
    private async Task ExpireAsync(List<QueueEntry> entries, Sites.SiteState state, StoreTime checkedAt)
    {
        foreach (var entry in entries) entry.State = EntryState.Deciding;
        foreach (var some in entries.Chunk(ExpiredAtOnce)) await Task.WhenAll(some.Select(entry => ExpireAsync(entry, state, checkedAt)));
    }

    /// <summary>What is known of an envelope that was not read: an address is not.</summary>
    private EnvelopeSummary KnownOf(RecipientKey key, RecipientKey message, Lane lane) => new() { Message = new MessageId(message), ReversePath = "", Recipient = "", Tenant = lane.Tenant, Accepted = _seams.View.Born(key) ?? default };

    private async Task ExpireAsync(QueueEntry entry, Sites.SiteState state, StoreTime checkedAt)
    {
        // It may be the first that is recorded of them.
        var summaries = await _seams.Summaries(_seams.View.Locate(entry.Keys[0], entry.Birth) ?? entry.Birth, entry.Keys);
        var now = Now;
        var records = entry.Keys.Select((k, i) => new LedgerRecord
        {
            Key = k, Kind = LedgerKind.Expired, Time = now, Own = state.Own, Reply = state.Trouble, Remote = state.Remote, Summary = (i < summaries.Length ? summaries[i] : null) ?? KnownOf(k, entry.Message, entry.Lane),
        }).ToArray();
        try
        {
            var left = DecideBy - (now - checkedAt);
            if (left <= TimeSpan.Zero) throw new TimeoutException("the envelope could not be read in time");
            await _seams.Ledger.AppendAsync(records, left);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            // Given up: it is read back, and judged again.
            LogLedgerFailed(_domain, e.Message);
            SendToIndex(entry, Floor(Now));
            return;
        }

        DomainQueueInstruments.Count(LedgerKind.Expired, records.Length, entry.Lane.Tenant, PoolOf(entry.Lane.Tenant).Name);
        foreach (var record in records) LogOutcome(record, entry, entry.Born);

        StartNotice(entry, records);
    }
}
