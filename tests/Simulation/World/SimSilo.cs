using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Intake;
using Angarium.Egress.Routing;
using Angarium.Grains.Cleaner;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Grains.Notices;
using Angarium.Grains.Sites;
using Angarium.Grains.Sweep;
using Angarium.Grains.Tenants;
using Angarium.Grains.View;
using Angarium.Grains.Waker;
using Angarium.Ingress.HandOver;
using Angarium.Mail;
using Angarium.Simulation.Cluster;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.Stores;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Simulation.World;

/// <summary>One silo: the real grains, view, sweep, cleaner, waker, ledger and notices over the stores' doubles. All of it is lost with its process.</summary>
internal sealed class SimSilo : IStanding, ISilos, ISiteCalls, ISweepOffers, IWakeCalls
{
    private readonly SimWorld _world;
    private readonly Dictionary<(GrainKind, string), Activation> _activations = [];
    private readonly SimGrains _grains;
    private readonly DomainQueueSeams _seams;
    private readonly WorkerRegister _register;
    private readonly RecordView _view;
    private readonly PackSweep _sweep;
    private readonly ISettings<GrainsOptions> _settings;
    private readonly ISettings<SiteOptions> _sites;
    private readonly ActiveDomains _active = new();
    private readonly SpooledAddresses _addresses;
    private long _confirmedAt;
    private SimSilo[] _sharers = [];
    private SiloShares _shares;

    public SimSilo(SimWorld world, string name)
    {
        _world = world;
        var process = Process = new SimProcess(world.Loop, name);
        _shares = new SiloShares(name, []);
        world.KeepTime(process);
        _grains = new SimGrains(world, process);
        _settings = new FixedSettings<GrainsOptions>(world.GrainsOptions);
        _sites = new FixedSettings<SiteOptions>(world.SiteOptions);
        var (clock, time) = (process.Clock, process.Time);
        IPackStore packs = new SimPackStore(world, process);
        var documents = new SimDocuments(world, process);
        var ledgerStore = new SimLedgerStore(world, process);
        var index = new SimIndex(world, process);
        var cache = new PackCache(world.Loop.Random.Next(2) * 65_536);
        var reader = new SpoolReader(packs, cache, NullLogger.Instance);
        ISpoolReader tables = world.Breaks is Breaks.SourceNamed or Breaks.KeyIsPlace or Breaks.CopyPositions ? new ForgedTables(world, reader) : reader;

        RecordView? view = null;
        Writer = new LedgerWriter(ledgerStore, documents, clock, time, NullLogger.Instance, (stream, end, records) => view!.OnDurable(stream, end, records), world.Loop.Draw, () => Own, () => world.Breaks == Breaks.MemberLook ? Task.FromResult(IsConfirmed) : ConfirmAsync(default));
        _view = view = new RecordView(ledgerStore, documents, clock, this, this, world.Decode, () => Writer.Writer, time, NullLogger<RecordView>.Instance);
        var writer = new PackWriter(packs, cache, clock, time, TimeSpan.Zero, NullLogger.Instance, world.DrawWriter);
        process.Run(() => writer.Listener = new CommitHandOver(new OfferDispatcher(_grains, () => clock.Now, NullLogger<OfferDispatcher>.Instance)));
        var routes = new RouteResolver(new FixedSettings<Egress.EgressOptions>(world.EgressOptions), world.Dns, time, static () => new HashSet<System.Net.IPAddress>());
        INoticeWriter notices = new NoticeWriter(reader, writer, clock, new FixedSettings<NoticeOptions>(new NoticeOptions()), _settings, NullLogger<NoticeWriter>.Instance);
        _register = new WorkerRegister(documents, this);
        _addresses = new SpooledAddresses(reader);
        Pools = new TenantPools(documents, _register, this);
        var control = new ControlDocuments(documents, this);
        _seams = new DomainQueueSeams
        {
            Clock = clock, Standing = this, Ledger = new BrokenLedger(world, this, Writer), Index = index, View = world.Breaks == Breaks.LedgerDecides ? new StaleView(_view) : _view,
            Notices = world.Breaks == Breaks.NoticeFirst ? new LateNotices(process, notices) : notices, Control = control, Routes = routes, Sites = this,
            Settings = _settings, Draw = world.Loop.Draw, Log = NullLogger.Instance, Without = world.Without, Summaries = _addresses.SummariesAsync,
            Pools = world.HasPools ? () => Pools.Current : static () => PoolMap.Empty,
        };
        _sweep = new PackSweep(packs, tables, index, _view, clock, this, this, this, _ => false, NullLogger<PackSweep>.Instance);
        IPackMover mover = new PackMover(packs, reader, new NoScratch(), clock, time, NullLogger.Instance, world.Loop.Draw);
        if (world.Breaks == Breaks.CopyFirst) mover = new DeleteFirst(packs, mover);
        var cleaner = new PackCleaner(packs, tables, mover, _view, clock, this, NullLogger<PackCleaner>.Instance);
        var waker = new DomainWaker(index, this, clock, this, this, NullLogger<DomainWaker>.Instance);

        _confirmedAt = time.GetTimestamp();
        process.Start(ConfirmAsync);
        process.Start(SweepAsync);
        Every((int)waker.Interval.TotalMilliseconds, () => waker.PassAsync(default));
        Every(10_000, () => control.HearAsync(default));
        if (world.HasPools) Every(5_000, () => Pools.RefreshAsync(default));
        Every(60_000, () => cleaner.PassAsync(_settings.Current.LedgerRetention, default));
        Every(600_000, () => _view.CheckpointAsync(_settings.Current.LedgerRetention, default));
    }

    public SimProcess Process { get; }

    public LedgerWriter Writer { get; }

    public TenantPools Pools { get; }

