namespace Angarium.Spool;

/// <summary>What a process may do with the stores, by the roles it has (design: "Roles"). What it may not, its credentials do not allow either.</summary>
[Flags]
public enum StoreRights
{
    None = 0,

    /// <summary>Ingress: create packs in the spool, and nothing else there.</summary>
    Create = 1,

    /// <summary>Egress: read packs.</summary>
    ReadPacks = 2,

    /// <summary>Api: read and list the ledger.</summary>
    ReadLedger = 4,

    /// <summary>Every client: read the membership document.</summary>
    Cluster = 8,

    /// <summary>Grains: all of it, including what no other role may: append, move, delete, write documents.</summary>
    All = 31,
}
