using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.TestKit.Time;

/// <summary>Time that stands still until it is let pass, and tells who waits for it to go on. Any thread.</summary>
public sealed class WatchedTime() : FakeTimeProvider(DateTimeOffset.UtcNow)
{
    private readonly Channel<TimeSpan> _made = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _made.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Until somebody waits for so long; those before are passed over.</summary>
    public async Task MadeAsync(TimeSpan dueTime)
    {
        while (await _made.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20)) != dueTime) { }
    }
}
