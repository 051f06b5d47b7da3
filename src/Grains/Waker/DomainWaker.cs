using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Waker;

/// <summary>How the waker reaches a domain's queue. An exception = not reached now; it is called again.</summary>
internal interface IWakeCalls
{
    ValueTask WakeAsync(string domain);
}

/// <summary>
/// Activates the domains that have something due soon (design rule 16: 40 s before, which hides the wait of a new owner), over this silo's share of the partitions. One pass at a time;
/// what it remembers is only whom it called since it was last at the end of their partition: domains that cannot read what is due, for whatever reason, stay in the list and hide nobody.
/// </summary>
internal sealed partial class DomainWaker(IQueueIndex index, IWakeCalls calls, IStoreClock clock, IStanding standing, ISilos silos, ILogger<DomainWaker> log)
{
    private const int PerPartition = 64;
    private const int Concurrency = 64;
    private static readonly TimeSpan Ahead = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, StoreTime> _called = [];

    /// <summary>Between two passes: what is due in 40 s may be found a few seconds late; alone, nothing is looked for before it is due.</summary>
    public TimeSpan Interval => TimeSpan.FromSeconds(standing.IsSoleProcess ? 1 : 5);

    /// <exception cref="IOException">The index cannot be reached.</exception>
    public async Task PassAsync(CancellationToken cancellationToken)
    {
        var now = clock.Now;
        int[] mine = [.. IndexPartition.All.Where(p => silos.IsMine((ulong)p))];
        // Domains that were called are in the list until they have read what is due: look behind them.
        var limit = PerPartition + _called.Keys.GroupBy(IndexPartition.Of).Select(g => g.Count()).DefaultIfEmpty().Max();
        var wakes = mine.Length == 0 ? [] : await index.WakesAsync(mine, standing.IsSoleProcess ? now : now + Ahead, limit, cancellationToken);
        var full = wakes.GroupBy(w => IndexPartition.Of(w.Domain)).Where(g => g.Count() >= limit).Select(g => g.Key).ToHashSet();
        foreach (var old in _called.Where(c => now - c.Value >= Again && !full.Contains(IndexPartition.Of(c.Key))).Select(c => c.Key).ToList()) _called.Remove(old);
        Exception? failure = null;
        foreach (var some in wakes.Select(w => w.Domain).Where(d => _called.TryAdd(d, now)).ToList().Chunk(Concurrency))
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var failed in await Task.WhenAll(some.Select(CallAsync))) failure ??= failed;
        }

        if (failure is not null) LogFailed(log, failure.Message);
    }

    private async Task<Exception?> CallAsync(string domain)
    {
        try
        {
            await calls.WakeAsync(domain);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    [LoggerMessage(2102, LogLevel.Warning, "Some domains could not be woken and are called again: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
