namespace Angarium.Grains.Membership;

/// <summary>The standing of a process that has all roles and holds the lock on its data: nobody else could act for what it owns. Any thread; no state.</summary>
internal sealed class SoleStanding : IStanding
{
    public bool IsConfirmed => true;

    public bool IsSoleProcess => true;
}
