using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>The index in numbers, for gauges and for admission; beside the seam, as no rule depends on them. Any thread.</summary>
internal interface IIndexTotals
{
    /// <summary>How old the numbers may be: they cost more in some indexes than in others.</summary>
    TimeSpan SampleEvery { get; }

    /// <summary>There is no room for what is new, and new mail is to be refused (design rule 23).</summary>
    bool IsFull { get; }

    /// <summary>Throws <see cref="IOException"/> when the index cannot be reached.</summary>
    ValueTask<IndexTotals> TotalsAsync(IReadOnlyList<int> partitions, CancellationToken cancellationToken);

    /// <summary>Every lane of these partitions, with how many recipients it has, and when some of them were born: all where they are few, else as many as there is time for, drawn at random.</summary>
    /// <param name="partitions">Which.</param>
    /// <param name="domain">Of this domain alone, which is in one of them; null = of all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">The index cannot be reached.</exception>
    IAsyncEnumerable<IndexLane> LanesAsync(IReadOnlyList<int> partitions, string? domain, CancellationToken cancellationToken);
}

/// <summary>A lane in numbers. A value.</summary>
/// <param name="Domain">Whose.</param>
/// <param name="Lane">Which.</param>
/// <param name="Queued">Recipients.</param>
/// <param name="Born">Some of them, by pack: one of each pack, and how many of those that were looked at are in it.</param>
internal readonly record struct IndexLane(string Domain, Lane Lane, long Queued, IReadOnlyList<(RecipientKey One, int Count)> Born)
{
    /// <summary>Recipients of one lane that are looked at, and of one domain; of each lane eight at least.</summary>
    public const int MostOfLane = 400, MostOfDomain = 4_000, LeastOfLane = 8;
}

/// <param name="OldestDue">When the earliest recipient is due; null = nothing is queued.</param>
internal readonly record struct IndexTotals(long Queued, StoreTime? OldestDue);
