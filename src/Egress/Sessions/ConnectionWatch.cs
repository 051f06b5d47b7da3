using System.Collections.Concurrent;

namespace Angarium.Egress.Sessions;

/// <summary>
/// Ends connections whose step takes too long or whose lease has ended: one timer for all, so that a step costs two writes of a field and no timer of its
/// own. Ticks on a pool thread, while there are any.
/// </summary>
internal sealed class ConnectionWatch : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<long, SmtpConnection> connections = new();
    private readonly ITimer timer;
    private long last;
    private int ticking;

    public ConnectionWatch(TimeProvider time)
    {
        Time = time;
        timer = time.CreateTimer(static self => ((ConnectionWatch)self!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public TimeProvider Time { get; }

    public int Count => connections.Count;

    /// <summary>Watches a connection under the number that is returned.</summary>
    public long Add(SmtpConnection connection)
    {
        var number = Interlocked.Increment(ref last);
        connections[number] = connection;
        if (Interlocked.Exchange(ref ticking, 1) == 0) timer.Change(Tick, Tick);
        return number;
    }

    public void Remove(long number) => connections.TryRemove(number, out _);

    public void Dispose() => timer.Dispose();

    private void Look()
    {
        if (connections.IsEmpty)
        {
            // One that comes just now may find the ticking on: it is looked at once more before the rest.
            timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Volatile.Write(ref ticking, 0);
            if (connections.IsEmpty || Interlocked.Exchange(ref ticking, 1) != 0) return;
            timer.Change(Tick, Tick);
        }

        var now = Time.GetTimestamp();
        foreach (var (_, connection) in connections) connection.Check(now);
    }
}
