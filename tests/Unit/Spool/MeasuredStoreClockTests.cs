using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Unit.Spool;

/// <summary>The store's time, measured from answers that carry whole seconds (design rule 18).</summary>
public sealed class MeasuredStoreClockTests : IDisposable
{
    private readonly Machine _machine = new();
    private readonly Lines _lines = new();
    private readonly MeasuredStoreClock _clock;

    /// <summary>By how much the store's clock is ahead of the machine's monotonic one, whose begin is that of the wall clock.</summary>
    private double _ahead = 1_234_567;

    public MeasuredStoreClockTests() => _clock = new MeasuredStoreClock(_machine, _lines);

    public void Dispose() => _clock.Dispose();

    private double Error => _clock.Now.Milliseconds - StoreNow;

    private double StoreNow => Machine.Start + _machine.Monotonic + _ahead;

    [Fact]
    public void BeforeTheFirstAnswer_NothingIsSettled()
    {
        Assert.False(_clock.IsSettled);
        Answer(50);
        Assert.True(_clock.IsSettled);
        Assert.InRange(Error, -600, 600);
    }

    [Fact]
    public void Answers_AtManyPhasesOfASecond_NarrowTheInterval()
    {
        for (var i = 0; i < 300; i++)
        {
            Answer(10);
            Advance(337);
        }

        Assert.InRange(_clock.Uncertainty!.Value.TotalMilliseconds, 0, 60);
        Assert.InRange(Error, -60, 60);
    }

    [Theory]
    [InlineData(1 + 100e-6)]
    [InlineData(1 - 100e-6)]
    public void AClockThatDrifts_IsFollowed_AndTimeNeverRunsBackwards(double rate)
    {
        var before = default(StoreTime);
        for (var i = 0; i < 3_000; i++)
        {
            Answer(10);
            Advance(7_337);
            _ahead += 7_337 * (rate - 1);
            Assert.True(_clock.IsSettled);
            Assert.True(_clock.Now > before);
            before = _clock.Now;
        }

        Assert.InRange(Error, -150, 150);
        Assert.Empty(_lines.Levels);
    }

    [Theory]
    [InlineData(3_000)]
    [InlineData(-3_000)]
    public void ASmallStep_IsSlewedAtMostHalfAPercent(double step)
    {
        for (var i = 0; i < 100; i++) Answer(10, then: 337);
        _ahead += step;
        for (var i = 0; i < 100; i++)
        {
            var (store, machine) = (_clock.Now, _machine.Monotonic);
            Answer(0, then: 100);
            Assert.InRange((_clock.Now - store).TotalMilliseconds / (_machine.Monotonic - machine), 0.98, 1.02);
        }

        for (var i = 0; i < 3_000; i++) Answer(10, then: 337);
        Assert.InRange(Error, -100, 100);
        Assert.True(_clock.IsSettled);
    }

    [Theory]
    [InlineData(40_000)]
    [InlineData(-40_000)]
    public void ALargeStep_IsAgreedOnFor10SecondsAndThenTaken(double step)
    {
        for (var i = 0; i < 20; i++) Answer(10, then: 337);
        _ahead += step;
        Answer(10, then: 500);
        Assert.False(_clock.IsSettled);
        for (var i = 0; i < 18; i++)
        {
            Answer(0, then: 500);
            Assert.False(_clock.IsSettled);
        }

        for (var i = 0; i < 3; i++) Answer(0, then: 500);
        Assert.True(_clock.IsSettled);
        Assert.InRange(Error, -600, 600);
        Assert.Equal([LogLevel.Error, LogLevel.Warning], _lines.Levels);
    }

    [Fact]
    public void AFrozenMachine_KnowsWithItsFirstAnswerAndNotBefore()
    {
        // Neither of its clocks has moved while the world went on for 40 s.
        Answer(10, then: 1_000);
        _ahead += 40_000;
        Assert.True(_clock.IsSettled);
        Answer(10);
        Assert.False(_clock.IsSettled);
    }

