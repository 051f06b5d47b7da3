using Angarium.Contracts.Admin;
using Orleans.Concurrency;

namespace Angarium.Grains.Control;

/// <summary>What one silo asks of another by its address, which is the key. Silos only. Every call is harmless when repeated or never made.</summary>
[Alias("angarium.ISiloDesk")]
public interface ISiloDesk : IGrainWithStringKey
{
    /// <summary>Looks now at what operators suspended. False = it is not on that silo: that one is gone.</summary>
    [Alias("Hear"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<bool> Hear();

    /// <summary>Sums these partitions of the index, and what that silo has in memory alone; null = it is not on that silo.</summary>
    [Alias("Sum"), ResponseTimeout("00:01:00")]
    Task<ShapeSums?> Sum(ShapeRequest request, int[] partitions);
}

/// <summary>One silo's part of a table of the queues. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.ShapeSums")]
public sealed record ShapeSums
{
    /// <summary>As many at most; what is beyond is in <see cref="Total"/> alone.</summary>
    public const int MostRows = 100_000;

    [Id(0)] public ShapeRow[] Rows { get; init; } = [];

    [Id(1)] public required ShapeRow Total { get; init; }

    [Id(2)] public long MoreRows { get; init; }

    [Id(3)] public bool IsSampled { get; init; }

    [Id(4)] public bool IndexAway { get; init; }

    /// <summary>Of some domains the site was not looked up.</summary>
    [Id(5)] public bool LacksSites { get; init; }
}
