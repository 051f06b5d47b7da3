using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Time;

/// <summary>
/// The store's time of one process among many (design rule 18): its monotonic clock plus an offset measured from the times in the store's answers. Those have whole seconds, so that an
/// interval is kept in which the offset lies: each answer narrows it, the drift of clocks widens it again. Small corrections are slewed, by at most 0.5 %, so that no age ever runs backwards.
/// Not settled (nothing is granted or expired): before the first answer, without one for a minute, and when one is more than 5 s off, until answers have agreed with it for 10 s; then that
/// is the time, for all others have it, too. Any thread; nothing survives the process.
/// </summary>
public sealed partial class MeasuredStoreClock : IStoreClock, IDisposable
{
    /// <summary>Without an answer for so long, one is asked for.</summary>
    public static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(60);

    /// <summary>Milliseconds; the drift is that of two clocks against each other. An answer's time may be a little older than the answer: some servers keep it until a timer has run.</summary>
    private const double Step = 5_000, SettleAfter = 10_000, Second = 1_000, Lag = 50, WidestBegin = 5_000, Drift = 200e-6, MaxSlew = 0.005;

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly long _begin;
    private readonly CancellationTokenSource _stop = new();
    private volatile Line _line;
    private volatile Last? _last;
    private volatile bool _isAgreed;
    private Range? _range, _pending;
    private double _pendingSince;
    private ITimer? _timer;
    private Func<CancellationToken, Task>? _measure;

    public MeasuredStoreClock(TimeProvider time, ILogger logger)
    {
        (_time, _logger, _begin) = (time, logger, time.GetTimestamp());

        // Until the first answer the machine's own clock is all there is.
        _line = new Line(0, Wall(), Wall());
    }

    public StoreTime Now
    {
        get
        {
            var local = Local(_time.GetTimestamp());
            return new StoreTime((long)(local + _line.At(local)));
        }
    }

    public bool IsSettled => _isAgreed && _last is { } last && SinceAnswer(last) <= Stale;

    /// <summary>Half the width of the interval in which the offset lies; null = nothing is known.</summary>
    internal TimeSpan? Uncertainty
    {
        get
        {
            lock (_gate) return _range is { } range ? TimeSpan.FromMilliseconds((range.High - range.Low) / 2) : null;
        }
    }

    /// <summary>Begins to ask when no answer has come for 10 s.</summary>
    /// <param name="measure">Any one request, whose answer comes by <see cref="Sample"/>. Bounded by its own time-outs; may throw.</param>
    public void Start(Func<CancellationToken, Task> measure)
    {
        _measure = measure;
        _timer = _time.CreateTimer(static self => _ = ((MeasuredStoreClock)self!).TickAsync(), this, MeasureEvery, Timeout.InfiniteTimeSpan);
    }

    /// <summary>An answer that carried the time <paramref name="date"/>, asked for and received at these timestamps.</summary>
    public void Sample(long begun, long ended, DateTimeOffset date)
    {
        var told = (date - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        var now = Local(ended);

        // The store's clock showed that second at some moment between the two.
        var sample = new Range(told - now, told + Second + Lag - Local(begun), now);
        lock (_gate)
        {
            _last = new Last(ended, Wall());
            if (_pending is { } pending) Settle(pending, sample);
            else if (_range is not { } range) Begin(sample);
            else if (sample.DistanceTo(_line.At(now)) > Step)
            {
                // An answer on its way for long says nothing when it is all alone.
                if (sample.Width > WidestBegin) return;
                (_pending, _pendingSince, _isAgreed) = (sample, now, false);
                LogStepped(_logger, TimeSpan.FromMilliseconds(sample.Middle - _line.At(now)));
            }
            else
            {
                var narrowed = range.At(now).Intersect(sample) ?? sample;
                _range = narrowed;
                _line = new Line(now, _line.At(now), narrowed.Middle);
            }
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _timer?.Dispose();
        _stop.Dispose();
    }

    private void Begin(Range sample)
    {
        if (sample.Width <= WidestBegin) Adopt(sample);
    }

    private void Adopt(Range range)
    {
        _range = range;
        _line = new Line(range.Time, range.Middle, range.Middle);
        _isAgreed = true;
    }

    private void Settle(Range pending, Range sample)
    {
        if (pending.At(sample.Time).Intersect(sample) is not { } agreed)
        {
            if (sample.Width <= WidestBegin) (_pending, _pendingSince) = (sample, sample.Time);
            return;
        }

        _pending = agreed;
        if (sample.Time - _pendingSince < SettleAfter) return;
        var step = agreed.Middle - _line.At(sample.Time);
        _pending = null;
        Adopt(agreed);
        LogSettled(_logger, TimeSpan.FromMilliseconds(step));
    }

    private async Task TickAsync()
    {
        try
        {
            var next = _last is { } last ? MeasureEvery - SinceAnswer(last) : TimeSpan.Zero;
            if (next <= TimeSpan.Zero)
            {
                try
                {
                    await _measure!(_stop.Token).ConfigureAwait(false);
                }
                catch (Exception failure)
                {
                    LogNotMeasured(_logger, failure.Message);
                }

                next = _last is { } after ? MeasureEvery - SinceAnswer(after) : TimeSpan.Zero;
            }

            _timer!.Change(next > RetryEvery ? next : RetryEvery, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // Closed meanwhile.
        }
    }

    /// <summary>Of the wall clock and the monotonic one the larger: a machine that slept stops the latter.</summary>
    private TimeSpan SinceAnswer(Last last)
    {
        var (monotonic, wall) = (_time.GetElapsedTime(last.Timestamp), TimeSpan.FromMilliseconds(Wall() - last.Wall));
        return monotonic > wall ? monotonic : wall;
    }

    private double Local(long timestamp) => _time.GetElapsedTime(_begin, timestamp).TotalMilliseconds;

    private double Wall() => (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;

    [LoggerMessage(1074, LogLevel.Error, "The store's time is {Step} away from what it was, or this process stood still: it grants nothing until that has been so for 10 s")]
    private static partial void LogStepped(ILogger logger, TimeSpan step);

    [LoggerMessage(1075, LogLevel.Warning, "The store's time has settled {Step} away from what it was")]
    private static partial void LogSettled(ILogger logger, TimeSpan step);

    [LoggerMessage(1076, LogLevel.Warning, "The store's time could not be measured: {Reason}")]
    private static partial void LogNotMeasured(ILogger logger, string reason);

    private sealed record Last(long Timestamp, double Wall);

    /// <summary>Where the offset lay at a moment of the local clock.</summary>
    private readonly record struct Range(double Low, double High, double Time)
    {
        public double Width => High - Low;

        public double Middle => (Low + High) / 2;

        public double DistanceTo(double offset) => Math.Max(0, Math.Max(Low - offset, offset - High));

        /// <summary>Widened by what clocks drift until then; an answer that overtook a later one widens nothing.</summary>
        public Range At(double time)
        {
            var drift = Drift * Math.Max(0, time - Time);
            return new Range(Low - drift, High + drift, Math.Max(time, Time));
        }

        public Range? Intersect(Range other) =>
            Math.Max(Low, other.Low) is var low && Math.Min(High, other.High) is var high && low <= high ? new Range(low, high, Math.Max(Time, other.Time)) : null;
    }

    /// <summary>The offset in use: on its way from one value to the next, no faster than <see cref="MaxSlew"/>.</summary>
    private sealed class Line(double begin, double from, double target)
    {
        public double At(double local)
        {
            var most = MaxSlew * Math.Max(0, local - begin);
            return from + Math.Clamp(target - from, -most, most);
        }
    }
}
