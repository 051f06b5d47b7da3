using System.Text;
using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Egress;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Sites;
using Angarium.Mail;
using Angarium.Simulation.Cluster;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.Stores;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>A whole relay in one thread: two ingresses, two silos, two workers, stores, peers and clients, for as long as its seed makes faults and then until all is done.</summary>
internal sealed class SimWorld
{
    private const string Padding = "Lorem ipsum dolor sit amet, consectetur adipiscing elit.\r\n";

    private readonly Dictionary<string, StoreTime> _held = [];
    private readonly Dictionary<string, (int Begun, int Confirmed)> _releases = [];
    private const string Mover = "t1";

    private readonly List<(string Pool, StoreTime Begun, StoreTime? Known)> _moves = [];
    private readonly SimFaults _faults;
    private int _names;
    private int _messages;

    /// <param name="plan">The clause whose story is made likely: its faults come often, whether it is left out or not.</param>
    /// <param name="hasPools">There is a second egress pool, and one of the tenants moves between them.</param>
    public SimWorld(int seed, Breaks breaks, Breaks plan = Breaks.None, bool isVerbose = false, bool hasPools = false)
    {
        (Breaks, Plan, IsVerbose, HasPools) = (breaks, plan, isVerbose, hasPools);
        Loop = new SimLoop(seed);
        Start = Loop.Now;
        Net = new SimNet(Loop);
        Account = new SimAccount(this);
        Blobs = new SimBlobs(Loop, Account, breaks);
        Index = new SimIndexServer(Loop);
        Cluster = new SimCluster(this);
        Peers = new SimPeers(this);
        Dns = new SimDns(this);
        foreach (var domain in (string[])[.. Domains, "s.test"]) Partitions[IndexPartition.Of(domain)] = true;
        // One world in eighty lives for hours, for the sake of the cleaner.
        IsLong = Loop.Random.Next(80) == 0 || SimPlans.IsLong(plan);
        FaultsFor = IsLong ? TimeSpan.FromMinutes(SimPlans.IsLong(plan) ? 180 : 90) : TimeSpan.FromSeconds(150);
        Pipelining = Loop.Random.Next(4) > 0;
        var schedule = IsLong ? (TimeSpan[])[TimeSpan.FromSeconds(20), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(plan == Breaks.None ? 20 : 6)] : [TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60)];
        GrainsOptions = new GrainsOptions
        {
            RetrySchedule = schedule, Window = 16, RetryExpire = !IsLong && (Loop.Random.Next(2) == 0 || plan == Breaks.OwnerDecides) ? TimeSpan.FromSeconds(plan == Breaks.OwnerDecides ? 45 : 120) : TimeSpan.FromDays(4),
        };
        Net.Trouble = Loop.Random.Next(4) switch { 0 => 0.005, 1 => 0.08, _ => 0.025 };
        Rudeness = Loop.Random.NextDouble() * 0.2;
        Peers.Unreachable = Loop.Random.Next(3) == 0 ? 0.2 : 0.02;
        Slowness = Loop.Random.Next(4) == 0 ? 0.2 : Net.Trouble;
        if (plan != Breaks.None) SimPlans.Prepare(this);
        _faults = new SimFaults(this);
    }

    public Breaks Breaks { get; }

    public Breaks Plan { get; }

    public bool HasPools { get; }

    public IReadOnlyList<string> PoolNames => HasPools ? ["default", "bulk"] : ["default"];

    /// <summary>Times that a tenant was in another pool than before, and everybody knew.</summary>
    public int Moves { get; private set; }

    public bool IsVerbose { get; }

    public bool IsLong { get; }

    public StoreTime Start { get; }

    public TimeSpan FaultsFor { get; }

    public bool Pipelining { get; }

    public SimLoop Loop { get; }

    public SimNet Net { get; }

    public SimAccount Account { get; }

    public SimBlobs Blobs { get; }

    public SimIndexServer Index { get; }

    public SimCluster Cluster { get; }

    public SimPeers Peers { get; }

    public SimDns Dns { get; }

    public string[] Domains { get; } = ["a.test", "b.test"];

    /// <summary>Partitions of the index in which there can be anything.</summary>
    public bool[] Partitions { get; } = new bool[IQueueIndex.Partitions];

    public GrainsOptions GrainsOptions { get; }

    public SiteOptions SiteOptions { get; } = new()
    {
        Connections = 3, InitialConnections = 2, ConnectionsPerMinute = 600, MessagesPerSecond = 1_000, MessagesPerConnection = 20, Idle = TimeSpan.FromSeconds(8),
        Suspension = TimeSpan.FromSeconds(5), MaxSuspension = TimeSpan.FromSeconds(20),
    };

    public EgressOptions EgressOptions { get; } = new() { MaxSessions = 6, Batch = 4, MaxRecipients = 2, AllowedNetworks = ["10.0.0.0/8"], Hostname = "relay.test" };

    /// <summary>Silos that live, whatever their row says.</summary>
    public List<SimSilo> Silos { get; } = [];

    public List<SimWorker> Workers { get; } = [];

    public List<SimIngress> Ingresses { get; } = [];

    /// <summary>When due times were last lost on purpose: with the index, with an activation, or by an operator.</summary>
    public StoreTime LastLoss { get; set; }

    /// <summary>Likelihood that a receiver says no, or worse.</summary>
    public double Rudeness { get; set; }

    /// <summary>Likelihood that a hand-over is on its way for longer than anybody waits for it, beyond what the network does.</summary>
    public double LateOffers { get; set; }

    /// <summary>Likelihood that an append is on its way for minutes.</summary>
    public double LateAppends { get; set; }

    /// <summary>How long callers may believe in a former place of a grain.</summary>
    public TimeSpan Staleness { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Likelihood that a copy becomes durable long after it was given up, and how long after.</summary>
    public double LateCopies { get; set; }

    public TimeSpan LateCopiesBy { get; set; }

    /// <summary>How many times more mail than usual.</summary>
    public int Haste { get; set; } = 1;

    /// <summary>Likelihood that a receiver takes its time.</summary>
    public double Slowness { get; set; }

    /// <summary>Whoever sends to this address dies of it.</summary>
    public string? Poison { get; private set; }

    public int PoisonDeaths { get; private set; }

    /// <summary>Activations that were lost, and with them the count of the leases that a message has lost.</summary>
    public int Losses { get; set; }

    public Waived Without => Breaks switch
    {
        Breaks.StaleDecides => Waived.StaleDecides,
        Breaks.OwnerDecides => Waived.OwnerDecides,
        Breaks.ExpiryNeedsFailure => Waived.ExpiryNeedsFailure,
        Breaks.IndexAfter => Waived.IndexAfter,
        Breaks.Fresh => Waived.Fresh,
        Breaks.JudgeView => Waived.JudgeView,
        Breaks.Struck => Waived.Struck,
        Breaks.ConfirmAgain => Waived.ConfirmAgain,
        Breaks.TokenWait => Waived.TokenWait,
        Breaks.HolderListens => Waived.HolderListens,
        Breaks.LostLeases => Waived.LostLeases,
        _ => Waived.None,
    };

    public void Run()
    {
        for (var i = 0; i < 2; i++) AddSilo();
        for (var i = 0; i < 2; i++) AddWorker();
        for (var i = 0; i < 2; i++) AddIngress();
        Loop.Outside.Start(SendAsync);
        Loop.Outside.Start(_faults.RunAsync);
        if (HasPools) Loop.Outside.Start(MoveAsync);
        Loop.Run(() => Account.Wrongs.Count > 0 || _faults.IsOver && Account.Open == 0, FaultsFor + TimeSpan.FromMinutes(IsLong ? 90 : 40));
        if (Loop.Fault is { } fault) Account.Wrongs.Add("fault: " + fault);
        if (Account.Wrongs.Count == 0) Account.Close();
    }

    /// <summary>Rule 10 broken: what is about packs that are in no listing is forgotten.</summary>
    public (IEnumerable<LedgerRecord> Records, int Damaged) Decode(ReadOnlyMemory<byte> blocks)
    {
        var (records, damaged) = LedgerReader.Decode(blocks);
        if (Breaks != Breaks.Unlisted) return (records, damaged);
        var listed = Blobs.Packs.Values.SelectMany(p => p.Keys).ToHashSet();
        return (records.Where(r => listed.Contains(r.Key)), damaged);
    }

    public ulong DrawWriter() => Breaks == Breaks.WriterId ? 1 : Loop.Draw();

    public SimSilo AddSilo()
    {
        var silo = new SimSilo(this, "silo" + ++_names);
        Silos.Add(silo);
        Cluster.Active.Add(silo);
        return silo;
    }

    public void AddWorker() => Workers.Add(new SimWorker(this, "worker" + ++_names));

    public void AddIngress() => Ingresses.Add(new SimIngress(this, "ingress" + ++_names));

    /// <summary>A process's clock of the store: two seconds off at most, measured every 10 s.</summary>
    public void KeepTime(SimProcess process)
    {
        var error = TimeSpan.FromMilliseconds(Loop.Random.Next(-2_000, 2_001));
        process.Clock.Begin(error);
        process.Start(async () =>
        {
            while (true)
            {
                await process.Delay(10_000);
                var sent = process.Time.GetTimestamp();
                var store = await Net.TryAskAsync<StoreTime?>(process, Blobs.Link, () => Loop.Now);
                var way = process.Time.GetTimestamp() - sent;
                if (store is { } now && way < 1_000) process.Clock.Measured(now + TimeSpan.FromMilliseconds(way / 2), error);
            }
        });
    }

    public StoreTime? HeldSince(SimRecipient recipient) => _held.TryGetValue(recipient.Domain, out var since) ? since : null;

    /// <summary>An operator holds or releases a domain, and notes when that was confirmed. Of a hold and a release that overlap either may be the last.</summary>
    public async Task HoldAsync(string domain, bool hold)
    {
        var queue = new SimGrains(this, Loop.Outside).GetGrain<IDomainQueueAdmin>(domain);
        (int Begun, int Confirmed) releases;
        if (!hold) _releases[domain] = _releases.GetValueOrDefault(domain) with { Begun = _releases.GetValueOrDefault(domain).Begun + 1 };
        for (; ; )
        {
            if (!hold) _held.Remove(domain);
            releases = _releases.GetValueOrDefault(domain);
            try
            {
                await (hold ? queue.Hold(null) : queue.Release(null));
                break;
            }
            catch (Exception e) when (e is IOException or TimeoutException or InvalidOperationException)
            {
                await Loop.Outside.Delay(1_000);
            }
        }

        if (!hold)
        {
            _held.Remove(domain);
            _releases[domain] = _releases[domain] with { Confirmed = _releases[domain].Confirmed + 1 };
        }

        LastLoss = Loop.Now;
        Account.NoteAll(hold ? $"{domain} is held" : $"{domain} is released");
        if (hold && releases.Begun == releases.Confirmed && releases == _releases.GetValueOrDefault(domain)) _held[domain] = Loop.Now;
    }

    /// <summary>One bad message must not walk through the cluster (rule 17). An operator finds it held, and sees to it.</summary>
    public async Task CureAsync()
    {
        if (Poison is not { } poison) return;
        await Loop.Outside.Delay(600_000);
        if (PoisonDeaths > 12 * (Losses + 1)) Account.Wrongs.Add($"{poison} has killed {PoisonDeaths} workers, and {Losses} activations were lost");
        Poison = null;
        var grains = new SimGrains(this, Loop.Outside);
        // What was leased together with it is held as well.
        foreach (var held in Account.All.Where(r => r.FinishedAt is null).Select(r => (r.Message, r.Domain)).Distinct().ToList())
        {
            for (var tries = 0; tries < 20; tries++)
            {
                try
                {
                    await grains.GetGrain<IDomainQueueAdmin>(held.Domain).Release(held.Message);
                    break;
                }
                catch (Exception e) when (e is IOException or TimeoutException or InvalidOperationException)
                {
                    await Loop.Outside.Delay(1_000);
                }
            }
        }
    }

    /// <summary>Where a recipient is that was forgotten, for people.</summary>
    public string Whereabouts(SimRecipient recipient)
    {
        var domain = recipient.Domain;
        var row = Index.Index.ListAsync(domain, default, 100_000, default).AsTask().Result.FirstOrDefault(r => r.Member.Key == recipient.Key);
        var wake = Index.Index.WakesAsync(IndexPartition.Of(domain), new StoreTime(long.MaxValue / 2), 10, default).AsTask().Result.FirstOrDefault(w => w.Domain == domain);
        return $"in the index {(row.Member.Key == recipient.Key ? $"due {(row.Due - Start).TotalSeconds} after {row.Attempts} attempts" : "not")}, wake-up {(wake.Domain is null ? "none" : (wake.Due - Start).TotalSeconds)}, asleep {Index.IsAsleep(domain)}, "
            + $"packs {string.Join(' ', Blobs.Packs.Where(p => p.Value.Keys.Contains(recipient.Key)).Select(p => p.Key))}, activations on {string.Join(' ', Silos.Where(s => s.Has(GrainKind.Domain, domain)).Select(s => s.Process.Name))}, owner {Cluster.Owner(GrainKind.Domain, domain)?.Process.Name}";
    }

    /// <summary>Rule 18 broken: killed between the two steps of a write.</summary>
    public void KillBetween(SimProcess process)
    {
        if (Silos.Find(s => s.Process == process) is { } silo) _faults.KillSilo(silo);
    }

    public void Poisoned(SimWorker worker)
    {
        PoisonDeaths++;
        _faults.KillWorker(worker);
    }

    /// <summary>What is granted to a session of a pool is of a tenant that is in it, or was until a minute ago.</summary>
    public void CheckPool(Grant grant, string pool, StoreTime asked)
    {
        if (!HasPools || Account.All.FirstOrDefault(r => r.Key == grant.Keys[0]) is not { } recipient) return;
        if (recipient.Tenant != Mover ? pool == "default" : MayBeIn(pool, asked) || MayBeIn(pool, Loop.Now)) return;
        Account.Wrong($"mail of {recipient.Tenant} was granted to pool {pool}", recipient);
    }

    private bool MayBeIn(string pool, StoreTime at)
    {
        var index = _moves.FindLastIndex(m => m.Begun <= at);
        var (before, now) = (index > 0 ? _moves[index - 1].Pool : "default", index >= 0 ? _moves[index] : ("default", default, default));
        return pool == now.Pool || pool == before && (now.Known is not { } known || at - known <= TimeSpan.FromMinutes(1));
    }

    /// <summary>A tenant is moved from pool to pool, by whichever silo has it; who is not answered asks again.</summary>
    private async Task MoveAsync()
    {
        for (var pool = "bulk"; !_faults.IsOver; pool = pool == "bulk" ? "default" : "bulk")
        {
            await Loop.Outside.Delay(5_000, IsLong ? 600_000 : 100_000);
            _moves.Add((pool, Loop.Now, null));
            while (!await TryMoveAsync(pool)) await Loop.Outside.Delay(1_000);
            _moves[^1] = _moves[^1] with { Known = Loop.Now };
            Moves++;
            Account.NoteAll($"{Mover} is in pool {pool}");
        }
    }

    private async Task<bool> TryMoveAsync(string pool)
    {
        if (Cluster.Active.Count == 0) return false;
        var silo = Cluster.Active[Loop.Random.Next(Cluster.Active.Count)];
        try
        {
            return await Net.CallAsync(Loop.Outside, silo.Process, async () =>
            {
                await silo.Pools.PutAsync(Mover, pool, default);
                return true;
            }, 30_000);
        }
        catch (Exception e) when (e is IOException or TimeoutException or InvalidOperationException)
        {
            return false;
        }
    }

    private async Task SendAsync()
    {
        while (Loop.Now - Start < FaultsFor - TimeSpan.FromSeconds(Plan == Breaks.OneScript ? 120 : 20))
        {
            await Loop.Outside.Delay(500, IsLong ? 300_000 : 12_000 / Haste);
            for (var count = Loop.Random.Next(1, 4); count > 0; count--) Ingresses[Loop.Random.Next(Ingresses.Count)].Send(Message());
        }
    }

    private NewMessage Message()
    {
        var number = ++_messages;
        var recipients = Enumerable.Range(0, Loop.Random.Next(1, 5)).Select(i => $"r{number}-{i}@{Domains[Loop.Random.Next(Domains.Length)]}").ToArray();
        if (number == 4 && !IsLong && (Loop.Random.Next(25) == 0 || Plan == Breaks.LostLeases)) Poison = recipients[0];
        var trace = "Received: from client by relay.test id " + new string('_', 23) + ";\r\n";
        return new NewMessage
        {
            Envelope = new Envelope
            {
                ReversePath = $"s{Loop.Random.Next(4)}@s.test", NoticesAllowed = true, Tenant = "t" + Loop.Random.Next(2), Class = (MessageClass)Loop.Random.Next(2),
                NotBefore = Loop.Random.Next(20) == 0 ? Loop.Now + TimeSpan.FromSeconds(30) : default,
                Recipients = [.. recipients.Select(r => new EnvelopeRecipient(r))],
            },
            Domains = [.. recipients.Select(r => r[(r.IndexOf('@') + 1)..])],
            Trace = Encoding.ASCII.GetBytes(trace),
            IdOffset = trace.IndexOf('_', StringComparison.Ordinal),
            Content = Encoding.ASCII.GetBytes($"Subject: {number}\r\n\r\n{Padding}"),
        };
    }
}
