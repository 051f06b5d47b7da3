using System.Diagnostics.CodeAnalysis;
using Angarium.Contracts.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Sites;
using Angarium.Grains.Tenants;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// What may be leased, in one lane per tenant and class: the tenants of a pool share by deficit round robin over recipients, transactional before bulk within a tenant
/// (design rule 22). One domain's turn.
/// </summary>
/// <param name="pools">Those that there are.</param>
/// <param name="poolOf">Which of them a tenant is in; asked when its lanes come to be, and when pools may have changed.</param>
internal sealed class ReadyLanes(IReadOnlyList<QueuePool> pools, Func<string, QueuePool> poolOf)
{
    private const int Quantum = 10;

    private readonly Dictionary<string, TenantLanes> _tenants = [];

    /// <summary>Entries that are ready.</summary>
    public int Count { get; private set; }

    /// <summary>Those of them that were read back from the index.</summary>
    public int ReadBack { get; private set; }

    /// <summary>Entries of one lane that are ready.</summary>
    public int CountOf(Lane lane) => _tenants.TryGetValue(lane.Tenant, out var tenant) ? tenant.Ready[(int)lane.Class & 1] : 0;

    /// <summary>Tenants that have something ready, or had it until a moment ago.</summary>
    public int Tenants => _tenants.Count;

    /// <summary>Adds at the end of its lane, or puts back what is left of an entry that was taken: <paramref name="first"/>.</summary>
    public void Add(QueueEntry entry, bool first = false)
    {
        if (!_tenants.TryGetValue(entry.Lane.Tenant, out var tenant)) _tenants[entry.Lane.Tenant] = tenant = new TenantLanes(entry.Lane.Tenant, poolOf(entry.Lane.Tenant));
        if (tenant.Node is null) tenant.Node = tenant.Pool.Round.AddLast(tenant);
        entry.State = EntryState.Ready;
        var lane = tenant.Lanes[(int)entry.Lane.Class & 1];
        entry.Node = first ? lane.AddFirst(entry) : lane.AddLast(entry);
        tenant.Ready[(int)entry.Lane.Class & 1]++;
        tenant.Pool.Ready++;
        Count++;
        if (entry.FreshUntil == default) ReadBack++;
    }

    /// <summary>An entry leaves without having been taken (finished elsewhere, dropped, held back).</summary>
    public void Leave(QueueEntry entry, EntryState state)
    {
        if (entry.State != EntryState.Ready) return;
        var tenant = _tenants[entry.Lane.Tenant];
        TakeOut(tenant, entry, state);
        // Nobody may be asking for anything for days, as while the domain is held.
        if (tenant.Peek() is null) Forget(tenant);
    }

    /// <summary>The next entry of a pool by share. It is no longer ready.</summary>
    public bool TryTake(QueuePool pool, int maxRecipients, [MaybeNullWhen(false)] out QueueEntry entry)
    {
        var round = pool.Round;
        while (round.First is { } first)
        {
            var tenant = first.Value;
            if (tenant.Peek() is not { } next)
            {
                Forget(tenant);
                continue;
            }

            var cost = Math.Min(next.Keys.Length, maxRecipients);
            if (tenant.Deficit < cost)
            {
                tenant.Deficit += Quantum;
                if (round.Count > 1)
                {
                    round.RemoveFirst();
                    round.AddLast(first);
                }

                continue;
            }

            tenant.Deficit -= cost;
            TakeOut(tenant, next, EntryState.Leased);
            entry = next;
            return true;
        }

        entry = null;
        return false;
    }

    public IEnumerable<QueueEntry> Entries() => pools.SelectMany(pool => Entries(pool));

    public static IEnumerable<QueueEntry> Entries(QueuePool pool) => pool.Round.SelectMany(t => t.Lanes.SelectMany(l => l));

    /// <summary>Tenants may be in other pools than they were: their lanes go there, behind those that are there.</summary>
    public void Follow(StoreTime now)
    {
        foreach (var tenant in _tenants.Values)
        {
            var pool = poolOf(tenant.Name);
            if (pool == tenant.Pool) continue;
            if (tenant.Pool.Name == PoolMap.Parked) tenant.RestedUntil = now;
            var (node, ready) = (tenant.Node!, tenant.Ready[0] + tenant.Ready[1]);
            tenant.Pool.Round.Remove(node);
            tenant.Pool.Ready -= ready;
            tenant.Pool = pool;
            pool.Round.AddLast(node);
            pool.Ready += ready;
        }
    }

    public static LaneDemand[] Demand(QueuePool pool)
    {
        var demand = new List<LaneDemand>();
        foreach (var tenant in pool.Round)
        {
            for (var c = 0; c < 2; c++)
            {
                if (tenant.Ready[c] > 0) demand.Add(new LaneDemand(tenant.Name, (MessageClass)c, tenant.Ready[c]));
            }
        }

        return [.. demand];
    }

    private void TakeOut(TenantLanes tenant, QueueEntry entry, EntryState state)
    {
        entry.State = state;
        tenant.Lanes[(int)entry.Lane.Class & 1].Remove(entry.Node!);
        entry.Node = null;
        tenant.Ready[(int)entry.Lane.Class & 1]--;
        tenant.Pool.Ready--;
        Count--;
        if (entry.FreshUntil == default) ReadBack--;
    }

    private void Forget(TenantLanes tenant)
    {
        tenant.Pool.Round.Remove(tenant.Node!);
        _tenants.Remove(tenant.Name);
    }
}
