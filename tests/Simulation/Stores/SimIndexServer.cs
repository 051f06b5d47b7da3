using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.Simulation.Kernel;

namespace Angarium.Simulation.Stores;

/// <summary>The index server: the real index in memory, which may be wiped, fail over to a replica that lags, be full, or lose its wake-ups. Outlives every process of the relay.</summary>
internal sealed class SimIndexServer
{
    private readonly SimLoop _loop;
    private readonly List<(StoreTime At, Action<MemoryQueueIndex, ulong> Replay)> _log = [];
    private readonly HashSet<string> _asleep = [];
    private readonly Dictionary<string, (ulong Token, SimProcess? By, StoreTime MovedAt)> _owners = [];
    private ulong[] _births = [];

    public SimIndexServer(SimLoop loop)
    {
        _loop = loop;
        Link = new SimStoreLink(loop, "index", 4, 1_000);
        Index = New(loop.Draw(), null);
    }

    public SimStoreLink Link { get; }

    public MemoryQueueIndex Index { get; private set; }

    public ulong Run { get; private set; }

    public StoreTime FullUntil { get; set; }

    public bool IsFull => FullUntil > _loop.Now;

    /// <summary>When the domain last came to another owner before its last had left: what that one had recorded and not written here is due by its age.</summary>
    public StoreTime MovedAt(string domain) => _owners.GetValueOrDefault(domain).MovedAt;

    /// <summary>Whether the last token of the domain is one that another process has written and not taken away: what this one writes under its own is refused.</summary>
    public bool IsOfAnother(SimProcess process, string domain) => _owners.TryGetValue(domain, out var owner) && owner.Token != 0 && owner.By != process;

    public void Took(SimProcess process, string domain, ulong token) =>
        _owners[domain] = _owners.TryGetValue(domain, out var before) && before.Token != 0 ? (token, process, _loop.Now) : (token, process, before.MovedAt);

    public void Left(string domain, ulong token)
    {
        if (_owners.TryGetValue(domain, out var owner) && owner.Token == token) _owners[domain] = (0, null, owner.MovedAt);
    }

    /// <summary>FLUSHALL keeps the run id; a restart without data has another.</summary>
    public void Wipe(bool keepsRun)
    {
        _log.Clear();
        _asleep.Clear();
        Index = New(keepsRun ? Run : _loop.Draw(), null);
    }

    /// <summary>A replica takes over that has not seen what came last: tokens, rows and wake-ups are those of then, under another run id.</summary>
    public void FailOver(TimeSpan lag)
    {
        var last = _loop.Now - lag;
        _log.RemoveAll(l => l.At > last);
        _asleep.Clear();
        Index = New(_loop.Draw(), _births);
        foreach (var (_, replay) in _log) replay(Index, Run);
    }

    /// <summary>A replica takes over that has all members and not what wakes their domains.</summary>
    public void LoseWakes(IEnumerable<string> domains)
    {
        FailOver(TimeSpan.Zero);
        _asleep.UnionWith(domains);
    }

    /// <summary>Who asked for the wake-ups has them now (rule 18 broken).</summary>
    public void TakeWakes(IEnumerable<string> domains) => _asleep.UnionWith(domains);

    public bool IsAsleep(string domain) => _asleep.Contains(domain);

    public void Awake(string domain) => _asleep.Remove(domain);

    public void Logged(Action<MemoryQueueIndex, ulong> replay) => _log.Add((_loop.Now, replay));

    private MemoryQueueIndex New(ulong run, ulong[]? births)
    {
        Run = run;
        var drawn = new List<ulong>(256);
        var isFirst = true;
        var index = new MemoryQueueIndex(() => IsFull ? 0 : long.MaxValue, () =>
        {
            if (isFirst)
            {
                isFirst = false;
                return run;
            }

            drawn.Add(births is null ? _loop.Draw() : births[drawn.Count]);
            return drawn[^1];
        });
        _births = [.. drawn];
        return index;
    }
}
