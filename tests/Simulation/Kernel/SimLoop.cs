using Angarium.Mail;
using Angarium.Spool.Time;

namespace Angarium.Simulation.Kernel;

/// <summary>One thread and a virtual clock: everything that the simulated processes do is a step of this loop, in an order that the seed alone decides.</summary>
internal sealed class SimLoop : SynchronizationContext
{
    /// <summary>What a dead process waits for.</summary>
    public static Task Never => new TaskCompletionSource().Task;

    private readonly PriorityQueue<Action, (long At, long Order)> _steps = new();
    private long _order;
    private long _now = 1_700_000_000_000;

    public Random Random { get; }

    public Exception? Fault { get; private set; }

    public long Steps { get; private set; }

    public SimLoop(int seed) => Random = new Random(seed);

    public StoreTime Now => new(_now);

    public override void Post(SendOrPostCallback d, object? state) => At(0, () => d(state));

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    public void At(long delay, Action step) => _steps.Enqueue(step, (_now + delay, _order++));

    public Task Delay(long milliseconds)
    {
        var done = new TaskCompletionSource();
        At(milliseconds, done.SetResult);
        return done.Task;
    }

    public Task Delay(int least, int most) => Delay(Random.Next(least, most + 1));

    /// <summary>Starts work that nobody awaits; a fault of it is the fault of the run.</summary>
    public async void Start(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e)
        {
            Fault ??= e;
        }
    }

    public void Run(Func<bool> until, TimeSpan limit)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            var end = _now + (long)limit.TotalMilliseconds;
            while (Fault is null && !until() && _steps.TryDequeue(out var step, out var key) && key.At <= end)
            {
                _now = Math.Max(_now, key.At);
                Steps++;
                step();
            }
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }
}

/// <summary>A process's idea of the store's time.</summary>
internal sealed class SimClock(SimLoop loop) : IStoreClock
{
    public TimeSpan Offset { get; set; }

    public StoreTime Now => loop.Now + Offset;

    public bool IsSettled { get; set; } = true;
}

/// <summary>The loop's time for those who ask a provider of it.</summary>
internal sealed class SimTime(SimLoop loop) : TimeProvider
{
    public override long TimestampFrequency => 1_000;

    public override DateTimeOffset GetUtcNow() => loop.Now.ToDateTimeOffset();

    public override long GetTimestamp() => loop.Now.Milliseconds;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        loop.At((long)dueTime.TotalMilliseconds, () => callback(state));
        return new Shot();
    }

    private sealed class Shot : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => false;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => default;
    }
}
