using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;

namespace Angarium.Simulation.Stores;

/// <summary>The index as one silo reaches it. Each call is one step at the server.</summary>
internal sealed class SimIndex(SimWorld world, SimProcess process) : IQueueIndex
{
    private static readonly IReadOnlyList<IndexWake> s_none = [];

    private SimIndexServer Server => world.Index;

    public ValueTask<IndexStamp> TakeAsync(string domain, ulong token, CancellationToken cancellationToken) => Ask(() =>
    {
        Server.Took(process, domain, token);
        Server.Logged((index, _) => Now(index.TakeAsync(domain, token, default)));
        return Now(Server.Index.TakeAsync(domain, token, default));
    });

    public async ValueTask LeaveAsync(string domain, IndexOwner owner, CancellationToken cancellationToken) => await Ask(() =>
    {
        Server.Left(domain, owner.Token);
        Server.Logged((index, run) => index.LeaveAsync(domain, owner with { Run = run }, default).AsTask().Wait());
        return Server.Index.LeaveAsync(domain, owner, default).AsTask().IsCompleted;
    });

    public ValueTask<IndexWriteStatus> WriteAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes, CancellationToken cancellationToken)
    {
        if (world.Breaks == Breaks.Confirmation && changes.Count == 0) return new(IndexWriteStatus.Done);
        return world.Breaks == Breaks.OneScript ? new(WriteInTwoAsync(domain, owner, changes)) : Ask(Write(domain, owner, changes));
    }

    // Entries, and then what wakes their domain: the second may be lost.
    private async Task<IndexWriteStatus> WriteInTwoAsync(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes)
    {
        var write = Write(domain, owner, changes);
        var isNew = changes.Any(c => !c.Remove);
        var status = await Ask(() =>
        {
            var result = write();
            if (isNew) Server.TakeWakes([domain]);
            return result;
        });
        if (isNew && world.Account.Open <= 4 && world.Loop.Chance(0.2)) world.KillBetween(process);
        if (isNew) await Ask(() =>
        {
            Server.Awake(domain);
            return true;
        });
        return status;
    }

    private Func<IndexWriteStatus> Write(string domain, IndexOwner owner, IReadOnlyList<IndexChange> changes)
    {
        return () =>
        {
            if (world.Breaks == Breaks.Token)
            {
                Now(Server.Index.TakeAsync(domain, 1, default));
                owner = new IndexOwner(1, Server.Run);
            }

            if (world.Breaks == Breaks.RunId) owner = owner with { Run = Server.Run };
            IReadOnlyList<IndexChange> possible = changes;
            if (Server.IsFull)
            {
                var isThere = Now(Server.Index.ContainsAsync(domain, [.. changes.Select(c => new IndexSight(c.Row.Lane, c.Row.Member))], default));
                possible = [.. changes.Where((c, i) => c.Remove || isThere[i])];
            }

            var status = Now(Server.Index.WriteAsync(domain, owner, possible, default));
            if (status == IndexWriteStatus.Deposed) return status;
            Server.Logged((index, run) => Now(index.WriteAsync(domain, owner with { Run = run }, possible, default)));
            if (possible.Count > 0) Server.Awake(domain);
            return possible.Count == changes.Count || world.Breaks == Breaks.IndexFull ? status : IndexWriteStatus.Full;
        };
    }

    public ValueTask<IndexRead> ReadDueAsync(string domain, IndexOwner owner, StoreTime until, int perLane, CancellationToken cancellationToken) => Ask(() =>
    {
        if (world.Breaks == Breaks.RunId) owner = owner with { Run = Server.Run };
        if (world.Breaks != Breaks.Token) return Now(Server.Index.ReadDueAsync(domain, owner, until, perLane, default));
        var rows = Now(Server.Index.ListAsync(domain, default, 100_000, default));
        return new IndexRead(false, [.. rows.Where(r => r.Due <= until)], rows.Where(r => r.Due > until).Select(r => (StoreTime?)r.Due).FirstOrDefault());
    });

    public ValueTask<IReadOnlyList<IndexRow>> ListAsync(string domain, StoreTime from, int limit, CancellationToken cancellationToken) =>
        Ask(() => Now(Server.Index.ListAsync(domain, from, limit, default)));

    public ValueTask<bool[]> ContainsAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken)
    {
        if (world.Breaks == Breaks.JudgeIndex) return new(new bool[sights.Count]);
        return Ask(() => Now(Server.Index.ContainsAsync(domain, sights, default)));
    }

    public ValueTask<IndexSeen> SeeAsync(string domain, IReadOnlyList<IndexSight> sights, CancellationToken cancellationToken) => Ask(() =>
    {
        if (world.Breaks == Breaks.SeenWakes) return new IndexSeen(Stamp(domain), Now(Server.Index.ContainsAsync(domain, sights, default)));
        var seen = Now(Server.Index.SeeAsync(domain, sights, default));
        Server.Logged((index, _) => Now(index.SeeAsync(domain, sights, default)));
        if (seen.Found.Contains(true)) Server.Awake(domain);
        if (world.Breaks == Breaks.BirthMark) return seen with { Stamp = new IndexStamp(1, 1) };
        return world.Breaks == Breaks.Sweep ? seen with { Found = [.. seen.Found.Select(_ => true)] } : seen;
    });

    // Partition by partition in a loop: a step each would be most of a run.
    public ValueTask<IndexStamp> StampAsync(int partition, CancellationToken cancellationToken) =>
        process.Island != 0 || Server.Link.IsDownFor(process) ? throw new IOException("index: not reached")
        : world.Breaks == Breaks.BirthMark ? new(new IndexStamp(1, 1))
        : world.Partitions[partition] ? Server.Index.StampAsync(partition, cancellationToken)
        : new(new IndexStamp(1, 1));

    public ValueTask<IReadOnlyList<IndexWake>> WakesAsync(int partition, StoreTime until, int limit, CancellationToken cancellationToken)
    {
        if (!world.Partitions[partition]) return new(s_none);
        // Every second and from each silo: mostly a step that takes no time.
        if (process.Island == 0 && !Server.Link.IsDownFor(process) && world.Loop.Random.Next(8) > 0) return new(Wakes(partition, until, limit));
        return Ask(() => Wakes(partition, until, limit));
    }

    private IReadOnlyList<IndexWake> Wakes(int partition, StoreTime until, int limit)
    {
        List<IndexWake> wakes = [.. Now(Server.Index.WakesAsync(partition, until, limit, default)).Where(w => !Server.IsAsleep(w.Domain))];
        if (world.Breaks == Breaks.WakeTaken) Server.TakeWakes(wakes.Select(w => w.Domain));
        return wakes;
    }

    public ValueTask<long> CountAsync(string domain, CancellationToken cancellationToken) => Ask(() => Now(Server.Index.CountAsync(domain, default)));

    public ValueTask<IReadOnlyList<(string Domain, long Queued)>> DomainsAsync(int limit, CancellationToken cancellationToken) => Ask(() => Now(Server.Index.DomainsAsync(limit, default)));

    private IndexStamp Stamp(string domain) => Now(Server.Index.StampAsync(IndexPartition.Of(domain), default));

    private static T Now<T>(ValueTask<T> step) => step.Result;

    private ValueTask<T> Ask<T>(Func<T> step) => new(world.Net.AskAsync(process, Server.Link, step));
}
