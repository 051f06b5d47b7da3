using Angarium.Spool.Files;

namespace Angarium.Spool;

/// <summary>How the stores behave. Plain values: the host binds them from the settings of the same names. Immutable.</summary>
public sealed record SpoolOptions
{
    /// <summary>`Spool:Spacing`: least time between the starts of a writer's commits under load, of packs and (a second at most) of the ledger; null = what suits the store.</summary>
    public TimeSpan? Spacing { get; init; }

    /// <summary>`Spool:Cache`: octets of just-committed packs kept for their first attempts, and on a remote store four times as many of what lies beside what was read; 0 = none.</summary>
    public long Cache { get; init; } = 16L << 20;

    /// <summary>`Spool:MinFree`: below this much free disk new mail is answered 452: a share (`10%`, as KumoMTA) or octets.</summary>
    public string MinFree { get; init; } = "10%";

    /// <summary>One line per mistake, each naming the setting and the fix.</summary>
    public IEnumerable<string> Validate()
    {
        if (Spacing < TimeSpan.Zero || Spacing > TimeSpan.FromSeconds(10)) yield return "Spool:Spacing: must be from 0s to 10s.";
        if (Cache < 0) yield return "Spool:Cache: must be 0 (none) or a number of octets.";
        if (!Files.MinFree.TryParse(MinFree, out _)) yield return $"Spool:MinFree: `{MinFree}` is neither a share of the disk up to 90%, such as `10%`, nor a number of octets.";
    }
}
