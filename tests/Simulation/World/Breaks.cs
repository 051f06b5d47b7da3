namespace Angarium.Simulation.World;

/// <summary>Clauses of the rules that a run breaks on purpose, in the doubles around the real machines: each has a seed that notices.</summary>
[Flags]
internal enum Breaks
{
    None = 0,

    /// <summary>6: a failure reported under a lease that has ended decides all the same, as if it came under the lease that is current.</summary>
    Decision = 1024,

    /// <summary>7: the record that decides is not written; the notice is.</summary>
    DecidedFirst = 1,

    /// <summary>8: the ledger acknowledges before the write.</summary>
    AppendFirst = 2,

    /// <summary>11: a late hand-over claims to be new.</summary>
    LateHandOver = 4,

    /// <summary>12: the sweep's look does not see, so that nothing is ever offered.</summary>
    Sweep = 8,

    /// <summary>13: the view is not refreshed after the index was read.</summary>
    Refresh = 16,

    /// <summary>14: the index takes every token for the owner's.</summary>
    Token = 32,

    /// <summary>15: a worker sends its final dot whatever its lease says.</summary>
    Abort = 64,

    /// <summary>16: what is read back is granted without the wait.</summary>
    Wait = 128,

    /// <summary>18: putting an entry leaves the wake-up as it was.</summary>
    WakeUp = 256,

    /// <summary>14: a silo whose row is dead takes it for alive, and its token for confirmed without a look.</summary>
    Confirm = 512,
}
