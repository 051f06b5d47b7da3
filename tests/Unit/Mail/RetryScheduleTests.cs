using Angarium.Mail;
using Angarium.Mail.Retry;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class RetryScheduleTests
{
    private static readonly RetrySchedule Default = new(
        [.. new[] { 5, 10, 20, 40, 60, 120, 240 }.Select(m => TimeSpan.FromMinutes(m))], 0.2, TimeSpan.FromDays(4), TimeSpan.FromHours(4));

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
    [InlineData(4.9, 0)]
    [InlineData(5, 1)]
    [InlineData(14.9, 1)]
    [InlineData(15, 2)]
    [InlineData(495, 7)]
    [InlineData(734.9, 7)]
    [InlineData(735, 8)]
    [InlineData(1e9, 255)]
    public void Recover_Age_CountsTheDelaysThatFitIntoIt(double minutes, int attempts)
    {
        var now = new StoreTime(1_000_000_000_000_000);
        Assert.Equal(attempts, Default.Recover(now - TimeSpan.FromMinutes(minutes), now, new RecipientKey(1, 2, 3)).Attempts);
    }

    [Fact]
    public void Recover_Entries_AreSpreadOverTheNextInterval() => Gen.Select(Keys, Gen.Long[300_000, 400_000_000]).Sample((key, age) =>
    {
        var now = new StoreTime(1_000_000_000_000);
        var (attempts, due) = Default.Recover(now - TimeSpan.FromMilliseconds(age), now, key);
        Assert.InRange(due.Milliseconds, now.Milliseconds, (now + Default.NominalDelay(attempts + 1)).Milliseconds);
    });

    [Fact]
    public void Recover_YoungEntry_IsDueAtOnce()
    {
        var now = new StoreTime(1_000_000_000_000);
        Assert.Equal((0, now - TimeSpan.FromMinutes(4)), Default.Recover(now - TimeSpan.FromMinutes(4), now, new RecipientKey(1, 2, 3)));
    }

    [Fact]
    public void IsDelayNoticeDue_OverAllAttempts_IsTrueOnce() => Keys.Sample(key =>
    {
        var accepted = new StoreTime(1_000_000_000_000);
        var (failed, due, notices) = (accepted, default(StoreTime), 0);
        for (var attempt = 1; attempt < 20; attempt++)
        {
            var next = failed + Default.DelayAfter(attempt, key);
            if (Default.IsDelayNoticeDue(accepted, due, attempt - 1, next, key))
            {
                notices++;
                Assert.True(failed - accepted >= TimeSpan.FromHours(4));
            }

            (failed, due) = (next, next);
        }

        return notices == 1;
    });

    [Fact]
    public void IsExpired_AtTheAge_IsTrue()
    {
        var accepted = new StoreTime(1000);
        Assert.False(Default.IsExpired(accepted, accepted + TimeSpan.FromDays(4) - TimeSpan.FromMilliseconds(1)));
        Assert.True(Default.IsExpired(accepted, accepted + TimeSpan.FromDays(4)));
    }
}
