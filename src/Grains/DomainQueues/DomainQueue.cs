using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Grains.Control;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Mail.Retry;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// The queue of one recipient domain: who may be tried now, by whom, and what became of it (design rules 6 to 20). One activation's memory, one logical
/// thread: every await is one of an injected seam, and all state is consistent at each. Nothing here survives a crash: packs and ledger hold the truth.
/// <para>
/// An entry is leased from memory once, while it is fresh. Every later lease goes through the index: the entry is written there with its due time, leaves
/// memory, and is read back under the owner token, with a view refreshed after the reading. So there is one path on which rules 13 to 16 have to hold.
/// </para>
/// </summary>
internal sealed partial class DomainQueue
{
    public static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(20);

    /// <summary>Confirmation, lease and skew of the predecessor: 10 + 20 + 5 s.</summary>
    public static readonly TimeSpan TokenWait = TimeSpan.FromSeconds(35);

    private static readonly TimeSpan MaxSkew = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan IndexAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HandOverLimit = TimeSpan.FromSeconds(20);

    /// <summary>From a message's acceptance to the request that committed it: two commits of 20 s may lie between.</summary>
    private static readonly TimeSpan LongestCommit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ConfirmedFor = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DecideBy = TimeSpan.FromSeconds(10);
    /// <summary>Tenants that can have that at a time: what a window can grow by is bounded.</summary>
    private const int MaxShares = 1_000;

    private static readonly TimeSpan IdleFor = TimeSpan.FromSeconds(30);
    internal static readonly StoreTime Never = new(long.MaxValue);

    private readonly string _domain;
    private readonly DomainQueueSeams _seams;
    private readonly ILogger _log;
    private readonly Dictionary<RecipientKey, QueueEntry> _entries = [];
    private readonly QueuePool _default = new(PoolName.Default);
    private readonly List<QueuePool> _pools;
    private readonly ReadyLanes _ready;

    /// <summary>Which tenant is in which pool, as this queue goes by it; null = not known yet: nothing is granted.</summary>
    private PoolMap? _map;

    /// <summary>Fresh recipients by when they have to be in the index, and by when they are fresh no more. By key: entries are split.</summary>
    private readonly Queue<(RecipientKey[] Keys, StoreTime At)> _unwritten = [];
    private readonly Queue<(RecipientKey[] Keys, StoreTime At)> _aging = [];
    private DomainControl? _control;
    private bool _loadingControl;
    private long _controlVersion;
    private TimeSpan _controlPause = TimeSpan.FromSeconds(1);

    /// <summary>Loaded before the token was written: another activation may have been given an order since.</summary>
    private bool _isControlOld;
    private StoreTime _controlRetryAt;
    private StoreTime _touchedAt;
    private bool _deposed;
    private bool _stopping;

    /// <summary>Orders to drop all there is that are being carried out.</summary>
    private int _drops;

    /// <summary>What else is being dropped, by order; and what of it came to be leased meanwhile.</summary>
    private readonly List<QueueSelection> _dropping = [];
    private readonly List<QueueEntry> _withheld = [];

    public DomainQueue(string domain, DomainQueueSeams seams)
    {
        _domain = domain;
        _seams = seams;
        _log = seams.Log;
        _pools = [_default];
        _ready = new ReadyLanes(_pools, PoolOf);
        _map = seams.Pools();
        _firstLease = _nextLease = seams.Draw();
        _touchedAt = Now;
    }

    /// <summary>Called when work that nobody awaited has ended: <see cref="NextTick"/> may be sooner than it was.</summary>
    public Action? Changed { get; set; }

    /// <summary>Another activation holds the domain, or an invariant broke: nothing is granted or acknowledged any more; the grain ends.</summary>
    public bool IsDeposed => _deposed;

    /// <summary>Nothing is in memory or on its way, nobody called for a while, and nothing in the index is due soon: the activation may end.</summary>
    public bool IsIdle => _entries.Count == 0 && _leases.Count == 0 && _ops.Count == 0 && !_pumping && _notices == 0 &&
        Now - _touchedAt > IdleFor && (Unread == Never || Unread - Now > TokenWait + TimeSpan.FromSeconds(10));

    private StoreTime Now => _seams.Clock.Now;

    private GrainsOptions Options => _seams.Settings.Current;

    private RetrySchedule Retry => Options.Retry;

