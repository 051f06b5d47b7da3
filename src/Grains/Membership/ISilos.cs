namespace Angarium.Grains.Membership;

/// <summary>Which silos there are, and this one's share of what all of them could do (packs, partitions). Any thread; cheap.</summary>
public interface ISilos
{
    /// <summary>This silo's life: its address and generation. Another start has another.</summary>
    string Own { get; }

    /// <summary>Those that take part now, this one among them.</summary>
    IReadOnlyCollection<string> Living => [Own];

    /// <summary>False = it is dead for ever; null = in no list that was seen yet.</summary>
    bool? IsAlive(string silo);

    /// <summary>Whether the item falls to this silo by rendezvous hash over the living ones. While the lists of two differ both may say so, which must be harmless.</summary>
    bool IsMine(ulong item);
}
