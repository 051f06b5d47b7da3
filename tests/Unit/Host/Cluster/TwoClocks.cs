namespace Angarium.Unit.Host.Cluster;

/// <summary>Wall and monotonic clock, which a test can take apart.</summary>
internal sealed class TwoClocks : TimeProvider
{
    private TimeSpan _monotonic = TimeSpan.FromDays(3);

    public DateTimeOffset Wall { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Wall;

    public override long GetTimestamp() => _monotonic.Ticks;

    public void Advance(TimeSpan by)
    {
        Wall += by;
        _monotonic += by;
    }
}
