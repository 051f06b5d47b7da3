using Angarium.Contracts.DomainQueues;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Notices;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>
/// A whole relay in one thread: ingress, silos, workers, stores, and the faults that a seed draws. It keeps account of every recipient and says what went wrong.
/// </summary>
internal sealed class SimWorld
{
    private static readonly TimeSpan FaultsFor = TimeSpan.FromMinutes(4);
    private readonly Dictionary<string, (SimSilo Silo, SimSilo Before, StoreTime Since)> _owners = [];
    private readonly List<SimSilo> _silos = [];
    private readonly List<SimWorker> _workers = [];
    private readonly Dictionary<RecipientKey, Account> _accounts = [];
    private readonly StoreTime _start;
    private ulong _ids;
    private uint _packs;

    public SimWorld(int seed, Breaks breaks)
    {
        Breaks = breaks;
        Loop = new SimLoop(seed);
        _start = Loop.Now;
        Packs = new SimPacks(Loop);
        LedgerStore = new SimLedgerStore(Loop);
        IndexServer = new SimIndexServer(Loop);
    }

    public Breaks Breaks { get; }

    public SimLoop Loop { get; }

    public SimPacks Packs { get; }

    public SimLedgerStore LedgerStore { get; }

    public SimDocuments Documents { get; } = new();

    public SimIndexServer IndexServer { get; }

    public string[] Domains { get; } = ["a.test", "b.test"];

    public Dictionary<string, DomainControl> Control { get; } = [];

