using System.Threading.RateLimiting;

namespace Angarium.Api.Callers;

/// <summary>
/// An allowance for each key of what asks. One that is quiet is forgotten after some seconds, which may happen between its being found and its being asked: then another is made, full as the
/// quiet one was. Any thread; gone with the process.
/// </summary>
/// <param name="partition">Whose allowance it is, and how large.</param>
internal sealed class Allowances<T, TKey>(Func<T, RateLimitPartition<TKey>> partition) : IDisposable where TKey : notnull
{
    /// <summary>Each time needs ten quiet seconds before it: more than one in a row says that something else is wrong.</summary>
    private const int Tries = 3;

    private readonly PartitionedRateLimiter<T> _limits = PartitionedRateLimiter.Create(partition);

    /// <param name="of">Who asks.</param>
    /// <param name="permits">So many are taken; 0 = is any left?</param>
    public bool TryTake(T of, int permits = 1)
    {
        for (var asked = 1; ; asked++)
        {
            try
            {
                using var lease = _limits.AttemptAcquire(of, permits);
                return lease.IsAcquired;
            }
            catch (ObjectDisposedException) when (asked < Tries)
            {
            }
        }
    }

    public void Dispose() => _limits.Dispose();
}
