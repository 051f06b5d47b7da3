using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Packs;

/// <summary>What became of a pack after all attempts, and when the request that made it visible began.</summary>
internal readonly record struct PackCreated(PackOutcome Outcome, StoreTime Began);

/// <summary>What became of a pack after all attempts: it is there, another lies under its name, the store did not take it in time, there is no room.</summary>
internal enum PackOutcome { Created, Conflict, Unavailable, Full }

/// <summary>
/// Creates one pack under design rules 1 and 3: an unknown result is retried with the same name and bytes for 20 s; a conflict after an unknown result of one's own is success,
/// a conflict at first is not. Any thread.
/// </summary>
internal sealed partial class PackCreator(IPackStore store, IStoreClock clock, TimeProvider time, ILogger logger)
{
    /// <summary>Design rule 3.</summary>
    public static readonly TimeSpan RetryFor = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    public async Task<PackCreated> CreateAsync(PackName name, PackImage image)
    {
        var start = time.GetTimestamp();
        var firstBegan = clock.Now;
        var pause = FirstPause;
        for (var unknown = false; ; unknown = true)
        {
            var began = clock.Now;
            var result = await AttemptAsync(name, image).ConfigureAwait(Turns.Captured);
            switch (result)
            {
                case PackCreation.Created: return new(PackOutcome.Created, began);
                case PackCreation.Exists when unknown: return new(PackOutcome.Created, firstBegan);
                case PackCreation.Exists: return new(PackOutcome.Conflict, began);
                case PackCreation.Full: return new(PackOutcome.Full, began);
            }

            var left = RetryFor - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
            {
                LogGivenUp(logger, name);
                return new(PackOutcome.Unavailable, began);
            }

            await Task.Delay(pause < left ? pause : left, time).ConfigureAwait(Turns.Captured);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private async Task<PackCreation> AttemptAsync(PackName name, PackImage image)
    {
        using var timeout = new CancellationTokenSource(RetryFor, time);
        try
        {
            return await store.CreateAsync(name, image, timeout.Token).ConfigureAwait(Turns.Captured);
        }
        catch (Exception failure)
        {
            LogAttemptFailed(logger, name, failure);
            return PackCreation.Unknown;
        }
    }
}
