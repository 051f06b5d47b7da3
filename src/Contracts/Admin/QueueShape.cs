using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>What rows of a <see cref="QueueShape"/> are of. Numbers cross the wire.</summary>
public enum ShapeBy : byte { Domain = 1, Site = 2, Tenant = 3 }

/// <summary>Which part of all queues is counted, and how: what all that is said names. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.ShapeRequest")]
public sealed record ShapeRequest
{
    [Id(0)] public ShapeBy By { get; init; } = ShapeBy.Domain;

    [Id(1)] public string? Domain { get; init; }

    [Id(2)] public string? Tenant { get; init; }

    /// <summary>Its name without a pool.</summary>
    [Id(3)] public string? Site { get; init; }

    /// <summary>Rows at most, the largest first.</summary>
    [Id(4)] public int Limit { get; init; } = 50;
}

/// <summary>Queued recipients by what they are of and how long ago they were accepted. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.ShapeRow")]
public sealed record ShapeRow
{
    /// <summary>What each of <see cref="Ages"/> is younger than, in minutes; the last has no end. As Postfix' qshape has them.</summary>
    public static readonly int[] Minutes = [5, 10, 20, 40, 80, 160, 320, 640, 1280];

    [Id(0)] public required string Name { get; init; }

    [Id(1)] public long Queued { get; init; }

    /// <summary>One more than <see cref="Minutes"/>. Of very long queues by a sample.</summary>
    [Id(2)] public long[] Ages { get; init; } = [];

    public static int AgeOf(TimeSpan age)
    {
        var at = 0;
        while (at < Minutes.Length && age.TotalMinutes >= Minutes[at]) at++;
        return at;
    }
}

/// <summary>All queues in a table. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.QueueShape")]
public sealed record QueueShape
{
    /// <summary>The largest first.</summary>
    [Id(0)] public ShapeRow[] Rows { get; init; } = [];

    /// <summary>Of all rows, those that are left out too.</summary>
    [Id(1)] public required ShapeRow Total { get; init; }

    /// <summary>Rows that are left out.</summary>
    [Id(2)] public long MoreRows { get; init; }

    /// <summary>Ages are in part those of samples.</summary>
    [Id(3)] public bool IsSampled { get; init; }

    /// <summary>The index could not be reached: what waits there is not counted.</summary>
    [Id(4)] public bool IndexAway { get; init; }

    /// <summary>Silos that did not answer: mail that only they have in memory, of the last seconds, is not counted.</summary>
    [Id(5)] public int SilentSilos { get; init; }

    /// <summary>Of some domains the site was not looked up: there are too many, or DNS was slow.</summary>
    [Id(6)] public bool LacksSites { get; init; }
}
