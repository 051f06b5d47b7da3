using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

// Sessions, grants, leases and renewals (design rules 14 to 17).
internal sealed partial class DomainQueue
{
    private const int LostLeasesUntilHold = 5;
    private const int MaxSessions = 40_000;
    private const int MaxWant = 100;
    private const int MaxForeignDone = 4_096;

    /// <summary>A worker that is cut off repeats its call for as long. Each visit of a connection to the domain is a session: there may be hundreds a second.</summary>
    private static readonly TimeSpan SessionLasts = TimeSpan.FromMinutes(1);

    private static readonly ExchangeAnswer s_nothing = new() { Acknowledged = true, Next = ExchangeNext.Dry };
    private static readonly Task<ExchangeAnswer> s_answeredNothing = Task.FromResult(s_nothing);
    private static readonly Task<ExchangeAnswer> s_unanswered = Task.FromResult(new ExchangeAnswer());

    private readonly Dictionary<ulong, Lease> _leases = [];
    private readonly Dictionary<RecipientKey, Lease> _leased = [];
    private readonly Dictionary<ulong, Session> _sessions = [];
    private readonly Dictionary<RecipientKey, int> _lost = [];

    /// <summary>The last leases of former activations that ended here; of its own leases each that is not held any more has.</summary>
    private readonly Queue<ulong> _foreignDoneOrder = [];
    private readonly HashSet<ulong> _foreignDone = [];
    private readonly ulong _firstLease;
    private ulong _nextLease;
    private StoreTime _sessionsCheckedAt;

    /// <summary>Outcomes out, the next batch in. A repeat of (session, number) gets the same answer, also while the first is still being worked on.</summary>
    public Task<ExchangeAnswer> ExchangeAsync(ExchangeRequest request)
    {
        _touchedAt = Now;
        if (_sessions.TryGetValue(request.Session, out var session))
        {
            if (request.Number < session.Number || (request.Number == session.Number && IsStale(request))) return Task.FromResult(Refusal);
            session.UsedAt = Now;
            if (request.Number == session.Number) return session.Answer;
        }
        else if (_sessions.Count >= MaxSessions)
        {
            return Task.FromResult(Refusal);
        }
        else
        {
            _sessions[request.Session] = session = new Session { UsedAt = Now };
        }

        session.Number = request.Number;
        var answer = ExchangeOnceAsync(request, session);
        if (!answer.IsCompletedSuccessfully) session.Answer = answer;
        // A report half taken would hold its lease for ever.
        Run(answer);
        return answer;
    }

    /// <summary>Design rule 18; of a repeat too, or a worker whose clock stood still would take grants that have ended for new ones.</summary>
    private bool IsStale(ExchangeRequest request)
    {
        if (_seams.Clock.IsSettled && (Now - request.SentAt).Duration() <= MaxSkew) return false;
        StaleInstruments.Exchange();
        return true;
    }

    private static ExchangeAnswer Refusal => new() { Next = ExchangeNext.Wait, RetryAfter = TimeSpan.FromSeconds(1) };

    private async Task<ExchangeAnswer> ExchangeOnceAsync(ExchangeRequest request, Session session)
    {
        var answer = await AnswerAsync(request);
        if (session.Number != request.Number) return answer;
        // What changed nothing is not kept: the worker may ask again under the same number.
        if (!answer.Acknowledged) session.Number--;
        // The last of nearly every session: one for all of them, or those of the last minute would hold more memory than the queue.
        session.Answer = ReferenceEquals(answer, s_nothing) ? s_answeredNothing : Task.FromResult(answer);
        return answer;
    }

