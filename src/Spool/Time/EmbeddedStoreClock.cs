using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Time;

/// <summary>
/// The store's time of a single process (design rule 18): it starts with the wall clock, never behind <c>notBefore</c>, and runs on the monotonic clock, so that no age ever jumps. Every 10 s
/// the wall clock is compared: small differences are slewed away by at most 0.5 %; a step of more than 5 s is told once, nothing is granted or expired until the new difference has stood for
/// 10 s, and this clock keeps its own line. A start takes the wall clock again. Any thread.
/// </summary>
public sealed partial class EmbeddedStoreClock(TimeProvider time, ILogger logger, StoreTime notBefore = default) : IStoreClock, IDisposable
{
    public static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(10);

    private const double Step = 5_000, Stable = 1_000, MaxSlew = 0.005;

    private readonly Lock _gate = new();
    private volatile Line _line = Begin(time, notBefore);
    private double _accepted = AcceptedAtStart(time, notBefore);
    private (double Difference, long Since)? _unsettled;
    private volatile bool _isSettled = true;
    private ITimer? _timer;

    public StoreTime Now => new((long)_line.At(time, time.GetTimestamp()));

    public bool IsSettled => _isSettled;

    /// <summary>Begins to measure every 10 s.</summary>
    public void Start() => _timer ??= time.CreateTimer(static self => ((EmbeddedStoreClock)self!).Measure(), this, MeasureEvery, MeasureEvery);

    /// <summary>Compares wall and monotonic time now.</summary>
    public void Measure()
    {
        lock (_gate)
        {
            var timestamp = time.GetTimestamp();
            var now = _line.At(time, timestamp);
            var difference = Wall(time) - now;
            var drift = difference - _accepted;
            if (_unsettled is { } pending)
            {
                if (Math.Abs(difference - pending.Difference) > Stable)
                {
                    _unsettled = (difference, timestamp);
                    return;
                }

                if (time.GetElapsedTime(pending.Since, timestamp) < MeasureEvery) return;
                _unsettled = null;
                _accepted = difference;
                _line = new Line(timestamp, now, 1);
                _isSettled = true;
                LogSettled(logger, TimeSpan.FromMilliseconds(difference));
                return;
            }

            if (Math.Abs(drift) > Step)
            {
                _isSettled = false;
                _unsettled = (difference, timestamp);
                _line = new Line(timestamp, now, 1);
                LogStepped(logger, TimeSpan.FromMilliseconds(drift));
                return;
            }

            _line = new Line(timestamp, now, 1 + Math.Clamp(drift / MeasureEvery.TotalMilliseconds, -MaxSlew, MaxSlew));
        }
    }

    public void Dispose() => _timer?.Dispose();

    private static double Wall(TimeProvider time) => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;

    private static Line Begin(TimeProvider time, StoreTime notBefore) => new(time.GetTimestamp(), Math.Max(Wall(time), notBefore.Milliseconds), 1);

    /// <summary>A wall clock that is behind what is stored stays behind: that difference is no step.</summary>
    private static double AcceptedAtStart(TimeProvider time, StoreTime notBefore) => Math.Min(0, Wall(time) - notBefore.Milliseconds);

    [LoggerMessage(1060, LogLevel.Error, "The machine's clock has jumped by {Step}: mail waits until it has stood still for 10 s; ages and due times go on as if it had not")]
    private static partial void LogStepped(ILogger logger, TimeSpan step);

    [LoggerMessage(1061, LogLevel.Warning, "The machine's clock stands {Difference} from the store's time, which goes on unchanged")]
    private static partial void LogSettled(ILogger logger, TimeSpan difference);

    /// <summary>Store time as a straight line over the monotonic clock.</summary>
    private sealed record Line(long Timestamp, double Milliseconds, double Rate)
    {
        public double At(TimeProvider time, long timestamp) => Milliseconds + time.GetElapsedTime(Timestamp, timestamp).TotalMilliseconds * Rate;
    }
}
