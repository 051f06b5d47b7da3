using Angarium.Contracts.Configuration;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Routing;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.Notices;
using Angarium.Grains.Sites;
using Angarium.Grains.Tenants;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>A domain's queue over the real index in memory and doubles of the rest, all of which answer at once: after each call everything has happened.</summary>
internal sealed class QueueUnderTest : ILedger, IRecordView, INoticeWriter, IControlDocuments, IRouteResolver, ISiteCalls, IStanding
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Dictionary<RecipientKey, RecipientBits> bits = [];
    private readonly List<RecipientKey> elsewhere = [];
    private ulong drawn;
    private uint packs;
    private int number;

    public QueueUnderTest(GrainsOptions? options = null, bool isSole = true)
    {
        IsSoleProcess = isSole;
        Clock = new PlainClock(Time);
        Index = new MemoryQueueIndex(() => MaxRecipients, () => ++drawn);
        Way = new AwayIndex(Index);
        Queue = new DomainQueue("one.test", new DomainQueueSeams
        {
            Clock = Clock, Standing = this, Ledger = this, Index = Way, View = this, Notices = this, Control = this, Routes = this, Sites = this,
            Settings = new FixedSettings<GrainsOptions>(options ?? new GrainsOptions { RetryJitter = 0 }), Draw = () => ++drawn, Log = NullLogger.Instance, IsFull = () => IsFull,
            Pools = () => Pools, Suspensions = () => Suspensions,
        });
        Queue.Tick();
    }

    public FakeTimeProvider Time { get; } = new(Start);

    public PlainClock Clock { get; }

    public MemoryQueueIndex Index { get; }

    /// <summary>The way to the index, which may be cut.</summary>
    public AwayIndex Way { get; }

    public DomainQueue Queue { get; }

    public long ControlVersion { get; set; }

    /// <summary>Which tenants are in which pool; null = not known.</summary>
    public PoolMap? Pools { get; set; } = PoolMap.Empty;

    /// <summary>What operators suspended, but for tenants: those are in <see cref="PoolMap.Parked"/>.</summary>
    public SuspensionMap Suspensions { get; set; } = SuspensionMap.Empty;

    /// <summary>Whose permit the sessions hold that exchange from now on.</summary>
    public string Site { get; set; } = "site";

    public long Version(string domain) => ControlVersion;

    /// <summary>Why the holds cannot be loaded.</summary>
    public Exception? LoadTrouble { get; set; }

    /// <summary>Another activation takes the domain.</summary>
    public async Task TakeOver() => await Index.TakeAsync("one.test", 999, CancellationToken.None);

    public long MaxRecipients { get; set; } = 1_000_000;

    /// <summary>All domains of the silo together hold as much as they may.</summary>
    public bool IsFull { get; set; }

    public List<LedgerRecord> Records { get; } = [];

    public List<(NoticeKind Kind, RecipientKey[] Keys)> Notices { get; } = [];

    /// <summary>From where the last notice was written.</summary>
    public EntryPlace NoticePlace { get; private set; }

    /// <summary>Messages of which the site was told, in order.</summary>
    public List<long> Demands { get; } = [];

    /// <summary>Of the site that each of them went to.</summary>
    public List<string> DemandedOf { get; } = [];

    public DomainControl Document { get; set; } = DomainControl.None;

    public Exception? LedgerTrouble { get; set; }

    public Exception? ControlTrouble { get; set; }

    public bool IsHealthy { get; set; } = true;

    public bool IsConfirmed { get; set; } = true;

    /// <summary>Its row says that the silo stops.</summary>
    public bool IsStopping { get; set; }

    public bool IsMember => IsConfirmed || IsStopping;

    /// <summary>Until it ends, no append does.</summary>
    public Task LedgerPause { get; set; } = Task.CompletedTask;

    public Exception? NoticeTrouble { get; set; }

    public bool IsSoleProcess { get; }

    public IReadOnlyList<LedgerPosition> Positions => [];

    public StoreTime ListedFrom { get; set; }

    /// <summary>Where the view finds what was born at a place.</summary>
    public Func<EntryPlace, EntryPlace?> Where { get; set; } = birth => birth;

    /// <summary>Another silo finishes it: in this view from the next refresh on.</summary>
    public void FinishElsewhere(RecipientKey key) => elsewhere.Add(key);

    /// <summary>Offers messages of one recipient each, in a pack of their own.</summary>
    public RecipientKey[] Offer(int messages, string tenant = "t", MessageClass of = MessageClass.Transactional, int recipients = 1, StoreTime notBefore = default)
    {
        var pack = ++packs;
        var keys = Enumerable.Range(0, messages * recipients).Select(i => new RecipientKey(7, pack, (ushort)i)).ToArray();
        var answer = Queue.Offer(new Offer
        {
            SentAt = Clock.Now, CommitBegan = Clock.Now, Pack = new PackName(PackKind.Birth, 7, pack),
            Entries = [.. keys.Chunk(recipients).Select((k, i) => new OfferedEntry { Offset = (uint)(i * 100 + 16), Length = 100, Tenant = tenant, Class = of, Keys = k, Born = Clock.Now, NotBefore = notBefore, Message = k[0] })],
        });
        if (answer is not { Refused: 0, Late: false }) throw new InvalidOperationException($"{answer.Refused} refused, late: {answer.Late}");
        return keys;
    }

    public async Task<ExchangeAnswer> Exchange(int want, int most = 100, ulong session = 1, string worker = "w", params AttemptOutcome[] outcomes)
    {
        var answer = await Queue.ExchangeAsync(new ExchangeRequest
        {
            Session = session, Number = ++number, SentAt = Clock.Now, Worker = worker, Site = Site, Want = want, MaxRecipients = most, Outcomes = outcomes,
        });
        Queue.Tick();
        return answer;
    }

    public static AttemptOutcome Outcome(Grant grant, OutcomeKind kind, params RecipientKey[] keys) => new()
    {
        Lease = grant.Lease, Keys = keys.Length > 0 ? keys : grant.Keys, Kind = kind, Place = grant.Place, Remote = "192.0.2.1",
        Reply = kind switch
        {
            OutcomeKind.Delivered => new Reply(250, new EnhancedStatus(2, 0, 0), "Ok"),
            OutcomeKind.Failed => new Reply(550, new EnhancedStatus(5, 1, 1), "No such user"),
            _ => new Reply(451, new EnhancedStatus(4, 3, 0), "Later"),
        },
    };

    /// <summary>Time goes on in steps of a second, with the queue's ticks; what is leased meanwhile is renewed if asked.</summary>
    public async Task After(TimeSpan span, params Grant[] renewed)
    {
        for (var end = Clock.Now + span; Clock.Now < end;)
        {
            Time.Advance(StoreTime.Min(Clock.Now + TimeSpan.FromSeconds(1), end) - Clock.Now);
            if (renewed.Length > 0)
                await Queue.RenewAsync(new RenewRequest { Worker = "w", SentAt = Clock.Now, Leases = [.. renewed.Select(g => new HeldLease { Lease = g.Lease, Place = g.Place, Keys = g.Keys })] });
            Queue.Tick();
        }
    }

    public async Task AppendAsync(IReadOnlyList<LedgerRecord> records, TimeSpan? beginBy = null)
    {
        await LedgerPause;
        if (LedgerTrouble is { } trouble) throw trouble;
        foreach (var record in records)
        {
            Records.Add(record);
            bits[record.Key] = bits.GetValueOrDefault(record.Key) | record.Kind switch
            {
                LedgerKind.Delivered or LedgerKind.Finished or LedgerKind.Dropped => RecipientBits.Finished,
                LedgerKind.Failed or LedgerKind.Expired or LedgerKind.Relayed => RecipientBits.Decided,
                _ => RecipientBits.None,
            };
        }
    }

    public RecipientBits Bits(RecipientKey key) => bits.GetValueOrDefault(key);

    public Task RefreshAsync(CancellationToken cancellationToken)
    {
        foreach (var key in elsewhere) bits[key] = RecipientBits.Finished;
        elsewhere.Clear();
        return Task.CompletedTask;
    }

    public EntryPlace? Locate(RecipientKey key, EntryPlace birth) => Where(birth);

    public StoreTime? Born(RecipientKey key) => StoreTime.FromDateTimeOffset(Start);

    public LedgerRecord? Decision(RecipientKey key) => Records.FindLast(r => r.Key == key && r.Decides);

    public bool IsFullOfDecisions { get; set; }

    public Task<bool> WriteAsync(NoticeKind kind, EntryPlace place, IReadOnlyList<LedgerRecord> outcomes, CancellationToken cancellationToken)
    {
        if (NoticeTrouble is { } trouble) return Task.FromException<bool>(trouble);
        Notices.Add((kind, [.. outcomes.Select(o => o.Key)]));
        NoticePlace = place;
        return Task.FromResult(true);
    }

    public Task<DomainControl> LoadAsync(string domain, CancellationToken cancellationToken) =>
        LoadTrouble is { } trouble ? Task.FromException<DomainControl>(trouble) : Task.FromResult(Document);

    public Task<DomainControl> ChangeAsync(string domain, Func<DomainControl, DomainControl> change, CancellationToken cancellationToken) =>
        ControlTrouble is { } trouble ? Task.FromException<DomainControl>(trouble) : Task.FromResult(Document = change(Document));

    public ValueTask<SiteRoute> ResolveSiteAsync(string domain, CancellationToken cancellationToken) => new(new SiteRoute(Resolved, true, 20, TimeSpan.FromHours(1)));

    /// <summary>The site that the domain's mail goes to.</summary>
    public string Resolved { get; set; } = "site";

    /// <summary>A tenant may say where that is.</summary>
    public bool IsNamed { get; set; }

    public bool MayBeNamed(string domain) => IsNamed;

    public ValueTask<SiteState> DemandAsync(string site, SiteDemand demand)
    {
        Demands.Add(demand.Lanes.Sum(l => (long)l.Messages));
        DemandedOf.Add(site);
        return new(State);
    }

    public SiteState State { get; set; } = new();

    /// <summary>The queue is told that a connection of the site has failed.</summary>
    public void SiteFails(StoreTime? at = null)
    {
        State = new SiteState { LastFailure = at ?? Clock.Now, Trouble = new Reply(451, new EnhancedStatus(4, 4, 1), "no connection"), Own = true };
        Queue.SiteChanged("site", State);
    }

    public List<string> RetriedSites { get; } = [];

    public int SiteRetries => RetriedSites.Count;

    public ValueTask<SiteState> RetryAsync(string site)
    {
        RetriedSites.Add(site);
        return new(State = State with { SuspendedUntil = Clock.Now });
    }
}