    private async Task<ExchangeAnswer> AnswerAsync(ExchangeRequest request)
    {
        if (_deposed || IsStale(request)) return Refusal;

        if (request.Outcomes.Length > 0 && !await RecordAsync(request.Worker, request.Outcomes)) return Refusal;
        if (_deposed) return Refusal;
        if (request.Want <= 0 || _stopping) return s_nothing;
        FollowPools();
        // A session is for the mail of its own pool. One that nobody here is in has nothing to do; which that is, is not said before it is known.
        var pool = FindPool(PoolName.PoolOf(request.Site));
        if (_control is { Held: true } || _map is not null && pool is null || (pool?.Site is { } site && site != request.Site)) return s_nothing;
        if (pool is null || !MayGrant) return Wait();
        if (IsSuspended(pool, request.Site))
        {
            SendDemand(Now);
            return s_nothing;
        }

        // What is not fresh is granted under a token confirmed not long ago.
        await ConfirmForGrantAsync();
        FollowPools();

        // The answer has to be on its way while the request is young: the lease counts from when it was sent.
        var now = Now;
        if (!MayGrant || now - request.SentAt > MaxSkew) return Wait();
        // It may have been suspended meanwhile.
        if (IsSuspended(pool, request.Site)) return s_nothing;
        var grants = new List<Grant>();
        while (grants.Count < Math.Min(request.Want, MaxWant) && TryGrant(pool, request, now, out var grant))
        {
            if (grant is not null) grants.Add(grant);
        }

        if (grants.Count == 0 && pool.Ready > 0) return Wait();
        pool.RanDry |= grants.Count == 0;
        SendDemand(now);
        Pump();
        return grants.Count > 0 ? new ExchangeAnswer { Acknowledged = true, Next = ExchangeNext.Send, Grants = [.. grants] } : s_nothing;

        static ExchangeAnswer Wait() => new() { Acknowledged = true, Next = ExchangeNext.Wait, RetryAfter = TimeSpan.FromSeconds(1) };
    }

    /// <summary>Leases the next entry, in one turn with all that justifies it. True with a null grant: an entry left without a lease; go on.</summary>
    private bool TryGrant(QueuePool pool, ExchangeRequest request, StoreTime now, out Grant? grant)
    {
        grant = null;
        var most = Math.Clamp(request.MaxRecipients, 1, 1_000);
        if (!_ready.TryTake(pool, most, out var entry)) return false;
        var fresh = entry.FreshUntil > now;
        if (!fresh && entry.FreshUntil != default)
        {
            SendToIndex(entry, entry.Due);
            return true;
        }

        if (!fresh && !HasToken)
        {
            _ready.Add(entry, first: true);
            return false;
        }

        if (IsBeingDropped(entry))
        {
            entry.State = EntryState.Deciding;
            _withheld.Add(entry);
            return true;
        }

        if (_control!.HeldMessages.Contains(entry.Message))
        {
            SendToIndex(entry, now + TimeSpan.FromMinutes(10));
            return true;
        }

        if (!SplitDone(ref entry)) return true;
        if (_told.Overlaps(entry.Keys))
        {
            _ready.Add(entry, first: true);
            return false;
        }

        var place = entry.Birth;
        if (!fresh)
        {
            // Rule 13: what is in no listing begun after the reading is struck.
            var located = _seams.View.Locate(entry.Keys[0], entry.Birth);
            if (located is null && _seams.View.ListedFrom > entry.TakenUp && !Without(Waived.Struck))
            {
                Remove(entry);
                return true;
            }

            place = located ?? entry.Birth;
        }

        if (entry.Keys.Length > most)
        {
            _ready.Add(Piece(entry, entry.Keys[most..], EntryState.Ready), first: true);
            entry.Keys = entry.Keys[..most];
        }

        entry.State = EntryState.Leased;
        var lease = new Lease
        {
            Id = unchecked(++_nextLease), Worker = request.Worker, Entry = entry, Place = place, Pool = pool, Open = [.. entry.Keys],
            Until = Limit(entry, StoreTime.Min(now, request.SentAt) + LeaseTime),
        };
        Enter(lease);
        foreach (var key in entry.Keys) _leased[key] = lease;
        grant = new Grant { Lease = lease.Id, Place = place, Keys = entry.Keys, Attempt = entry.Attempts + 1, Deadline = lease.Until, Message = entry.Message };
        return true;
    }

