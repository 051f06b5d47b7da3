using Angarium.Contracts.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.View;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

// The judge of what the sweep offers (design rule 12).
internal sealed partial class DomainQueue
{
    /// <summary>
    /// Judges recipients that the sweep did not see in the index: reads the index after the offer came, then a view refreshed after that, then decides in one turn. False:
    /// nothing was taken now (no room, no token); the sweep comes again.
    /// </summary>
    public async Task<bool> OfferSweptAsync(SweptOffer offer)
    {
        var now = Now;
        _touchedAt = now;
        if (_deposed || _stopping || (now - offer.SentAt).Duration() > MaxSkew || _ops.Count > MaxWritesOfOffers || _seams.IsFull()) return false;
        var sights = new List<(IndexSight Sight, SweptEntry Entry)>();
        foreach (var entry in offer.Entries)
        {
            foreach (var key in entry.Keys)
            {
                // What was in memory when the offer came is cared for, whatever becomes of it meanwhile.
                if (!_entries.ContainsKey(key)) sights.Add((new IndexSight(new Lane(entry.Tenant, entry.Class), entry.Member(key)), entry));
            }
        }

        if (sights.Count == 0) return true;
        bool[] found;
        try
        {
            if (!await ConfirmAsync()) return false;
            found = await _seams.Index.ContainsAsync(_domain, [.. sights.Select(s => s.Sight)], CancellationToken.None);
            if (!Without(Waived.JudgeView)) await _seams.View.RefreshAsync(CancellationToken.None);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogIndexUnreachable(_domain, e.Message);
            return false;
        }

        if (_deposed || _stopping) return false;
        now = Now;
        var retry = Retry;
        for (var i = 0; i < found.Length; i++)
        {
            var (sight, entry) = sights[i];
            var key = sight.Member.Key;
            if (found[i] || _entries.ContainsKey(key) || (_seams.View.Bits(key) & RecipientBits.Finished) != 0) continue;
            var (attempts, due) = retry.Recover(entry.Born, now, entry.Message);
            var row = new IndexRow(sight.Lane, sight.Member, StoreTime.Max(Floor(due), entry.NotBefore), QueueEntry.RowAttempts(attempts, isRecovered: attempts > 0));
            _ops.Enqueue(new IndexOp(row, Remove: false, null));
            _nextRead = StoreTime.Min(_nextRead, IndexScore.Round(row.Due));
        }

        Pump();
        return true;
    }
}
