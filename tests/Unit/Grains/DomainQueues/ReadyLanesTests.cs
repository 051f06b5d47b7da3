using Angarium.Contracts.DomainQueues;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Unit.Grains.DomainQueues;

public sealed class ReadyLanesTests
{
    private readonly QueuePool _default = new("default"), _bulk = new("bulk");
    private readonly ReadyLanes _ready;
    private string _inBulk = "";

    public ReadyLanesTests() => _ready = new ReadyLanes([_default, _bulk], tenant => tenant == _inBulk ? _bulk : _default);

    /// <summary>A domain that is held gets mail for days, and nobody asks for it: what leaves for the index must leave the memory too.</summary>
    [Fact]
    public void Leave_WithoutAnybodyAsking_LeavesNothingBehind()
    {
        for (var i = 0; i < 100; i++)
        {
            var entry = Add($"t{i % 10}", (ushort)i);
            _ready.Leave(entry, EntryState.Leaving);
            Assert.Null(entry.Node);
        }

        Assert.Equal((0, 0), (_ready.Count, _ready.Tenants));
        Assert.Empty(_ready.Entries());
    }

    [Fact]
    public void Leave_OneOfSeveral_LeavesTheOthersInTheirOrder()
    {
        var entries = Enumerable.Range(0, 4).Select(i => Add("t", (ushort)i)).ToList();
        _ready.Leave(entries[1], EntryState.Leaving);
        // Again is no harm.
        _ready.Leave(entries[1], EntryState.Gone);
        _ready.Add(entries[1]);
        var taken = new List<QueueEntry>();
        while (_ready.TryTake(_default, 100, out var entry)) taken.Add(entry);
        Assert.Equal([entries[0], entries[2], entries[3], entries[1]], taken);
        Assert.Equal(0, _ready.Count);
    }

    /// <summary>What is ready of a tenant goes with it, in its order, and counts where it is.</summary>
    [Fact]
    public void Follow_TenantInAnotherPool_ItsLanesAreThere()
    {
        QueueEntry[] entries = [Add("a", 0), Add("b", 1), Add("a", 2)];
        Assert.True(_ready.TryTake(_default, 100, out var first));
        Assert.Same(entries[0], first);
        _inBulk = "a";
        _ready.Follow(default);
        Assert.Equal((1, 1, 2), (_default.Ready, _bulk.Ready, _ready.Count));
        Assert.Equal("a", Assert.Single(ReadyLanes.Demand(_bulk)).Tenant);
        // Put back, what was taken under the old pool is in the new one, before the rest.
        _ready.Add(first, first: true);
        Assert.True(_ready.TryTake(_bulk, 100, out var again));
        Assert.Same(entries[0], again);
        Assert.True(_ready.TryTake(_bulk, 100, out again));
        Assert.Same(entries[2], again);
        Assert.False(_ready.TryTake(_bulk, 100, out _));
        Assert.True(_ready.TryTake(_default, 100, out again));
        Assert.Same(entries[1], again);
        Assert.Equal((0, 0, 0), (_default.Ready, _bulk.Ready, _ready.Count));
    }

    private QueueEntry Add(string tenant, ushort ordinal)
    {
        var key = new RecipientKey(7, 1, ordinal);
        var entry = new QueueEntry { Lane = new Lane(tenant, MessageClass.Transactional), Birth = new EntryPlace(new PackName(PackKind.Birth, 7, 1), 16, 100), Message = key, Keys = [key] };
        _ready.Add(entry);
        return entry;
    }
}
