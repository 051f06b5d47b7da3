using Angarium.Egress.Sessions;
using Angarium.Mail;

namespace Angarium.Simulation.World;

/// <summary>The receivers of the world: they take, refuse, are slow, or cut a connection before or after they took a message.</summary>
internal sealed class SimPeers(SimWorld world)
{
    private StoreTime _lastFailure;

    /// <summary>Likelihood of a refused connection.</summary>
    public double Unreachable { get; set; }

    public bool HasFailed(StoreTime since) => _lastFailure > since;

    public async Task<SmtpConnection> ConnectAsync(SimWorker worker, string pool, RouteEndPoint target, TimeSpan limit, ConnectionWatch watch, CancellationToken stop)
    {
        await worker.Process.Delay(1, 60);
        stop.ThrowIfCancellationRequested();
        if (world.Loop.Chance(Unreachable))
        {
            _lastFailure = world.Loop.Now;
            throw new AttemptException(AttemptFault.Unreachable, $"{target}: connection refused");
        }

        var stream = new SimPeerStream(world, worker, pool, target.Host);
        Count(pool, target.Host);
        return new SmtpConnection(stream, null, target.ToString(), watch);
    }

    public void Failed() => _lastFailure = world.Loop.Now;

    // Permits <= limit, over all workers that could have been told. Each pool has its own: receivers see other addresses.
    private void Count(string pool, string host)
    {
        var open = 0;
        foreach (var worker in world.Workers)
        {
            foreach (var connection in worker.Connections)
            {
                if (connection.Host == host && connection.Pool == pool && !worker.Excuses(connection)) open++;
            }
        }

        if (open <= world.SiteOptions.Connections) return;
        foreach (var worker in world.Workers)
        {
            foreach (var connection in worker.Connections) world.Account.NoteAll($"{worker.Process.Name} has been connected to {connection.Host} since {(connection.OpenedAt - world.Start).TotalSeconds:f3}, excused {worker.Excuses(connection)}");
        }

        world.Account.Wrong($"{open} connections to {host} at once, {world.SiteOptions.Connections} are allowed");
    }
}
