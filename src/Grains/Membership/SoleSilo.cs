namespace Angarium.Grains.Membership;

/// <summary>The silos of a process that has all roles: itself. Any thread; no state.</summary>
internal sealed class SoleSilo : ISilos
{
    /// <summary>What stands in the document of writers for the silo of a process that is alone.</summary>
    public const string Name = "-";

    public string Own => Name;

    // Whoever held the lock on Data before is gone.
    public bool? IsAlive(string silo) => silo == Name;

    public bool IsMine(ulong item) => true;
}
