using Angarium.Mail;
using Angarium.Mail.Retry;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class RetryScheduleTests
{
    private static readonly RetrySchedule Default = new(
        [.. new[] { 5, 10, 20, 40, 60, 120, 240 }.Select(m => TimeSpan.FromMinutes(m))], 0.2, TimeSpan.FromDays(4));

    private static readonly Gen<RecipientKey> Keys = Gen.Select(Gen.ULong, Gen.UInt, Gen.UShort, (w, p, o) => new RecipientKey(w, p, o));

    [Fact]
    public void NominalDelay_BeyondTheList_RepeatsTheLast()
    {
        Assert.Equal(TimeSpan.FromMinutes(5), Default.NominalDelay(1));
        Assert.Equal(TimeSpan.FromMinutes(240), Default.NominalDelay(7));
        Assert.Equal(TimeSpan.FromMinutes(240), Default.NominalDelay(int.MaxValue));
    }

    [Fact]
    public void DelayAfter_Jitter_StaysWithinItsPart() => Gen.Select(Keys, Gen.Int[1, 300]).Sample((key, attempt) =>
    {
        var nominal = Default.NominalDelay(attempt);
        var delay = Default.DelayAfter(attempt, key);
        return delay >= nominal * 0.8 && delay <= nominal * 1.2 && delay == Default.DelayAfter(attempt, key);
    });

    [Fact]
    public void DelayAfter_ManyMessages_AreSpread()
    {
        // Neighbouring keys, as one pack makes them, fill all tenths of the range about evenly.
        var tenths = new int[10];
        for (ushort i = 0; i < 10_000; i++)
            tenths[(int)((Default.DelayAfter(1, new RecipientKey(7, 1, i)) / Default.NominalDelay(1) - 0.8) / 0.4 * 10)]++;
        Assert.All(tenths, n => Assert.InRange(n, 850, 1150));
        // And the attempts of one message differ.
        Assert.Equal(20, Enumerable.Range(7, 20).Select(a => Default.DelayAfter(a, new RecipientKey(7, 1, 0))).Distinct().Count());
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 1)]
    [InlineData(4.9, 1)]
    [InlineData(5, 2)]
    [InlineData(14.9, 2)]
    [InlineData(15, 3)]
    [InlineData(495, 8)]
    [InlineData(734.9, 8)]
    [InlineData(735, 9)]
    public void AttemptsForAge_Age_CountsTheAttemptsBefore(double minutes, int attempts) => Assert.Equal(attempts, Default.AttemptsForAge(TimeSpan.FromMinutes(minutes)));

    [Fact]
    public void AttemptsForAge_OldestThereIs_DoesNotOverflow() =>
        Assert.Equal(int.MaxValue, new RetrySchedule([TimeSpan.FromTicks(1)], 0, TimeSpan.FromDays(1)).AttemptsForAge(TimeSpan.MaxValue));

    [Fact]
    public void DueForLost_Entries_AreSpreadOverTheNextInterval() => Gen.Select(Keys, Gen.Long[0, 400_000_000]).Sample((key, age) =>
    {
        var now = new StoreTime(1_000_000_000_000);
        var accepted = now - TimeSpan.FromMilliseconds(age);
        var due = Default.DueForLost(now, accepted, default, key);
        Assert.InRange(due.Milliseconds, now.Milliseconds, (now + Default.NominalDelay(Default.AttemptsForAge(now - accepted))).Milliseconds);
        Assert.Equal(now + TimeSpan.FromDays(30), Default.DueForLost(now, accepted, now + TimeSpan.FromDays(30), key));
    });

    [Fact]
    public void IsExpired_AtTheAge_IsTrue()
    {
        var accepted = new StoreTime(1000);
        Assert.False(Default.IsExpired(accepted, accepted + TimeSpan.FromDays(4) - TimeSpan.FromMilliseconds(1)));
        Assert.True(Default.IsExpired(accepted, accepted + TimeSpan.FromDays(4)));
    }

    [Fact]
    public void New_BadValues_AreRefused()
    {
        Assert.ThrowsAny<ArgumentException>(() => new RetrySchedule([], 0, TimeSpan.FromDays(1)));
        Assert.ThrowsAny<ArgumentException>(() => new RetrySchedule([TimeSpan.Zero], 0, TimeSpan.FromDays(1)));
        Assert.ThrowsAny<ArgumentException>(() => new RetrySchedule([TimeSpan.FromSeconds(1)], 1, TimeSpan.FromDays(1)));
        Assert.ThrowsAny<ArgumentException>(() => new RetrySchedule([TimeSpan.FromSeconds(1)], double.NaN, TimeSpan.FromDays(1)));
        Assert.ThrowsAny<ArgumentException>(() => new RetrySchedule([TimeSpan.FromSeconds(1)], 0, TimeSpan.Zero));
    }
}