    public GrainsOptions Options { get; private set; } = new() { RetrySchedule = [TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60)], Window = 16 };

    /// <summary>Likelihood that a call fails on either way.</summary>
    public double Trouble { get; private set; }

    /// <summary>What broke an invariant, in words.</summary>
    public List<string> Wrongs { get; } = [];

    public int Delivered => _accounts.Values.Count(a => a.Dots.Count > 0);

    public int Duplicates => _accounts.Values.Sum(a => Math.Max(0, a.Dots.Count - 1));

    public int Recipients => _accounts.Count;

    public void Run()
    {
        Loop.Run(() => false, TimeSpan.Zero);
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(Loop);
        try
        {
            if (Loop.Random.Next(2) == 0) Options = Options with { RetryExpire = TimeSpan.FromMinutes(2) };
            Trouble = Loop.Random.NextDouble() < 0.5 ? 0.02 : 0.08;
            for (var i = 0; i < 2; i++) _silos.Add(new SimSilo(this, ++_ids));
            foreach (var domain in Domains) _owners[domain] = (_silos[0], _silos[0], Loop.Now);
            for (var i = 0; i < 2; i++) _workers.Add(new SimWorker(this, "w" + ++_ids));
            Loop.Start(IngressAsync);
            Loop.Start(FaultsAsync);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        Loop.Run(() => Wrongs.Count > 0 || (Loop.Steps % 256 == 0 && Loop.Now - _start > FaultsFor && IsSettled()), TimeSpan.FromMinutes(90));
        if (Loop.Fault is { } fault) Wrongs.Add("fault: " + fault);
        if (Wrongs.Count > 0) return;
        foreach (var (key, account) in _accounts)
        {
            var records = Records(key);
            if (!records.Any(r => r.Finishes)) Wrongs.Add($"{key} of pack {key.Pack} was acknowledged and never finished: {account}");
            else if (account.Dots.Count == 0 && account.ToldAt is null) Wrongs.Add($"{key} of pack {key.Pack} was neither delivered nor its sender told");
        }
    }

    public SimSilo Owner(string domain) => _owners[domain].Silo;

    /// <summary>Whom a caller takes for the owner: for a while after a move it may be the one before.</summary>
    public SimSilo Believed(string domain, SimWorker? worker = null)
    {
        var (silo, before, since) = _owners[domain];
        if (before.Alive && worker is not null && before.CutWith.Contains(worker)) return before;
        return before.Alive && Loop.Now - since < TimeSpan.FromSeconds(20) && Loop.Random.Next(2) == 0 ? before : silo;
    }

    public void Send(Action call) => Loop.At(Loop.Random.Next(1, 20), call);

    /// <summary>A call over the network: late, lost on the way there or back, come twice if that is allowed, or answered. Default = no answer.</summary>
    public async Task<T?> Call<T>(Func<SimSilo> to, string domain, Func<DomainQueue, Task<T>> call, bool mayRepeat = false)
    {
        var silo = to();
        await Loop.Delay(Loop.Random.NextDouble() < Trouble ? Loop.Random.Next(0, 4_000) : Loop.Random.Next(1, 20));
        if (Loop.Random.NextDouble() < Trouble || silo.Queue(domain) is not { } queue)
        {
            await Loop.Delay(3_000);
            return default;
        }

        var work = call(queue);
        if (mayRepeat && Loop.Random.NextDouble() < Trouble) Loop.At(Loop.Random.Next(0, 6_000), () => Loop.Start(() => silo.Queue(domain) is { } again ? call(again) : Task.CompletedTask));
        await Task.WhenAny(work, Loop.Delay(30_000));
        if (Loop.Random.NextDouble() < Trouble || !silo.Alive || !work.IsCompleted)
        {
            await Loop.Delay(3_000);
            return default;
        }

        await Loop.Delay(1, 20);
        return await work;
    }

    /// <summary>A receiver took a recipient's mail.</summary>
    public void Dot(RecipientKey key, SimWorker.Held held, SimWorker worker)
    {
        var account = _accounts[key];
        var records = LedgerStore.ByKey.GetValueOrDefault(key) ?? [];
        if (account.ToldAt is { } told && told < held.AskedAt) Wrongs.Add($"{key} was bounced and delivered: {account}");
        if (records.Any(r => r.Record.Decides && r.At < held.AskedAt)) Wrongs.Add($"{key} was decided and leased again");
        if (records.Any(r => r.Record.Decides && r.At > held.ReceivedAt)) Wrongs.Add($"{key} was decided while another's lease of it ran: {account}");
        foreach (var earlier in account.Dots)
        {
            if (records.Any(r => r.Record.Finishes && r.At < held.AskedAt)) Wrongs.Add($"{key} was recorded as delivered and leased again: {account}");
            else if (earlier.At >= earlier.Held.Until) Wrongs.Add($"{key} was sent after its lease had ended, and again: {account}");
            else if (!earlier.Held.Cut && earlier.Worker.Alive && earlier.Held.Until > held.ReceivedAt) Wrongs.Add($"{key} was leased twice at a time: {account}");
        }

        account.Dots.Add((Loop.Now, held, worker));
    }

    /// <summary>The lease of another worker under which a recipient is in work now.</summary>
    public (SimWorker Worker, SimWorker.Held Held)? Holder(RecipientKey key, SimWorker besides) =>
        _workers.Where(w => w != besides).SelectMany(w => w.Current(key).Select(h => ((SimWorker, SimWorker.Held)?)(w, h))).FirstOrDefault();

    /// <summary>An attempt of a recipient failed: refused for now or for good, or cut after the dot.</summary>
    public void Tried(RecipientKey key) => _accounts[key].Refusals++;

    public void Told(RecipientKey key, NoticeKind kind)
    {
        if (kind == NoticeKind.Expired && _accounts[key].Refusals == 0) Wrongs.Add($"{key} expired without an attempt that failed");
        if (kind is NoticeKind.Failed or NoticeKind.Expired) _accounts[key].ToldAt ??= Loop.Now;
    }

    private IEnumerable<LedgerRecord> Records(RecipientKey key) => (LedgerStore.ByKey.GetValueOrDefault(key) ?? []).Select(r => r.Record);

    private bool IsSettled() => _accounts.Keys.All(k => Records(k).Any(r => r.Finishes));

    private async Task IngressAsync()
    {
        while (Loop.Now - _start < FaultsFor - TimeSpan.FromSeconds(20))
        {
            await Loop.Delay(500, 8_000);
            var id = new PackId(99, ++_packs);
            var began = Loop.Now;
            var entries = new List<PackEntry>();
            ushort ordinal = 0;
            foreach (var domain in Domains.Where(_ => Loop.Random.Next(3) > 0))
            {
                for (var m = Loop.Random.Next(1, 4); m > 0; m--)
                {
                    var keys = Enumerable.Range(ordinal, Loop.Random.Next(1, 4)).Select(o => id.Recipient((ushort)o)).ToArray();
                    ordinal += (ushort)keys.Length;
                    entries.Add(new PackEntry
                    {
                        Domain = domain, Tenant = "t" + Loop.Random.Next(2), Offset = (uint)keys[0].Ordinal * 100, Length = 100, Keys = keys, Born = began, Message = new MessageId(keys[0]),
                    });
                }
            }

            if (entries.Count == 0) continue;
            await Loop.Delay(1, 200);
            Packs.Add(new PackToc { Name = PackName.Birth(id), Created = began, Entries = entries });
            foreach (var key in entries.SelectMany(e => e.Keys)) _accounts[key] = new Account();
            foreach (var domain in entries.GroupBy(e => e.Domain)) Loop.Start(() => HandOverAsync(id, began, domain.Key, [.. domain]));
        }
    }

    private async Task HandOverAsync(PackId id, StoreTime began, string domain, PackEntry[] entries)
    {
        var sent = Loop.Now;
        if (Loop.Random.Next(8) == 0) await Loop.Delay(0, Loop.Random.Next(2) == 0 ? 30_000 : 200_000);
        var forged = Breaks.HasFlag(Breaks.LateHandOver);
        var offer = new Offer
        {
            SentAt = forged ? Loop.Now : sent, CommitBegan = forged ? Loop.Now : began, Pack = PackName.Birth(id),
            Entries = [.. entries.Select(e => new OfferedEntry { Offset = e.Offset, Length = e.Length, Tenant = e.Tenant, Keys = [.. e.Keys], Born = e.Born, Message = e.Message.First })],
        };
        await Call(() => Believed(domain), domain, q => Task.FromResult(q.Offer(offer)));
    }

    private async Task FaultsAsync()
    {
        while (true)
        {
            await Loop.Delay(2_000, 40_000);
            if (Loop.Now - _start > FaultsFor) break;
            switch (Loop.Random.Next(8))
            {
                case 0:
                    await LoseSiloAsync(cut: false);
                    break;
                case 1:
                    await LoseSiloAsync(cut: true);
                    break;
                case 2:
                    Move(Domains[Loop.Random.Next(2)], _silos[Loop.Random.Next(_silos.Count)]);
                    break;
                case 3:
                    IndexServer.Wipe();
                    break;
                case 4:
                    // Its peers hear from it, the silos do not.
                    _workers[Loop.Random.Next(_workers.Count)].CutUntil = Loop.Now + TimeSpan.FromSeconds(Loop.Random.Next(5, 90));
                    break;
                case 5:
                    var clock = _silos[Loop.Random.Next(_silos.Count)].Clock;
                    clock.IsSettled = false;
                    Loop.At(Loop.Random.Next(1_000, 60_000), () => clock.IsSettled = true);
                    break;
                default:
                    var worker = Loop.Random.Next(_workers.Count);
                    _workers[worker].Crash();
                    _workers[worker] = new SimWorker(this, "w" + ++_ids);
                    break;
            }
        }

        Trouble = 0;
    }

    private void Move(string domain, SimSilo to)
    {
        var from = _owners[domain].Silo;
        if (from == to) to = _silos.First(s => s != from);
        _owners[domain] = (to, from, Loop.Now);
    }

    // Killed, or cut off: then it lives on and does not know for up to 10 s that its row is dead.
    private async Task LoseSiloAsync(bool cut)
    {
        var lost = _silos[Loop.Random.Next(_silos.Count)];
        if (cut)
        {
            lost.CutAt = Loop.Now;
            lost.CutWith.UnionWith(_workers.Where(_ => Loop.Random.Next(2) == 0));
        }
        else lost.Crash();
        await Loop.Delay(cut ? 1 : 1_000, 8_000);
        _silos.Remove(lost);
        _silos.Add(new SimSilo(this, ++_ids));
        LedgerStore.Seal(lost.Id);
        Documents.End(lost.Id);
        foreach (var domain in Domains)
        {
            if (_owners[domain].Silo == lost) Move(domain, _silos[Loop.Random.Next(_silos.Count)]);
        }

        if (!cut) return;
        Loop.At(Loop.Random.Next(20_000, 90_000), lost.Crash);
    }

    /// <summary>What happened to one recipient.</summary>
    private sealed class Account
    {
        public List<(StoreTime At, SimWorker.Held Held, SimWorker Worker)> Dots { get; } = [];

        public StoreTime? ToldAt { get; set; }

        public int Refusals { get; set; }

        public override string ToString() => $"{Dots.Count} dots ({string.Join(", ", Dots.Select(d => $"granted {d.Held.AskedAt} to {d.Held.ReceivedAt} sent {d.At} until {d.Held.Until} alive {d.Worker.Alive}"))}), told {ToldAt}";
    }
}
