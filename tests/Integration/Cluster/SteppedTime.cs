namespace Angarium.Integration.Cluster;

/// <summary>A process's clock that can be set; the monotonic one goes on as it does. Any thread.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private long _offset;

    public void Step(TimeSpan by) => Interlocked.Add(ref _offset, by.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _offset));
}
