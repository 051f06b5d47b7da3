using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;

namespace Angarium.Simulation.Cluster;

/// <summary>The kinds of grain that the simulated directory places.</summary>
internal enum GrainKind { Domain, Site, Pool }

/// <summary>
/// Membership and directory as Orleans keeps them: which silos count as alive, which of them has a grain, who still believes otherwise. Two activations of one grain are possible whenever an
/// entry of the directory is lost or a silo that counts as dead lives on.
/// </summary>
internal sealed class SimCluster(SimWorld world)
{
    private const int CallLimit = 30_000;

    private readonly Dictionary<(GrainKind, string), Entry> _directory = [];

    /// <summary>Silos whose row says alive.</summary>
    public List<SimSilo> Active { get; } = [];

    /// <summary>Names of silos whose row says dead.</summary>
    public HashSet<string> Buried { get; } = [];

    public Task<T> CallAsync<T>(SimProcess from, GrainKind kind, string key, Func<object, Task<T>> call)
    {
        if (Locate(from, kind, key) is not { } silo) return Task.FromException<T>(new TimeoutException("no silo"));
        return world.Net.CallAsync(from, silo.Process, () => silo.Receive(kind, key, call), CallLimit);
    }

    public SimSilo? Owner(GrainKind kind, string key) => _directory.TryGetValue((kind, key), out var entry) && Active.Contains(entry.Silo) ? entry.Silo : null;

    /// <summary>Whether a silo may activate the grain: the directory says so, or the silo cannot know better.</summary>
    public bool MayActivate(SimSilo silo, GrainKind kind, string key)
    {
        if (silo.Process.Island != 0 || !Active.Contains(silo)) return silo.Process.Island != 0;
        if (Owner(kind, key) is { } owner) return owner == silo;
        _directory[(kind, key)] = new Entry(silo, null, default);
        return true;
    }

    /// <summary>Its row is dead: what it had is placed anew at the next call.</summary>
    public void Dead(SimSilo silo)
    {
        if (!Active.Remove(silo)) return;
        Buried.Add(silo.Process.Name);
        foreach (var (name, entry) in _directory.Where(e => e.Value.Silo == silo).ToList()) Place(name, entry.Silo);
    }

    /// <summary>The part of the directory that knew of a grain was lost: its next activation is elsewhere, the last one lives on.</summary>
    public void Forget(GrainKind kind, string key)
    {
        if (Owner(kind, key) is { } owner && Active.Count > 1) Place((kind, key), owner);
    }

    public void Deactivated(SimSilo silo, GrainKind kind, string key)
    {
        if (_directory.TryGetValue((kind, key), out var entry) && entry.Silo == silo) _directory.Remove((kind, key));
    }

    public IEnumerable<string> Keys(GrainKind kind) => _directory.Keys.Where(k => k.Item1 == kind).Select(k => k.Item2);

    private void Place((GrainKind, string) name, SimSilo before)
    {
        var others = Active.Where(s => s != before).ToList();
        if (others.Count == 0) _directory.Remove(name);
        else _directory[name] = new Entry(others[world.Loop.Random.Next(others.Count)], before, world.Loop.Now);
    }

    private SimSilo? Locate(SimProcess from, GrainKind kind, string key)
    {
        var name = (kind, key);
        if (Owner(kind, key) is null)
        {
            if (Active.Count == 0) return null;
            var silo = Active[world.Loop.Random.Next(Active.Count)];
            _directory[name] = _directory.TryGetValue(name, out var old) ? new Entry(silo, old.Silo, world.Loop.Now) : new Entry(silo, null, default);
        }

        var entry = _directory[name];
        if (entry.Before is not { Process.IsDead: false } before) return Cut(from, kind, key) ?? entry.Silo;
        // Caches of the directory are old for a while; who is cut off together with the last owner knows of no other.
        if (from.Island != 0 && SimNet.Reaches(from, before.Process)) return before;
        return world.Loop.Now - entry.Since < world.Staleness && world.Loop.Random.Next(2) == 0 ? before : entry.Silo;
    }

    // Within an island grains are looked for there.
    private SimSilo? Cut(SimProcess from, GrainKind kind, string key) =>
        from.Island == 0 ? null : world.Silos.Find(s => !s.Process.IsDead && SimNet.Reaches(from, s.Process) && s.Has(kind, key));

    private sealed record Entry(SimSilo Silo, SimSilo? Before, StoreTime Since);
}
