namespace Angarium.Chaos.Faults;

/// <summary>What a fault did: whom it struck and whose attempts under way it may double (see <see cref="Accounting.Strike"/>).</summary>
internal sealed record Struck(string Victim, string Doubles);

/// <summary>
/// A kind of fault. <paramref name="StrikeAsync"/> takes a victim, reports it as soon as the fault is seen to hold, keeps it for a while, and returns when what it struck
/// serves again; false = no victim was free (or there is none, which a run tells at its end). Throws when something does not come back. With <paramref name="InClusterOnly"/> it makes no
/// sense where one process has all roles.
/// </summary>
internal sealed record Fault(string Name, Func<Arena, Random, Action<Struck>, Task<bool>> StrikeAsync, bool InClusterOnly = false);
