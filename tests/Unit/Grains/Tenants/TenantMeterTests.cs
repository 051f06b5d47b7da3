using Angarium.Grains.Tenants;
using Angarium.Mail;
using CsCheck;

namespace Angarium.Unit.Grains.Tenants;

/// <summary>What a tenant's quota lets through, however ingress processes ask and however late they use what they were given.</summary>
public sealed class TenantMeterTests
{
    private StoreTime _now = new(1_000_000_000_000);

    /// <summary>40 senders over three processes: each asks again and again. No window of ten seconds sees more than ten times the rate and one burst; and of the rate next to nothing is lost.</summary>
    [Fact]
    public void Lease_ManyAsk_NoWindowSeesMoreThanTheQuota() => Gen.Select(Gen.Int[1, 120].Array[400], Gen.Int[1, 60].Array[400]).Sample((pauses, wants) =>
    {
        const int Rate = 100;
        var meter = new TenantMeter();
        var quota = new TenantQuota { PerSecond = Rate };
        var now = _now;
        var grants = new List<(StoreTime At, int Count)>();
        for (var i = 0; i < pauses.Length; i++)
        {
            now += TimeSpan.FromMilliseconds(pauses[i]);
            var (granted, retryAfter) = meter.Lease(quota, wants[i], now);
            Assert.InRange(granted, 0, wants[i]);
            Assert.Equal(granted < wants[i], retryAfter > TimeSpan.Zero);
            grants.Add((now, granted));
        }

        // Used at its very end, a lease that was given just before a window counts in it.
        var window = TimeSpan.FromSeconds(10) + TenantMeter.LeaseLasts;
        foreach (var (start, _) in grants)
            Assert.InRange(grants.Where(g => g.At >= start && g.At < start + window).Sum(g => g.Count), 0, (int)(Rate * 10 + Rate * TenantMeter.Burst.TotalSeconds));
        var lasted = (now - grants[0].At).TotalSeconds;
        if (wants.Sum() > Rate * lasted * 3) Assert.InRange(grants.Sum(g => g.Count), Rate * lasted * 0.95, Rate * lasted + Rate);
    }, iter: 300);

    [Fact]
    public void Lease_SlowRate_OneComesAtATime()
    {
        var meter = new TenantMeter();
        var quota = new TenantQuota { PerSecond = 0.1 };
        Assert.Equal((1, TimeSpan.Zero), meter.Lease(quota, 1, _now));
        Assert.Equal((0, TimeSpan.FromSeconds(10)), meter.Lease(quota, 1, _now));
        Assert.Equal(1, meter.Lease(quota, 1, _now + TimeSpan.FromSeconds(10)).Granted);
    }

    [Fact]
    public void Lease_HourAndDay_EndAndBeginAgain()
    {
        var meter = new TenantMeter();
        var quota = new TenantQuota { PerHour = 10, PerDay = 15 };
        _now = new(24 * 3_600_000L * 20_000 + 3_000_000);
        Assert.Equal(10, meter.Lease(quota, 100, _now).Granted);
        Assert.Equal((0, TimeSpan.FromMinutes(10)), meter.Lease(quota, 1, _now));
        _now += TimeSpan.FromMinutes(10);
        Assert.Equal((5, TimeSpan.FromHours(23)), meter.Lease(quota, 10, _now));
        Assert.Equal((5, 15), (meter.Usage.InHour, meter.Usage.InDay));
        _now += TimeSpan.FromHours(23);
        Assert.Equal(10, meter.Lease(quota, 10, _now).Granted);
    }

    [Fact]
    public void Lease_AfterACrash_CountsWhatWasWrittenDown()
    {
        var meter = new TenantMeter();
        meter.Restore(new TenantUsage(_now.Milliseconds / 3_600_000, 9, _now.Milliseconds / 86_400_000, 9));
        Assert.Equal(1, meter.Lease(new TenantQuota { PerHour = 10 }, 5, _now).Granted);
    }

    [Fact]
    public void Connections_OverProcesses_NeverMoreThanTheQuota()
    {
        var meter = new TenantMeter();
        var quota = new TenantQuota { Connections = 10 };
        Assert.Equal(7, meter.Connections(quota, "a", 7, _now));
        Assert.Equal(3, meter.Connections(quota, "b", 5, _now));
        Assert.Equal(0, meter.Connections(quota, "c", 1, _now));
        Assert.Equal(6, meter.Connections(quota, "a", 6, _now));
        Assert.Equal(1, meter.Connections(quota, "c", 1, _now));
        // A process that died had its connections with it.
        _now += TenantMeter.Silent + TimeSpan.FromSeconds(1);
        Assert.Equal(10, meter.Connections(quota, "d", 20, _now));
        Assert.Equal(1_000, meter.Connections(new TenantQuota(), "e", 1_000, _now));
    }
}