    [Fact]
    public void AStepThatWasNone_EndsWhereItBegan()
    {
        for (var i = 0; i < 20; i++) Answer(10, then: 337);
        _clock.Sample(_machine.Monotonic, _machine.Monotonic, DateTimeOffset.FromUnixTimeMilliseconds((long)StoreNow + 60_000));
        Assert.False(_clock.IsSettled);
        for (var i = 0; i < 40; i++) Answer(10, then: 337);
        Assert.True(_clock.IsSettled);
        Assert.InRange(Error, -600, 600);
    }

    [Fact]
    public void AnswersThatNeverAgree_AreNeverTaken()
    {
        Answer(10);
        for (var i = 0; i < 100; i++)
        {
            _ahead += 6_000;
            Answer(10, then: 4_000);
            Assert.False(_clock.IsSettled);
        }
    }

    [Fact]
    public void WithoutAnAnswerForAMinute_ItIsNotSettledUntilOneComes()
    {
        Answer(10, then: 59_000);
        Assert.True(_clock.IsSettled);
        Advance(2_000);
        Assert.False(_clock.IsSettled);
        Answer(10);
        Assert.True(_clock.IsSettled);
    }

    [Fact]
    public void AMachineThatSlept_CountsTheLargerOfItsClocks()
    {
        Answer(10, then: 1_000);
        _machine.Wall += 120_000;
        Assert.False(_clock.IsSettled);
        _ahead += 120_000;
        Answer(10);
        Assert.False(_clock.IsSettled);
    }

    [Fact]
    public void AnAnswerThatTookLong_DoesNotSettleAndDoesNotBlur()
    {
        Answer(30_000);
        Assert.False(_clock.IsSettled);
        for (var i = 0; i < 100; i++) Answer(10, then: 337);
        var before = _clock.Uncertainty;
        Answer(30_000);
        Assert.True(_clock.IsSettled);
        Assert.InRange(_clock.Uncertainty!.Value, before!.Value, before.Value + TimeSpan.FromMilliseconds(10));
    }

    [Fact]
    public async Task Start_AsksOnlyWhenNoAnswerCameFor10Seconds()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.FromUnixTimeMilliseconds(Machine.Start));
        using var clock = new MeasuredStoreClock(time, _lines);
        var asked = 0;
        clock.Start(_ =>
        {
            asked++;
            clock.Sample(time.GetTimestamp(), time.GetTimestamp(), time.GetUtcNow());
            return Task.CompletedTask;
        });
        for (var i = 0; i < 60; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            clock.Sample(time.GetTimestamp(), time.GetTimestamp(), time.GetUtcNow());
        }

        Assert.Equal(0, asked);
        for (var i = 0; i < 60; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.InRange(asked, 4, 6);
        Assert.True(clock.IsSettled);
    }

    [Fact]
    public async Task Start_GoesOnAskingWhenAskingFails()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var clock = new MeasuredStoreClock(time, _lines);
        var asked = 0;
        clock.Start(_ => Task.FromException(new IOException($"{++asked}")));
        for (var i = 0; i < 60; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.InRange(asked, 20, 30);
    }

    private void Advance(double milliseconds)
    {
        _machine.Wall += milliseconds;
        _machine.Monotonic += (long)milliseconds;
    }

    /// <summary>An answer that took so long, its time taken by the store in the middle; then time passes.</summary>
    private void Answer(double took, double then = 0)
    {
        var begun = _machine.Monotonic;
        Advance(took / 2);
        var date = DateTimeOffset.FromUnixTimeSeconds((long)StoreNow / 1000);
        Advance(took / 2);
        _clock.Sample(begun, _machine.Monotonic, date);
        Advance(then);
    }

    private sealed class Machine : TimeProvider
    {
        public const long Start = 1_800_000_000_000;

        public double Wall { get; set; } = Start;

        public long Monotonic { get; set; }

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
