using Angarium.Contracts.Admin;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Membership;
using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Angarium.Grains.Control;

/// <summary>The desk of a silo: an activation on that very silo, which whoever calls asks for. No state.</summary>
[GrainType("silo-desk"), RandomPlacement]
internal sealed class SiloDeskGrain(Suspensions suspensions, QueueShapes shapes, ISilos silos) : Grain, ISiloDesk
{
    public async Task<bool> Hear()
    {
        if (!IsHere()) return false;
        await suspensions.RefreshAsync(CancellationToken.None);
        return true;
    }

    public async Task<ShapeSums?> Sum(ShapeRequest request, int[] partitions) => IsHere() ? await shapes.SumAsync(request, partitions, CancellationToken.None) : null;

    private bool IsHere()
    {
        // What is activated from here on is placed as ever.
        RequestContext.Remove(IPlacementDirector.PlacementHintKey);
        if (silos.Own == this.GetPrimaryKeyString()) return true;
        DeactivateOnIdle();
        return false;
    }
}
