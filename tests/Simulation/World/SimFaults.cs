using Angarium.Mail;
using Angarium.Simulation.Cluster;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.Stores;

namespace Angarium.Simulation.World;

/// <summary>What goes wrong, when, and for how long: drawn by the seed. After the last fault everything is healed and stays so.</summary>
internal sealed class SimFaults(SimWorld world)
{
    private const int Kinds = 24;

    private int _islands;

    public bool IsOver { get; private set; }

    private SimLoop Loop => world.Loop;

    private SimProcess Outside => world.Loop.Outside;

    public async Task RunAsync()
    {
        if (world.Breaks == Breaks.Age) Outside.Start(AgeAsync);
        // Each seed has its own favourite among them, so that some faults meet themselves.
        var favourite = Loop.Random.Next(Kinds);
        var plan = SimPlans.Of(world, this);
        while (true)
        {
            await Outside.Delay(2_000, world.IsLong ? 400_000 : plan is null ? 30_000 : 12_000);
            if (Loop.Now - world.Start > world.FaultsFor) break;
            if (plan is not null && Loop.Random.Next(4) > 0) plan();
            else Strike(Loop.Random.Next(3) == 0 ? favourite : Loop.Random.Next(Kinds));
        }

        await HealAsync();
    }

    public void KillWorker(SimWorker worker)
    {
        Note($"{worker.Process.Name} is killed");
        worker.Kill();
        world.Workers.Remove(worker);
        if (world.Workers.Count < 2) world.AddWorker();
    }

    // A rule of the store's own that thinks of no outage.
    private async Task AgeAsync()
    {
        while (true)
        {
            await Outside.Delay(10_000);
            foreach (var (name, pack) in world.Blobs.Packs.ToList())
            {
                if (Loop.Now - pack.Created > TimeSpan.FromMinutes(2)) world.Blobs.Delete(name);
            }
        }
    }

    private void Strike(int what)
    {
        var seconds = TimeSpan.FromSeconds(Loop.Random.Next(2, Loop.Random.Next(2) == 0 ? 12 : 90));
        switch (what)
        {
            case 0 or 1:
                KillSilo(Pick(world.Cluster.Active));
                break;
            case 2 or 3:
                CutSilo(Pick(world.Cluster.Active), seconds);
                break;
            case 4:
                PauseSilo(Pick(world.Cluster.Active), seconds, unnoticed: false);
                break;
            case 5:
                PauseSilo(Pick(world.Cluster.Active), seconds, unnoticed: true);
                break;
            case 6 or 7:
                Forget((GrainKind)Loop.Random.Next(6) switch { GrainKind.Site => GrainKind.Site, GrainKind.Pool => GrainKind.Pool, _ => GrainKind.Domain });
                break;
            case 8:
                Wipe();
                break;
            case 9:
                var lag = Loop.Random.Next(4) == 0 ? Loop.Random.Next(60, 3_600) : Loop.Random.Next(1, 60);
                FailOver(TimeSpan.FromSeconds(lag));
                break;
            case 10:
                world.LastLoss = Loop.Now;
                world.Index.LoseWakes([.. world.Domains, "s.test"]);
                Note("the index loses its wake-ups");
                break;
            case 11:
                world.Index.FullUntil = Loop.Now + seconds;
                Note($"the index is full for {seconds.TotalSeconds} s");
                break;
            case 12:
                world.Index.Link.DownUntil = Loop.Now + seconds;
                Note($"the index is down for {seconds.TotalSeconds} s");
                break;
            case 13:
                world.Blobs.Link.DownUntil = Loop.Now + seconds;
                Note($"the blob store is down for {seconds.TotalSeconds} s");
                break;
            case 14:
                CutWorker(Pick(world.Workers), seconds);
                break;
            case 15:
                KillWorker(Pick(world.Workers));
                break;
            case 16:
                var paused = Pick(world.Workers).Process;
                paused.Pause(seconds, unnoticed: Loop.Random.Next(2) == 0);
                Note($"{paused.Name} is paused for {seconds.TotalSeconds} s");
                break;
            case 17:
                var ingress = Pick(world.Ingresses);
                Note($"{ingress.Process.Name} is killed");
                ingress.Process.Kill();
                world.Ingresses.Remove(ingress);
                world.AddIngress();
                break;
            case 19:
                Apart(Pick(world.Cluster.Active), world.Index.Link, seconds);
                break;
            case 20:
                Apart(Pick(world.Cluster.Active), world.Blobs.Link, seconds);
                break;
            case 18:
                var stepped = Loop.Random.Next(2) == 0 ? Pick(world.Workers).Process : Pick(world.Cluster.Active).Process;
                world.LastLoss = Loop.Now;
                stepped.Time.WallError += seconds * (Loop.Random.Next(2) == 0 ? 1 : -1);
                Note($"the wall clock of {stepped.Name} steps to {stepped.Time.WallError}");
                break;
            case 22:
                NoDns(seconds);
                break;
            case 23:
                var moved = world.Domains[Loop.Random.Next(world.Domains.Length)];
                world.Dns.Move(moved, seconds);
                Note($"the mail of {moved} goes elsewhere for {seconds.TotalSeconds} s");
                break;
            default:
                var domain = world.Domains[Loop.Random.Next(world.Domains.Length)];
                Outside.Start(async () =>
                {
                    await world.HoldAsync(domain, hold: true);
                    await Outside.Delay(30_000, 150_000);
                    await world.HoldAsync(domain, hold: false);
                });
                break;
        }
    }

