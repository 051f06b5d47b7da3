using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Unit.Spool;

/// <summary>The store's time keeps its own line, whatever the machine's clock does (design rule 18).</summary>
public sealed class EmbeddedStoreClockTests
{
    private const long Start = 1_800_000_000_000;
    private readonly Machine _machine = new();
    private readonly Lines _lines = new();

    [Fact]
    public void Measure_AfterAJumpOfFiveDays_WaitsTellsOnceAndKeepsItsLine()
    {
        using var clock = new EmbeddedStoreClock(_machine, _lines);
        Advance(clock, 10);
        Assert.True(clock.IsSettled);
        _machine.Wall += TimeSpan.FromDays(5).TotalMilliseconds;
        Advance(clock, 10);
        Assert.False(clock.IsSettled);
        Advance(clock, 5);
        Assert.False(clock.IsSettled);
        Advance(clock, 5);
        Assert.True(clock.IsSettled);
        Advance(clock, 10);
        Assert.Equal(new StoreTime(Start + 40_000), clock.Now);
        Assert.Equal([LogLevel.Error, LogLevel.Warning], _lines.Levels);
    }

    [Fact]
    public void Measure_WhileTheClockKeepsJumping_StaysUnsettled()
    {
        using var clock = new EmbeddedStoreClock(_machine, _lines);
        for (var i = 0; i < 10; i++)
        {
            _machine.Wall += 6_000;
            Advance(clock, 10);
            Assert.False(clock.IsSettled);
        }

        Assert.Equal([LogLevel.Error], _lines.Levels);
    }

    [Theory]
    [InlineData(2_000, 50)]
    [InlineData(-2_000, -50)]
    [InlineData(10, 10)]
    public void Measure_ASmallDifference_IsSlewedAway(int difference, int afterTenSeconds)
    {
        using var clock = new EmbeddedStoreClock(_machine, _lines);
        _machine.Wall += difference;
        clock.Measure();
        Advance(clock, 10);
        Assert.True(clock.IsSettled);
        Assert.Equal(Start + 10_000 + afterTenSeconds, clock.Now.Milliseconds);
        Assert.Empty(_lines.Levels);
    }

    [Fact]
    public void Start_WithAWallClockBehindWhatIsStored_GoesOnFromThere()
    {
        using var clock = new EmbeddedStoreClock(_machine, _lines, new StoreTime(Start + 3_600_000));
        Advance(clock, 10);
        Assert.True(clock.IsSettled);
        Assert.Equal(new StoreTime(Start + 3_610_000), clock.Now);
    }

    private void Advance(EmbeddedStoreClock clock, int seconds)
    {
        _machine.Wall += seconds * 1000;
        _machine.Monotonic += seconds * 1000;
        clock.Measure();
    }

    private sealed class Machine : TimeProvider
    {
        public double Wall { get; set; } = Start;

        public long Monotonic { get; set; } = 77;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Monotonic;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddMilliseconds(Wall);
    }

    private sealed class Lines : ILogger
    {
        public List<LogLevel> Levels { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Levels.Add(logLevel);
    }
}