    /// <summary>Whether anything may be granted or renewed (rules 9, 14, 18, 20); what is not fresh needs the token besides.</summary>
    private bool MayAct => !_deposed && !_stopping && _seams.Clock.IsSettled && _seams.Standing.IsConfirmed;

    private bool MayGrant => MayAct && _drops == 0 && _map is not null && _seams.Ledger.IsHealthy && _control is { Held: false } && _controlVersion == _seams.Control.Version(_domain) && _ops.Count < MaxWrites;

    /// <summary>When the index is to be read back from, by a clock that is settled.</summary>
    private StoreTime ReadDue => StoreTime.Max(StoreTime.Max(ReadWanted, _indexRetryAt), _owner is null ? default : _readFrom);

    /// <summary>When <see cref="Tick"/> has something to do next.</summary>
    public StoreTime NextTick
    {
        get
        {
            if (_deposed) return Never;
            var next = Now + TimeSpan.FromSeconds(30);
            if (_leases.Count > 0) next = StoreTime.Min(next, Now + TimeSpan.FromSeconds(1));
            if (_unwritten.TryPeek(out var u)) next = StoreTime.Min(next, u.At);
            if (_aging.TryPeek(out var a)) next = StoreTime.Min(next, a.At);
            if (!_pumping && _ops.Count > 0) next = StoreTime.Min(next, _indexRetryAt);
            if (!_pumping && _control is { Held: false })
                next = StoreTime.Min(next, _seams.Clock.IsSettled ? ReadDue : Now + TimeSpan.FromSeconds(1));
            if (WantsControl) next = StoreTime.Min(next, _controlRetryAt);
            if (_map is null) next = StoreTime.Min(next, Now + TimeSpan.FromSeconds(1));
            foreach (var pool in _pools)
            {
                if (!pool.IsTelling && pool.DemandDue < next) next = pool.DemandDue;
            }

            // Not sooner than 20 ms from now: what cannot proceed is not asked again and again.
            return StoreTime.Max(next, Now + TimeSpan.FromMilliseconds(20));
        }
    }

    /// <summary>Recipients that are in memory and not in the index.</summary>
    public int CountUnindexed()
    {
        var count = 0;
        foreach (var entry in _entries.Values) count += entry.InIndex && entry.State != EntryState.Leaving ? 0 : 1;
        return count;
    }

    /// <summary>Does what has become due. Cheap when nothing has.</summary>
    public void Tick()
    {
        if (_deposed) return;
        var now = Now;
        FollowPools();
        if (WantsControl && now >= _controlRetryAt) Run(LoadControlAsync());
        EndLeases(now);
        while (_unwritten.TryPeek(out var u) && u.At <= now)
        {
            _unwritten.Dequeue();
            foreach (var key in u.Keys)
            {
                if (_entries.TryGetValue(key, out var entry) && !entry.InIndex && _ops.Count < MaxWritesOfOffers && !_seams.IsFull()) WriteToIndex(entry);
            }
        }

        while (_aging.TryPeek(out var a) && a.At <= now)
        {
            _aging.Dequeue();
            foreach (var key in a.Keys)
            {
                if (!_entries.TryGetValue(key, out var entry) || entry is not { State: EntryState.Ready, FreshUntil.Milliseconds: > 0 }) continue;
                // While the index is away for long, memory is the window and no more: what is in the index, or on its way there, is read back, and the sweep offers what was never tried.
                if (_ops.Count < MaxWritesOfOffers && !_seams.IsFull())
                {
                    SendToIndex(entry, entry.Due);
                    continue;
                }

                if (entry.InIndex) _nextRead = StoreTime.Min(_nextRead, IndexScore.Round(entry.Due));
                LetGo(entry);
            }
        }

        if (_expiryDue || Without(Waived.ExpiryNeedsFailure)) ExpireReady(now);
        ForgetSessions(now);
        SendDemand(now);
        Pump();
    }

    /// <summary>The index has something due for this domain, or will have soon: takes the token, so that the wait passes before it is due.</summary>
    public void Wake()
    {
        _touchedAt = Now;
        _nextRead = StoreTime.Min(_nextRead, Now);
        Tick();
    }

