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
}

/// <param name="OldestDue">When the earliest recipient is due; null = nothing is queued.</param>
internal readonly record struct IndexTotals(long Queued, StoreTime? OldestDue);
