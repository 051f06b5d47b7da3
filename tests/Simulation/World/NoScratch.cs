using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>No scratch files: no message here is large.</summary>
internal sealed class NoScratch : IScratchFolder
{
    public IScratchWriter? TryCreate() => null;
}