    /// <summary>
    /// Grants nothing more, writes to the index what is only in memory, and takes its token away. What cannot be written is left to the sweep; what is leased is told by its worker to the
    /// successor.
    /// </summary>
    public async Task StopAsync()
    {
        _stopping = true;
        // Without its row it might take the token from a successor; what is written under a token that it holds is written as the owner, or not at all.
        if (_deposed || _owner is null && !_seams.Standing.IsMember) return;
        foreach (var entry in _entries.Values.Distinct().Where(e => !e.InIndex).ToList()) WriteToIndex(entry);
        _indexRetryAt = default;
        Pump();
        await _pump;
        // Changes that came while the last batch was on its way.
        if (!_pumping && _ops.Count > 0) Pump();
        await _pump;
        if (_ops.Count == 0) await LeaveAsync();
    }

    /// <summary>Takes a hand-over: synchronous, no awaits (design rule 11).</summary>
    public OfferAnswer Offer(Offer offer)
    {
        var now = Now;
        _touchedAt = now;
        if (_deposed || _stopping || (now - offer.SentAt).Duration() > MaxSkew || now - offer.CommitBegan > HandOverLimit || !IsPlausible(offer, now))
        {
            StaleInstruments.Offer();
            return new OfferAnswer(0, Late: true);
        }

        FollowPools();
        var refused = 0;
        var isFull = _seams.IsFull();
        foreach (var offered in offer.Entries)
        {
            if (offered.Keys.Any(_entries.ContainsKey)) continue;
            if (isFull)
            {
                refused += offered.Keys.Length;
                continue;
            }

            var entry = new QueueEntry
            {
                Lane = new Lane(offered.Tenant, offered.Class), Birth = new EntryPlace(offer.Pack, offered.Offset, offered.Length), Message = offered.Message,
                Keys = offered.Keys, Born = offered.Born, Due = StoreTime.Max(offered.Born, offered.NotBefore), FreshUntil = offer.CommitBegan + (Without(Waived.Fresh) ? 20 * FreshFor : FreshFor), TakenUp = now,
            };
            if (offered.NotBefore > now || !HasRoom(entry.Lane))
            {
                if (_ops.Count + entry.Keys.Length > MaxWritesOfOffers)
                {
                    refused += entry.Keys.Length;
                    continue;
                }

                Enter(entry);
                entry.State = EntryState.Leaving;
                WriteToIndex(entry);
                continue;
            }

            Enter(entry);
            _ready.Add(entry);
            if (!Without(Waived.IndexAfter)) _unwritten.Enqueue((entry.Keys, now + IndexAfter));
            _aging.Enqueue((entry.Keys, entry.FreshUntil));
        }

        Tick();
        return new OfferAnswer(refused, Late: false);
    }

    /// <summary>
    /// Whoever may offer may not thereby speak of mail that is not in the pack, make it older or fresher than it is, or take it for a copy: what does not fit is left to the sweep, which believes the
    /// spool alone.
    /// </summary>
    private static bool IsPlausible(Offer offer, StoreTime now) =>
        offer.Pack.Kind == PackKind.Birth && offer.CommitBegan <= now + MaxSkew && Array.TrueForAll(offer.Entries, e =>
            e.Keys.Length > 0 && e.Message.PackId == offer.Pack.Id && Array.TrueForAll(e.Keys, k => k.PackId == offer.Pack.Id)
            && (e.Born == default || e.Born <= now + MaxSkew && e.Born >= offer.CommitBegan - LongestCommit));

    /// <summary>The pools that have something here share the window evenly: what one does not send, for nobody serves it or its site rests, takes no room from the others.</summary>
    private int ShareOf(QueuePool pool)
    {
        var sharing = 1;
        foreach (var other in _pools) if (other != pool && other.IsBusy) sharing++;
        return Options.Window / sharing;
    }

    private int RoomIn(QueuePool pool) => ShareOf(pool) - pool.Ready - pool.Leased;

    /// <summary>Entries of a lane that have room in a full window: two rounds' worth.</summary>
    private int LaneShare => Math.Min(20, Options.Window / 4);

    /// <summary>Rule 22: a full window keeps out who filled it. A lane with little in memory has room all the same, so that its mail takes part in the next round.</summary>
    private bool HasRoom(Lane lane) => RoomIn(PoolOf(lane.Tenant)) > 0 || _ready.CountOf(lane) < LaneShare && _ready.Tenants < MaxShares;

    private QueuePool PoolOf(string tenant)
    {
        if (_map is not { IsEmpty: false } map) return _default;
        var name = map.PoolOf(tenant);
        if (FindPool(name) is { } known) return known;
        var pool = new QueuePool(name);
        _pools.Add(pool);
        return pool;
    }