    public void Forget(GrainKind kind)
    {
        world.LastLoss = Loop.Now;
        world.Losses++;
        foreach (var key in world.Cluster.Keys(kind).Where(_ => Loop.Random.Next(2) == 0).ToList()) world.Cluster.Forget(kind, key);
        Note($"the directory forgets some of kind {kind}");
    }

    /// <summary>A silo's domains are placed elsewhere, and it cannot hear of it from the index.</summary>
    public void Depose(SimSilo silo, TimeSpan seconds)
    {
        world.LastLoss = Loop.Now;
        world.Losses++;
        foreach (var key in world.Cluster.Keys(GrainKind.Domain).Where(k => world.Cluster.Owner(GrainKind.Domain, k) == silo).ToList()) world.Cluster.Forget(GrainKind.Domain, key);
        Note($"the directory forgets the domains of {silo.Process.Name}");
        Apart(silo, world.Index.Link, seconds);
    }

    public void NoDns(TimeSpan seconds)
    {
        world.Dns.DownUntil = Loop.Now + seconds;
        Note($"DNS is down for {seconds.TotalSeconds} s");
    }

    public void Wipe()
    {
        world.LastLoss = Loop.Now;
        world.Index.Wipe(keepsRun: Loop.Random.Next(2) == 0);
        Note("the index is wiped");
    }

    public void FailOver(TimeSpan lag)
    {
        world.LastLoss = Loop.Now;
        world.Index.FailOver(lag);
        Note($"the index fails over to {lag.TotalSeconds} s ago");
    }

    public void KillSilo(SimSilo silo)
    {
        Note($"{silo.Process.Name} is killed");
        silo.Process.Kill();
        world.Silos.Remove(silo);
        Outside.At(Loop.Random.Next(3_000, 8_000), () => Declare(silo));
    }

    // It lives on and does not know for up to 10 s that its row is dead; some workers may be with it.
    private void CutSilo(SimSilo silo, TimeSpan seconds)
    {
        var with = world.Workers.Where(w => w.Process.Island == 0 && Loop.Random.Next(2) == 0).ToList();
        Note($"{silo.Process.Name} is cut off for {seconds.TotalSeconds} s with {string.Join(' ', with.Select(w => w.Process.Name))}");
        Cut([silo.Process, .. with.Select(w => w.Process)], seconds);
        Suspect(silo, seconds);
    }

    /// <summary>Nothing lies between the two but a broken way.</summary>
    public void Apart(SimSilo silo, SimStoreLink store, TimeSpan seconds)
    {
        Note($"{silo.Process.Name} does not reach {store.Name} for {seconds.TotalSeconds} s");
        store.Keep(silo.Process, Loop.Now + seconds);
    }

    public void PauseSilo(SimSilo silo, TimeSpan seconds, bool unnoticed)
    {
        Note($"{silo.Process.Name} is {(unnoticed ? "frozen" : "paused")} for {seconds.TotalSeconds} s");
        silo.Process.Pause(seconds, unnoticed);
        Suspect(silo, seconds);
    }

    private void CutWorker(SimWorker worker, TimeSpan seconds)
    {
        if (worker.Process.Island != 0) return;
        Note($"{worker.Process.Name} is cut off for {seconds.TotalSeconds} s");
        Cut([worker.Process], seconds);
    }

    private void Cut(List<SimProcess> processes, TimeSpan seconds)
    {
        var island = ++_islands;
        foreach (var process in processes)
        {
            process.Island = island;
            process.Out(seconds);
        }

        Outside.At((long)seconds.TotalMilliseconds, () =>
        {
            foreach (var process in processes) process.Island = 0;
        });
    }

    // Three probes of a second are missed.
    private void Suspect(SimSilo silo, TimeSpan seconds)
    {
        var after = Loop.Random.Next(3_000, 8_000);
        if (seconds.TotalMilliseconds > after) Outside.At(after, () => Declare(silo));
    }

    private void Declare(SimSilo silo)
    {
        if (!world.Cluster.Active.Contains(silo)) return;
        Note($"{silo.Process.Name} is declared dead");
        world.LastLoss = Loop.Now;
        world.Losses++;
        world.Cluster.Dead(silo);
        world.AddSilo();
    }

    private async Task HealAsync()
    {
        Note("everything is healed");
        world.Net.Trouble = 0;
        world.Rudeness = world.Slowness = 0;
        world.Peers.Unreachable = 0;
        world.Index.FullUntil = world.Index.Link.DownUntil = world.Blobs.Link.DownUntil = world.Dns.DownUntil = Loop.Now;
        foreach (var domain in world.Domains) await world.HoldAsync(domain, hold: false);
        await world.CureAsync();
        IsOver = true;
    }

    public T Pick<T>(List<T> list) => list[Loop.Random.Next(list.Count)];

    private void Note(string what) => world.Account.NoteAll("-- " + what);
}