    /// <summary>
    /// A fresh entry's lease without a token just confirmed: it may be in the index since 10 s after it came, and who took the token since may grant it 35 s after that (design rules 11 and 16).
    /// </summary>
    private StoreTime Limit(QueueEntry entry, StoreTime until) => entry.FreshUntil == default || HasToken || _seams.Standing.IsSoleProcess ? until : StoreTime.Min(until, entry.FreshUntil + IndexAfter);

    /// <summary>Takes out what the ledger has decided or finished (design rule 13); false = nothing is left to try.</summary>
    private bool SplitDone(ref QueueEntry entry)
    {
        var view = _seams.View;
        var open = 0;
        foreach (var key in entry.Keys)
        {
            if (view.Bits(key) == RecipientBits.None) open++;
        }

        if (open == entry.Keys.Length) return true;
        var finished = entry.Keys.Where(IsFinished).ToArray();
        var decided = entry.Keys.Where(k => view.Bits(k) == RecipientBits.Decided).ToArray();
        var rest = entry.Keys.Where(k => view.Bits(k) == RecipientBits.None).ToArray();
        if (finished.Length > 0) Remove(Piece(entry, finished, EntryState.Leased));
        if (decided.Length > 0) ResumeNotice(Piece(entry, decided, EntryState.Deciding));
        entry.Keys = rest;
        if (rest.Length == 0) entry.State = EntryState.Gone;
        return rest.Length > 0;
    }

    /// <summary>An entry of its own for some recipients of another, which has to let go of them.</summary>
    private QueueEntry Piece(QueueEntry entry, RecipientKey[] keys, EntryState state, StoreTime? due = null, int? attempts = null)
    {
        var piece = entry.With(keys, state, due, attempts);
        Enter(piece);
        return piece;
    }

    private static RenewAnswer RefuseRenewal()
    {
        StaleInstruments.Renewal();
        return new RenewAnswer();
    }

    /// <summary>Renews a worker's leases; also those that a former activation granted (design rule 16).</summary>
    public async ValueTask<RenewAnswer> RenewAsync(RenewRequest request)
    {
        var now = Now;
        _touchedAt = now;
        if (!MayAct || (now - request.SentAt).Duration() > MaxSkew) return RefuseRenewal();
        var tokenNeeded = request.Leases.Any(l => !_leases.TryGetValue(l.Lease, out var lease) ? !IsDone(l.Lease) : lease.Entry is not { } e || e.FreshUntil <= now || Limit(e, now + LeaseTime) < now + LeaseTime);
        if (tokenNeeded) await ConfirmAsync();
        now = Now;
        if (!MayAct || now - request.SentAt > MaxSkew) return RefuseRenewal();
        var until = StoreTime.Min(now, request.SentAt) + LeaseTime;
        var renewed = new List<ulong>();
        foreach (var held in request.Leases)
        {
            if (_leases.TryGetValue(held.Lease, out var lease))
            {
                if (lease.IsLost || lease.Worker != request.Worker || !(lease.Entry is { } e && e.FreshUntil > now || HasToken)) continue;
            }
            else if (!HasToken && !Without(Waived.HolderListens) || IsDone(held.Lease) || !Adopt(request.Worker, held, out lease))
            {
                continue;
            }

            // One answer speaks for all of them: a lease that must end sooner is left as it is.
            if (lease.Entry is { } fresh && Limit(fresh, until) < until) continue;
            lease.Until = StoreTime.Max(lease.Until, until);
            renewed.Add(held.Lease);
        }

        return new RenewAnswer { Renewed = [.. renewed], Until = until };
    }

    /// <summary>Holds for its worker what another activation leased, unless it is finished, decided or leased to another here.</summary>
    private bool Adopt(string worker, HeldLease held, out Lease lease)
    {
        var open = held.Keys.Where(k => !IsFinished(k)).ToHashSet();
        // Whose it is was known to who granted it.
        lease = new Lease { Id = held.Lease, Worker = worker, Entry = null, Place = held.Place, Pool = _default, Open = open };
        if (open.Count == 0 || open.Any(k => _leased.ContainsKey(k) || _seams.View.Bits(k) != RecipientBits.None || _entries.GetValueOrDefault(k)?.State == EntryState.Deciding) || _leases.Count >= Options.Window * 2) return false;
        foreach (var key in open)
        {
            // What was read back or handed over and not leased yet waits in the index for the end of that lease.
            if (_entries.TryGetValue(key, out var entry) && entry.State == EntryState.Ready) SendToIndex(entry, entry.Due);
            _leased[key] = lease;
        }

        Enter(lease);
        return true;
    }

