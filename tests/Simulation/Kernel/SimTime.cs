namespace Angarium.Simulation.Kernel;

/// <summary>A process's wall and monotonic clocks and its timers. Timers are steps of the process.</summary>
internal sealed class SimTime(SimProcess process) : TimeProvider
{
    private static readonly TimeSpan s_never = Timeout.InfiniteTimeSpan;
    private long _lag;

    /// <summary>The wall clock's error; the monotonic one has none.</summary>
    public TimeSpan WallError { get; set; }

    public override long TimestampFrequency => 1_000;

    public override long GetTimestamp() => process.Loop.Now.Milliseconds - _lag;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(process.Loop.Now.Milliseconds - _lag) + WallError;

    /// <summary>Both clocks stood still.</summary>
    public void Freeze(TimeSpan how) => _lag += (long)how.TotalMilliseconds;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SimTimer(process, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class SimTimer(SimProcess process, TimerCallback callback, object? state) : ITimer
    {
        private Shot? _shot;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _shot = null;
            if (dueTime == s_never) return true;
            _shot = new Shot(this, period);
            Arm(_shot, dueTime);
            return true;
        }

        public void Dispose() => _shot = null;

        public ValueTask DisposeAsync()
        {
            _shot = null;
            return default;
        }

        private void Arm(Shot shot, TimeSpan due) => process.Loop.Enqueue(process, (long)Math.Ceiling(due.TotalMilliseconds), static s => ((Shot)s!).Timer.Fire((Shot)s), shot);

        private void Fire(Shot shot)
        {
            if (_shot != shot) return;
            if (shot.Period > TimeSpan.Zero) Arm(shot, shot.Period);
            callback(state);
        }

        private sealed record Shot(SimTimer Timer, TimeSpan Period);
    }
}
