using Angarium.Contracts.DomainQueues;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Unit.Grains.DomainQueues;

public sealed class ReadyLanesTests
{
    private readonly ReadyLanes _ready = new();

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
        while (_ready.TryTake(100, out var entry)) taken.Add(entry);
        Assert.Equal([entries[0], entries[2], entries[3], entries[1]], taken);
        Assert.Equal(0, _ready.Count);
    }

    private QueueEntry Add(string tenant, ushort ordinal)
    {
        var key = new RecipientKey(7, 1, ordinal);
        var entry = new QueueEntry { Lane = new Lane(tenant, MessageClass.Transactional), Birth = new EntryPlace(new PackName(PackKind.Birth, 7, 1), 16, 100), Message = key, Keys = [key] };
        _ready.Add(entry);
        return entry;
    }
}