    private void Enter(Lease lease)
    {
        _leases[lease.Id] = lease;
        lease.Pool.Leased++;
    }

    private void EndLeases(StoreTime now)
    {
        if (_leases.Count == 0) return;
        // A worker's clock may be 5 s behind ours when it aborts.
        var slack = _seams.Standing.IsSoleProcess ? TimeSpan.Zero : MaxSkew;
        foreach (var lease in _leases.Values.Where(l => l.Recording == 0 && l.Until + slack <= now).ToList()) Run(LoseAsync(lease));
    }

    private async Task LoseAsync(Lease lease)
    {
        var keys = lease.Open.ToArray();
        LogLeaseLost(_domain, lease.Worker, keys.Length, lease.Place.Pack);
        DomainQueueInstruments.PossibleDuplicates.Inc(keys.Length);
        lease.IsLost = true;
        lease.Recording++;
        try
        {
            await _seams.Ledger.AppendAsync([.. keys.Select(k => LostRecord(k, lease, Now))]);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogLedgerFailed(_domain, e.Message);
        }

        lease.Recording--;
        Close(lease);
        if (lease.Entry is not { } entry) return;
        var piece = Piece(entry, keys, EntryState.Leased);
        var lost = _lost[keys[0]] = _lost.GetValueOrDefault(keys[0]) + 1;
        if (_lost.Count > 10_000) _lost.Clear();
        if (Without(Waived.ConfirmAgain)) _ready.Add(piece);
        else SendToIndex(piece, Floor(Now));
        if (lost < LostLeasesUntilHold || Without(Waived.LostLeases)) return;
        LogWalking(_domain, entry.Message, lost);
        try
        {
            await HoldAsync(entry.Message);
            _lost.Remove(keys[0]);
        }
        catch (Exception e) when (IsTrouble(e) || e is InvalidOperationException)
        {
            // It stays counted: the next lease that it loses asks again.
            LogControlUnreadable(_domain, e.Message);
        }
    }

    /// <summary>A lease that has ended: what is said of it now is stale.</summary>
    private bool IsDone(ulong lease) => unchecked(lease - _firstLease - 1) < unchecked(_nextLease - _firstLease) ? !_leases.ContainsKey(lease) : _foreignDone.Contains(lease);

    private void Close(Lease lease)
    {
        if (_leases.Remove(lease.Id)) lease.Pool.Leased--;
        foreach (var key in lease.Open) _leased.Remove(key);
        if (lease.IsOwn) lease.Entry!.State = EntryState.Gone;
        else
        {
            _foreignEndedAt = Now;
            _nextRead = StoreTime.Min(_nextRead, Now);
        }

        if (lease.IsOwn || !_foreignDone.Add(lease.Id)) return;
        _foreignDoneOrder.Enqueue(lease.Id);
        if (_foreignDoneOrder.Count > MaxForeignDone) _foreignDone.Remove(_foreignDoneOrder.Dequeue());
    }

    private void ForgetSessions(StoreTime now)
    {
        if (now - _sessionsCheckedAt < TimeSpan.FromSeconds(15)) return;
        _sessionsCheckedAt = now;
        foreach (var (id, session) in _sessions)
        {
            if (session.Answer.IsCompleted && now - session.UsedAt > SessionLasts) _sessions.Remove(id);
        }
    }

    private static StoreTime Floor(StoreTime time) => new(time.Milliseconds / 1000 * 1000);

    /// <summary>The last request of an egress session and its answer. In memory: a successor has no lease of it to double.</summary>
    private sealed class Session
    {
        public int Number;
        public StoreTime UsedAt;
        public Task<ExchangeAnswer> Answer = s_unanswered;
    }
}
