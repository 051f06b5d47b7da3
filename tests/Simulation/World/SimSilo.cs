using Angarium.Contracts.Configuration;
using Angarium.Contracts.Routing;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Membership;
using Angarium.Grains.Notices;
using Angarium.Grains.Sites;
using Angarium.Grains.Sweep;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Simulation.World;

/// <summary>One grain host: real queues, view and sweep over doubles. Its death loses everything in it.</summary>
internal sealed class SimSilo : IStanding, ISiteCalls, INoticeWriter, IControlDocuments, IRouteResolver, ISweepOffers, ISilos
{
    private readonly SimWorld _world;
    private readonly DomainQueueSeams _seams;

    public SimSilo(SimWorld world, ulong id)
    {
        _world = world;
        Id = id;
        // Rule 18 allows 5 s between any two.
        Clock = new SimClock(world.Loop) { Offset = TimeSpan.FromMilliseconds(world.Loop.Random.Next(-2_000, 2_001)) };
        View = new RecordView(world.LedgerStore, world.Documents, Clock, new NotAlone(), this, world.LedgerStore.Decode, () => id, new SimTime(world.Loop), NullLogger<RecordView>.Instance);
        world.Documents.Register(id);
        Ledger = new SimLedger(world, this);
        var index = new SimIndex(world.Loop, world.IndexServer, () => Alive, () => world.Trouble, world.Breaks);
        _seams = new DomainQueueSeams
        {
            Clock = Clock, Standing = this, Ledger = Ledger, Index = index, View = world.Breaks.HasFlag(Breaks.Refresh) ? new StaleView(View) : View, Notices = this, Control = this,
            Routes = this, Sites = this, Settings = new FixedSettings<GrainsOptions>(world.Options), Draw = () => (ulong)world.Loop.Random.NextInt64(), Log = NullLogger.Instance,
        };
        Sweep = new PackSweep(world.Packs, world.Packs, index, View, Clock, new NotAlone(), this, this, _ => false, NullLogger<PackSweep>.Instance);
        world.Loop.Start(() => View.OpenAsync(default));
        world.Loop.Start(SweepAsync);
        world.Loop.Start(async () =>
        {
            while (Alive)
            {
                foreach (var domain in world.Domains)
                {
                    var until = Clock.Now + TimeSpan.FromSeconds(40);
                    foreach (var wake in await index.WakesAsync(Grains.Index.IndexPartition.Of(domain), until, 10, default))
                    {
                        if (Alive) world.Send(() => world.Owner(wake.Domain).Queue(wake.Domain)?.Wake());
                    }
                }

                await world.Loop.Delay(3_000);
            }
        });
    }

    public ulong Id { get; }

    public SimClock Clock { get; }

    public RecordView View { get; }

    public SimLedger Ledger { get; }

    public PackSweep Sweep { get; }

    public Dictionary<string, DomainQueue> Queues { get; } = [];

    public bool Alive { get; private set; } = true;

    /// <summary>When its membership row was last read alive; null = just now, always.</summary>
    public StoreTime? CutAt { get; set; }

    /// <summary>Workers that were cut off together with it: they reach this silo alone while it lives.</summary>
    public HashSet<SimWorker> CutWith { get; } = [];

    public bool IsConfirmed => _world.Breaks.HasFlag(Breaks.Confirm) || CutAt is not { } cut || _world.Loop.Now - cut < TimeSpan.FromSeconds(10);

    public bool IsSoleProcess => _world.Breaks.HasFlag(Breaks.Wait);

    public string Own => Id.ToString(System.Globalization.CultureInfo.InvariantCulture);

    // Who is dead is sealed by the world.
    public bool? IsAlive(string silo) => true;

    public bool IsMine(ulong item) => true;

    public void Crash() => Alive = false;

    /// <summary>The domain's activation here, made if need be; null = the silo is gone.</summary>
    public DomainQueue? Queue(string domain)
    {
        if (!Alive) return null;
        if (Queues.TryGetValue(domain, out var queue) && !queue.IsDeposed) return queue;
        queue = Queues[domain] = new DomainQueue(domain, _seams);
        _world.Loop.Start(() => DriveAsync(queue));
        return queue;
    }

    private async Task DriveAsync(DomainQueue queue)
    {
        while (Alive && !queue.IsDeposed)
        {
            queue.Tick();
            var wait = (queue.NextTick - Clock.Now).TotalMilliseconds;
            await _world.Loop.Delay((long)Math.Clamp(wait, 20, 1_000));
        }
    }

    private async Task SweepAsync()
    {
        await _world.Loop.Delay(0, 10_000);
        while (Alive)
        {
            var work = await Sweep.PassAsync(default);
            await _world.Loop.Delay(work ? 10_000 : 30_000);
        }
    }

