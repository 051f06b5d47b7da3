namespace Angarium.Grains.DomainQueues;

/// <summary>Clauses of the design's rules that a queue leaves out. The simulation breaks each on purpose, to see that it is needed; nothing else leaves out any.</summary>
[Flags]
internal enum Waived
{
    None = 0,

    /// <summary>6: only a report under a current lease of one's own decides.</summary>
    StaleDecides = 1,

    /// <summary>6: only the owner decides.</summary>
    OwnerDecides = 2,

    /// <summary>6: expiry needs a failure besides age.</summary>
    ExpiryNeedsFailure = 4,

    /// <summary>11: what is fresh is in the index after 10 s.</summary>
    IndexAfter = 8,

    /// <summary>12: the judge's view is newer than its reading of the index.</summary>
    JudgeView = 16,

    /// <summary>13: what is in no listing is struck.</summary>
    Struck = 32,

    /// <summary>15: what was leased before is leased again only after a confirmation.</summary>
    ConfirmAgain = 64,

    /// <summary>16: nothing read back is granted before 35 s.</summary>
    TokenWait = 128,

    /// <summary>16: only the holder of the token takes what it did not grant.</summary>
    HolderListens = 256,

    /// <summary>17: five lost leases in a row hold a message.</summary>
    LostLeases = 512,

    /// <summary>11: fresh is what was committed within 30 s.</summary>
    Fresh = 1024,
}