    public bool IsConfirmed => _world.Breaks == Breaks.Confirmation || Process.Time.GetTimestamp() - _confirmedAt < 10_000;

    public bool IsSoleProcess => false;

    public string Own => Process.Name;

    /// <summary>Cut off, it knows of no death.</summary>
    public bool? IsAlive(string silo) => Process.Island != 0 || _world.Breaks == Breaks.Seal || !_world.Cluster.Buried.Contains(silo);

    public bool IsMine(ulong item)
    {
        if (!_sharers.SequenceEqual(_world.Cluster.Active)) (_sharers, _shares) = ([.. _world.Cluster.Active], new SiloShares(Own, _world.Cluster.Active.Select(s => s.Process.Name)));
        return _shares.IsMine(item);
    }

    public ValueTask WakeAsync(string domain) => _grains.GetGrain<IDomainQueueWake>(domain).Wake();

    public bool Has(GrainKind kind, string key) => _activations.ContainsKey((kind, key));

    /// <summary>A call that has arrived here.</summary>
    public async Task<T> Receive<T>(GrainKind kind, string key, Func<object, Task<T>> call)
    {
        while (true)
        {
            if (!_activations.TryGetValue((kind, key), out var activation))
            {
                if (!_world.Cluster.MayActivate(this, kind, key)) throw new InvalidOperationException($"{kind} {key} is not on {Process.Name}");
                activation = Activate(kind, key);
            }

            await activation.Ready;
            if (activation.Ended is not { } ended) return await call(activation.Grain);
            await ended;
        }
    }

    public ValueTask<SiteState> DemandAsync(string site, SiteDemand demand) => Site(site).Demand(demand);

    public ValueTask<SiteState> RetryAsync(string site) => Site(site).Retry();

    private ISite Site(string site) => _grains.GetGrain<ISite>(PoolName.PoolOf(site) + "|" + site);

    public Task<bool> OfferAsync(string domain, SweptOffer offer) => _grains.GetGrain<IDomainQueueWake>(domain).OfferSwept(offer);

    private Activation Activate(GrainKind kind, string key)
    {
        Activation? activation = null;
        var context = new SimGrainContext(Process, GrainId.Create(kind.ToString(), key), _grains, () => Deactivate(kind, key, activation!));
        Grain grain = kind switch
        {
            GrainKind.Domain => context.Create(() => new DomainQueueGrain(_seams, _active, _addresses)),
            GrainKind.Site => context.Create(() => new SiteGrain(Process.Clock, this, _sites, _settings, NullLogger<SiteGrain>.Instance, _world.Loop.Random)),
            _ => context.Create(() => new EgressPoolGrain(Process.Clock, this, _register, Process.Time, NullLogger<EgressPoolGrain>.Instance, _world.Loop.Random)),
        };
        activation = _activations[(kind, key)] = new Activation(context, grain);
        activation.Ready = ReadyAsync(kind, key, activation);
        return activation;
    }

    private async Task ReadyAsync(GrainKind kind, string key, Activation activation)
    {
        try
        {
            await activation.Grain.OnActivateAsync(default);
        }
        catch
        {
            // As Orleans: who called it hears of it, and the next call tries anew.
            activation.Context.End();
            _activations.Remove((kind, key));
            _world.Cluster.Deactivated(this, kind, key);
            throw;
        }
    }

    private void Deactivate(GrainKind kind, string key, Activation activation)
    {
        if (activation.Ended is not null) return;
        activation.Ended = EndAsync();

        async Task EndAsync()
        {
            await Task.Yield();
            await activation.Grain.OnDeactivateAsync(new DeactivationReason(DeactivationReasonCode.ApplicationRequested, ""), default);
            activation.Context.End();
            _activations.Remove((kind, key));
            _world.Cluster.Deactivated(this, kind, key);
        }
    }

    public async Task<bool> ConfirmAsync(CancellationToken cancellationToken) =>
        _world.Breaks == Breaks.Confirmation || (await AskAsync() ?? throw new IOException("the membership document cannot be read"));

    private Task<bool?> AskAsync() => _world.Net.TryAskAsync<bool?>(Process, _world.Blobs.Link, () => _world.Cluster.Active.Contains(this));

    // Reads its row every 2 s; a silo whose row is dead ends itself.
    private async Task ConfirmAsync()
    {
        while (true)
        {
            var sent = Process.Time.GetTimestamp();
            var isActive = await AskAsync();
            if (isActive == true) _confirmedAt = sent;
            else if (isActive == false && _world.Breaks != Breaks.Confirmation) Process.Kill();

            await Process.Delay(2_000);
        }
    }

    private async Task SweepAsync()
    {
        while (!await TryAsync(() => _view.OpenAsync(default))) await Process.Delay(1_000);
        await Process.Delay(0, 10_000);
        while (true)
        {
            var work = true;
            await TryAsync(async () => work = await _sweep.PassAsync(default));
            await Process.Delay(work ? 10_000 : 30_000);
        }
    }

    private void Every(int milliseconds, Func<Task> work) => Process.Start(async () =>
    {
        await Process.Delay(1, milliseconds);
        while (true)
        {
            await TryAsync(work);
            await Process.Delay(milliseconds);
        }
    });

    // What the services around these catch and log.
    private static async Task<bool> TryAsync(Func<Task> work)
    {
        try
        {
            await work();
            return true;
        }
        catch (Exception e) when (e is IOException or TimeoutException or InvalidOperationException)
        {
            return false;
        }
    }

    private sealed class Activation(SimGrainContext context, Grain grain)
    {
        public SimGrainContext Context => context;

        public Grain Grain => grain;

        public Task Ready { get; set; } = Task.CompletedTask;

        public Task? Ended { get; set; }
    }
}