    public async Task<bool> OfferAsync(string domain, SweptOffer offer)
    {
        if (!Alive) await SimLoop.Never;
        return await _world.Call(() => _world.Owner(domain), domain, q => q.OfferSweptAsync(offer));
    }

    public async ValueTask<SiteState> DemandAsync(string site, SiteDemand demand)
    {
        await _world.Loop.Delay(1, 10);
        return new SiteState();
    }

    public ValueTask<SiteState> RetryAsync(string site) => throw new NotSupportedException();

    public ValueTask<SiteRoute> ResolveSiteAsync(string domain, CancellationToken cancellationToken) => new(new SiteRoute("site", true, 20, TimeSpan.FromHours(1)));

    public async Task<DomainControl> LoadAsync(string domain, CancellationToken cancellationToken)
    {
        await _world.Loop.Delay(1, 20);
        if (!Alive) await SimLoop.Never;
        return _world.Control.GetValueOrDefault(domain, DomainControl.None);
    }

    public async Task<DomainControl> ChangeAsync(string domain, Func<DomainControl, DomainControl> change, CancellationToken cancellationToken)
    {
        await _world.Loop.Delay(1, 20);
        if (!Alive) await SimLoop.Never;
        return _world.Control[domain] = change(_world.Control.GetValueOrDefault(domain, DomainControl.None));
    }

    public async Task<bool> WriteAsync(NoticeKind kind, EntryPlace place, IReadOnlyList<LedgerRecord> outcomes, CancellationToken cancellationToken)
    {
        await _world.Loop.Delay(1, 2_000);
        if (!Alive) await SimLoop.Never;
        if (_world.Loop.Random.NextDouble() < _world.Trouble) throw new IOException("notice: not written");
        foreach (var outcome in outcomes) _world.Told(outcome.Key, kind);
        await _world.Loop.Delay(1, 500);
        if (!Alive) await SimLoop.Never;
        return true;
    }

    private sealed class NotAlone : IStanding
    {
        public bool IsConfirmed => true;

        public bool IsSoleProcess => false;
    }

    /// <summary>A view that says what it knows without looking.</summary>
    private sealed class StaleView(IRecordView view) : IRecordView
    {
        public IReadOnlyList<LedgerPosition> Positions => view.Positions;

        public StoreTime ListedFrom => view.ListedFrom;

        public RecipientBits Bits(RecipientKey key) => view.Bits(key);

        public Task RefreshAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public EntryPlace? Locate(RecipientKey key, EntryPlace birth) => view.Locate(key, birth);

        public StoreTime? Born(RecipientKey key) => view.Born(key);

        public LedgerRecord? Decision(RecipientKey key) => view.Decision(key);
    }
}

/// <summary>A silo's group commit: takes time, fails before or after the write, ends when its stream was sealed.</summary>
internal sealed class SimLedger(SimWorld world, SimSilo silo) : ILedger
{
    private bool _over;

    public bool IsHealthy => !_over;

    public async Task AppendAsync(IReadOnlyList<LedgerRecord> records, TimeSpan? beginBy = null)
    {
        if (world.Breaks.HasFlag(Breaks.AppendFirst))
        {
            silo.View.OnDurable(new LedgerStream(silo.Id, 1), 0, records);
            world.Loop.At(world.Loop.Random.Next(1, 3_000), () => _ = silo.Alive && world.LedgerStore.Write(silo.Id, records));
            return;
        }

        var slow = world.Loop.Random.NextDouble() < world.Trouble * 2;
        var wait = slow ? world.Loop.Random.Next(0, 15_000) : world.Loop.Random.Next(1, 20);
        await world.Loop.Delay(wait);
        if (!silo.Alive) await SimLoop.Never;
        if (beginBy is { } by && wait > by.TotalMilliseconds) throw new TimeoutException("ledger: not begun in time");
        if (world.Loop.Random.NextDouble() < world.Trouble) throw new IOException("ledger: not written");
        var write = world.Breaks.HasFlag(Breaks.DecidedFirst) ? [.. records.Where(r => !r.Decides)] : records;
        if (_over || !world.LedgerStore.Write(silo.Id, write))
        {
            _over = true;
            throw new IOException("ledger: sealed");
        }

        silo.View.OnDurable(new LedgerStream(silo.Id, 1), 0, records);
        await world.Loop.Delay(1, 10);
        if (!silo.Alive) await SimLoop.Never;
        if (world.Loop.Random.NextDouble() < world.Trouble) throw new IOException("ledger: written, but the reply was lost");
    }
}
