using Angarium.Contracts.Configuration;
using Angarium.Egress;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Egress.Worker;
using Angarium.Mail;
using Angarium.Simulation.Cluster;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.Stores;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Simulation.World;

/// <summary>One egress process: the real worker down to the bytes of SMTP, over simulated peers. All of it is lost with its process, save the bytes that are on their way.</summary>
internal sealed class SimWorker
{
    /// <summary>A worker that its pool has not heard for so long closes its connections (rule 21).</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan s_close = TimeSpan.FromSeconds(23);

    private readonly SimWorld _world;
    private readonly Dictionary<string, StoreTime> _heardAt = [];

    public SimWorker(SimWorld world, string name)
    {
        _world = world;
        var process = Process = new SimProcess(world.Loop, name);
        world.KeepTime(process);
        var settings = new FixedSettings<EgressOptions>(world.EgressOptions);
        var watch = new ConnectionWatch(process.Time);
        var routes = new RouteResolver(settings, world.Dns, process.Time, static () => new HashSet<System.Net.IPAddress>());
        ISpoolReader reader = new SpoolReader(new SimPackStore(world, process, mayDamage: true), new PackCache(0), NullLogger.Instance);
        if (world.Breaks == Breaks.KeyIsPlace) reader = new ForgedTables(world, reader);
        foreach (var pool in world.PoolNames)
        {
            var connector = new Connector(routes, settings, watch, NullLogger<Connector>.Instance) { Dial = (target, _, limit, w, stop) => world.Peers.ConnectAsync(this, pool, target, limit, w, stop) };
            var gateway = new SimGateway(world, this, new GrainQueueGateway(new SimGrains(world, process), new ClusterLink(), process.Time, pool), pool);
            var context = new WorkerContext(gateway, reader, process.Clock, process.Time, routes, connector, settings, NullLogger.Instance, world.Loop.Draw) { WaivesSites = world.Breaks == Breaks.OtherSite, Pool = pool };
            var worker = new EgressWorker(context);
            process.Start(() => worker.RunAsync(default));
        }
    }

    public SimProcess Process { get; }

    public List<SimPeerStream> Connections { get; } = [];

    /// <summary>Its clocks stood still and it does not know: what it does now cannot be helped.</summary>
    public bool IsUnaware => Process.UnawareUntil > _world.Loop.Now;

    /// <summary>A pool has accepted a poll that it sent then. What it could not close in the silence before ends with its transaction.</summary>
    public void Heard(string pool, StoreTime sent)
    {
        if (sent <= HeardAt(pool)) return;
        foreach (var connection in Connections)
        {
            if (connection.Pool == pool && IsLate(connection)) connection.IsEnding = true;
        }

        _heardAt[pool] = sent;
    }

    /// <summary>When it sent the last poll that the pool has accepted.</summary>
    private StoreTime HeardAt(string pool) => _heardAt.GetValueOrDefault(pool);

    /// <summary>A connection that was open while its worker was out for longer than the pool waits does not count, nor one that its worker could not close in time because it was in a transaction.</summary>
    public bool Excuses(SimPeerStream connection) =>
        Process.PausedUntil > _world.Loop.Now || connection.IsEnding || IsLate(connection) || Process.Island != 0 || Process.OutUntil - Process.OutFrom > s_silence && connection.OpenedAt < Process.OutUntil + TimeSpan.FromSeconds(3);

    private bool IsLate(SimPeerStream connection) => connection.BusySince < HeardAt(connection.Pool) + s_close && HeardAt(connection.Pool) + s_silence < _world.Loop.Now;

    public void Kill()
    {
        Process.Kill();
        foreach (var connection in Connections.ToArray()) connection.Closed();
    }
}
