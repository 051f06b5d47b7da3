using Angarium.Mail;
using Angarium.Spool.Time;

namespace Angarium.Simulation.Kernel;

/// <summary>
/// A process's idea of the store's time (design rule 18): its monotonic clock plus an offset that it measures at the store every 10 s. A jump of more than 5 s, or a minute without a measurement,
/// and nothing is granted or expired until the offset has stood still.
/// </summary>
internal sealed class SimClock(SimProcess process) : IStoreClock
{
    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(5);
    private TimeSpan _offset;
    private TimeSpan? _step;
    private long _measured;
    private bool _isSettled = true;

    public StoreTime Now => new StoreTime(process.Time.GetTimestamp()) + _offset;

    public bool IsSettled => _isSettled && process.Time.GetTimestamp() - _measured < 60_000;

    /// <summary>At the start, when a start would wait for it.</summary>
    public void Begin(TimeSpan error)
    {
        _offset = process.Loop.Now - new StoreTime(process.Time.GetTimestamp()) + error;
        _measured = process.Time.GetTimestamp();
    }

    public void Measured(StoreTime store, TimeSpan error)
    {
        var offset = store - new StoreTime(process.Time.GetTimestamp()) + error;
        _measured = process.Time.GetTimestamp();
        var isStep = (offset - _offset).Duration() > s_step;
        // A step is believed when the next measurement says the same; until then the time goes on as it did.
        if (isStep && !(_step is { } step && (offset - step).Duration() <= s_step)) (_step, _isSettled) = (offset, false);
        else (_step, _offset, _isSettled) = (null, offset, true);
    }
}
