namespace Angarium.Spool.Verification;

/// <summary>What <see cref="SpoolVerifier"/> found. Grows while it runs, on its thread; whoever is told of progress may read it meanwhile.</summary>
public sealed class VerifyReport
{
    /// <summary>Most problems that are kept; the rest are counted.</summary>
    public const int MaxProblems = 1_000;

    private readonly List<VerifyProblem> _problems = [];

    public long Packs { get; internal set; }

    public long Entries { get; internal set; }

    /// <summary>Octets of the packs and of the ledger's blocks.</summary>
    public long Bytes { get; internal set; }

    public long Streams { get; internal set; }

    public long Records { get; internal set; }

    /// <summary>Octets behind the last intact record of files that were not ended: of writes in progress, or cut off by a crash; never acknowledged.</summary>
    public long TornBytes { get; internal set; }

    public long ProblemCount { get; private set; }

    /// <summary>The first <see cref="MaxProblems"/>; to be read when the run has ended.</summary>
    public IReadOnlyList<VerifyProblem> Problems => _problems;

    internal void Add(string where, string what)
    {
        ProblemCount++;
        if (_problems.Count < MaxProblems) _problems.Add(new VerifyProblem(where, what));
    }
}

/// <summary>One finding, in one line. Immutable.</summary>
/// <param name="Where">A file, pack or stream.</param>
public sealed record VerifyProblem(string Where, string What)
{
    public override string ToString() => $"{Where}: {What}";
}
