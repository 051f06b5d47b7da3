using System.Diagnostics.CodeAnalysis;
using Angarium.Contracts.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Sites;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// What may be leased, in one lane per tenant and class: tenants share by deficit round robin over recipients, transactional before bulk within a tenant
/// (design rule 22). Entries leave by state: one that is no longer <see cref="EntryState.Ready"/> is skipped. One domain's turn.
/// </summary>
internal sealed class ReadyLanes
{
    private const int Quantum = 10;

    private readonly Dictionary<string, TenantLanes> _tenants = [];
    private readonly LinkedList<TenantLanes> _round = [];

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
        if (!_tenants.TryGetValue(entry.Lane.Tenant, out var tenant)) _tenants[entry.Lane.Tenant] = tenant = new TenantLanes(entry.Lane.Tenant);
        if (tenant.Node is null) tenant.Node = _round.AddLast(tenant);
        entry.State = EntryState.Ready;
        if (first) tenant.Lanes[(int)entry.Lane.Class & 1].AddFirst(entry);
        else tenant.Lanes[(int)entry.Lane.Class & 1].AddLast(entry);
        tenant.Ready[(int)entry.Lane.Class & 1]++;
        Count++;
        if (entry.FreshUntil == default) ReadBack++;
    }

    /// <summary>An entry leaves without having been taken (finished elsewhere, dropped, held back).</summary>
    public void Leave(QueueEntry entry, EntryState state)
    {
        if (entry.State != EntryState.Ready) return;
        entry.State = state;
        _tenants[entry.Lane.Tenant].Ready[(int)entry.Lane.Class & 1]--;
        Count--;
        if (entry.FreshUntil == default) ReadBack--;
    }

    /// <summary>The next entry by share. It is no longer ready.</summary>
    public bool TryTake(int maxRecipients, [MaybeNullWhen(false)] out QueueEntry entry)
    {
        while (_round.First is { } first)
        {
            var tenant = first.Value;
            if (tenant.Peek() is not { } next)
            {
                _round.Remove(first);
                tenant.Node = null;
                tenant.Deficit = 0;
                _tenants.Remove(tenant.Name);
                continue;
            }

            var cost = Math.Min(next.Keys.Length, maxRecipients);
            if (tenant.Deficit < cost)
            {
                tenant.Deficit += Quantum;
                if (_round.Count > 1)
                {
                    _round.RemoveFirst();
                    _round.AddLast(first);
                }

                continue;
            }

            tenant.Deficit -= cost;
            tenant.Lanes[(int)next.Lane.Class & 1].RemoveFirst();
            Leave(next, EntryState.Leased);
            entry = next;
            return true;
        }

        entry = null;
        return false;
    }

    public IEnumerable<QueueEntry> Entries() =>
        _round.SelectMany(t => t.Lanes.SelectMany(l => l)).Where(e => e.State == EntryState.Ready).Distinct();

    public LaneDemand[] Demand()
    {
        var demand = new List<LaneDemand>();
        foreach (var tenant in _round)
        {
            for (var c = 0; c < 2; c++)
            {
                if (tenant.Ready[c] > 0) demand.Add(new LaneDemand(tenant.Name, (MessageClass)c, tenant.Ready[c]));
            }
        }

        return [.. demand];
    }

    private sealed class TenantLanes(string name)
    {
        public readonly string Name = name;
        public readonly LinkedList<QueueEntry>[] Lanes = [new(), new()];
        public readonly int[] Ready = new int[2];
        public int Deficit;
        public LinkedListNode<TenantLanes>? Node;

        public QueueEntry? Peek()
        {
            foreach (var lane in Lanes)
            {
                while (lane.First is { } node)
                {
                    if (node.Value.State == EntryState.Ready) return node.Value;
                    lane.RemoveFirst();
                }
            }

            return null;
        }
    }
}
