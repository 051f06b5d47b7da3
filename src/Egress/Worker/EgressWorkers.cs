using Angarium.Contracts.Configuration;
using Angarium.Egress.Pools;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Worker;

/// <summary>The couriers of a process: one for each pool that it serves, with that pool's addresses and its share of the sessions. They start and drain together; one that breaks ends the process.</summary>
internal sealed class EgressWorkers : BackgroundService
{
    private readonly PoolSources[] sources;
    private readonly EgressWorker[] workers;

    public EgressWorkers(
        IGrainFactory grains, ClusterLink link, ISpoolReader spool, IStoreClock clock, TimeProvider time, RouteResolver routes, ConnectionWatch watch, ISettings<EgressOptions> settings,
        ILogger<EgressWorker> log, ILogger<Connector> connections)
    {
        var pools = settings.Current.ServedPools;
        (sources, workers) = (new PoolSources[pools.Count], new EgressWorker[pools.Count]);
        for (var i = 0; i < pools.Count; i++)
        {
            var at = i;
            sources[i] = PoolSources.Of(pools[i], settings.Current, time, log);
            workers[i] = new EgressWorker(new WorkerContext(
                new GrainQueueGateway(grains, link, time, pools[i]), spool, clock, time, routes, new Connector(routes, settings, watch, connections, sources[i]), settings, log)
            {
                Pool = pools[i],
                MostSessions = () => SessionShares.Of(settings.Current.MaxSessions, Array.ConvertAll(workers, worker => worker.Sessions), at),
            });
        }
    }

    /// <summary>Every pool hears its worker, and each takes orders.</summary>
    public bool IsReady => Array.TrueForAll(workers, worker => worker.IsReady);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var pool in sources) pool.Probe();
        await Task.WhenAll(workers.Select(worker => worker.StartAsync(cancellationToken)));
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(workers.Select(worker => worker.StopAsync(cancellationToken)));
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        foreach (var worker in workers) worker.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var ended in Task.WhenEach(workers.Select(worker => worker.ExecuteTask!))) await ended;
    }
}
