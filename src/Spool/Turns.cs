namespace Angarium.Spool;

/// <summary>
/// Whether this project's awaits come back to the caller's turn. Never in production: grains call the spool, and what follows a write must not wait for a turn of theirs. The simulation,
/// in which everything is a step of one loop, sets it once before it begins. Any thread.
/// </summary>
internal static class Turns
{
    public static bool Captured { get; set; }
}