    /// <summary>The order of an operator that keeps this pool's mail from being sent (rule 20): its tenants are suspended, or its site is.</summary>
    private bool IsSuspended(QueuePool pool, string? site = null) =>
        pool.Name == PoolMap.Parked || (site ?? pool.Site) is { } known && _seams.Suspensions()?.OfSite(known, Now) is not null;

    /// <summary>As <see cref="IsSuspended"/>; notes until when it was.</summary>
    private bool IsResting(QueuePool pool, StoreTime now)
    {
        var rested = pool.Rests;
        pool.Rests = IsSuspended(pool);
        if (rested && !pool.Rests) pool.RestedUntil = now;
        return pool.Rests;
    }

    private QueuePool? FindPool(string name)
    {
        foreach (var pool in _pools) if (pool.Name == name) return pool;
        return null;
    }

    /// <summary>Tenants are in other pools than before: what is ready of them is granted to sessions of those from now on, and what is in the index is read back for them.</summary>
    private void FollowPools()
    {
        var map = _seams.Pools();
        if (ReferenceEquals(map, _map)) return;
        _map = map;
        _ready.Follow(Now);
        foreach (var pool in _pools)
        {
            _nextRead = StoreTime.Min(_nextRead, pool.Unread);
            pool.Unread = Never;
        }

        SendDemand(Now);
    }

    private void Enter(QueueEntry entry)
    {
        foreach (var key in entry.Keys) _entries[key] = entry;
    }

    /// <summary>The recipients are finished or struck: out of memory, and out of the index when they may be there.</summary>
    private void Remove(QueueEntry entry)
    {
        _ready.Leave(entry, EntryState.Gone);
        entry.State = EntryState.Gone;
        foreach (var key in entry.Keys)
        {
            if (_entries.TryGetValue(key, out var known) && ReferenceEquals(known, entry)) _entries.Remove(key);
            if (entry.InIndex) _ops.Enqueue(new IndexOp(entry.Row(key), Remove: true, null));
        }

        Pump();
    }

    /// <summary>Not loaded yet, or changed by somebody since (design rule 20): nothing is granted until it is.</summary>
    private bool WantsControl => !_loadingControl && (_control is null || _isControlOld || _controlVersion != _seams.Control.Version(_domain));

    private async Task LoadControlAsync()
    {
        _loadingControl = true;
        try
        {
            _isControlOld = false;
            var version = _seams.Control.Version(_domain);
            _control = await _seams.Control.LoadAsync(_domain, CancellationToken.None);
            _controlVersion = version;
            _controlPause = TimeSpan.FromSeconds(1);
            Tick();
        }
        catch (Exception e) when (IsTrouble(e))
        {
            _isControlOld = true;
            _controlRetryAt = Now + _controlPause;
            if (_controlPause < TimeSpan.FromSeconds(30)) _controlPause *= 2;
            LogControlUnreadable(_domain, e.Message);
        }
        finally
        {
            _loadingControl = false;
        }
    }

    /// <summary>Out of memory, and nowhere else: what was not finished is in index or spool and comes again.</summary>
    private void LetGo(QueueEntry entry)
    {
        _ready.Leave(entry, EntryState.Gone);
        entry.State = EntryState.Gone;
        foreach (var key in entry.Keys)
        {
            if (_entries.TryGetValue(key, out var known) && ReferenceEquals(known, entry)) _entries.Remove(key);
        }
    }

    /// <summary>What seams throw when something outside is away, slow or unreadable: it is tried again and breaks no invariant.</summary>
    private static bool IsTrouble(Exception e) => e is IOException or TimeoutException or InvalidDataException or OperationCanceledException or OrleansException;

    private void Depose(string why)
    {
        if (_deposed) return;
        _deposed = true;
        LogDeposed(_domain, why);
    }

    private void DeposeByToken()
    {
        StaleInstruments.Write();
        Depose("the owner token is another's");
    }

    /// <summary>Watches work that nobody awaits. What it does not expect breaks an invariant: this activation ends, and the sweep brings its mail to the next.</summary>
    private async void Run(Task work)
    {
        if (work.IsCompletedSuccessfully) return;
        try
        {
            await work;
        }
        catch (Exception e)
        {
            LogBroken(_domain, e);
            Depose("an unexpected error");
        }

        Changed?.Invoke();
    }

    private bool Without(Waived clause) => (_seams.Without & clause) != 0;

    private bool IsFinished(RecipientKey key) => (_seams.View.Bits(key) & RecipientBits.Finished) != 0;
}
