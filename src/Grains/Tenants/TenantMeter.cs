using Angarium.Mail;

namespace Angarium.Grains.Tenants;

/// <summary>
/// A tenant's messages and connections over the whole cluster: leases what is free in small blocks that end soon, so that what one ingress process does not use is nobody's loss and no window
/// ever sees more than the quota. A plain machine on its grain's turn, with time passed in. Counts of the hour and the day survive in a document, which says more than was used: what a crash
/// loses was counted already.
/// </summary>
internal sealed class TenantMeter
{
    /// <summary>A block is to be used within this time.</summary>
    public static readonly TimeSpan LeaseLasts = TimeSpan.FromMilliseconds(500);

    /// <summary>An ingress process that was silent for so long has no connections any more.</summary>
    public static readonly TimeSpan Silent = TimeSpan.FromSeconds(15);

    /// <summary>What may come at once: so much of the rate, and one message at least.</summary>
    public static readonly TimeSpan Burst = TimeSpan.FromSeconds(1);

    private const int MaxIngresses = 10_000;

    private readonly Dictionary<string, (int Connections, StoreTime HeardAt)> _ingresses = [];
    private double _tokens = double.NaN;
    private StoreTime _filledAt;

    /// <summary>Messages leased in the present hour and day.</summary>
    public TenantUsage Usage { get; private set; }

    /// <summary>What was counted before this activation.</summary>
    public void Restore(TenantUsage usage) => Usage = usage;

    /// <summary>Leases up to <paramref name="wanted"/> messages; when there are too few, the time until there is one more.</summary>
    public (int Granted, TimeSpan RetryAfter) Lease(TenantQuota quota, int wanted, StoreTime now)
    {
        if (wanted <= 0) return (0, TimeSpan.Zero);
        var usage = Usage.At(now);
        var (free, wait) = ((double)wanted, TimeSpan.Zero);
        if (quota.PerSecond > 0)
        {
            Fill(quota.PerSecond, now);
            free = Math.Min(free, Math.Floor(_tokens + 1e-9));
            wait = TimeSpan.FromSeconds(Math.Max(0.01, (1 - _tokens) / quota.PerSecond));
        }

        if (quota.PerHour > 0 && usage.InHour + free > quota.PerHour) (free, wait) = (quota.PerHour - usage.InHour, usage.HourEnds - now);
        if (quota.PerDay > 0 && usage.InDay + free > quota.PerDay) (free, wait) = (quota.PerDay - usage.InDay, usage.DayEnds - now);
        var granted = (int)Math.Max(0, free);
        if (quota.PerSecond > 0) _tokens -= granted;
        Usage = usage with { InHour = usage.InHour + granted, InDay = usage.InDay + granted };
        return (granted, granted < wanted ? wait : TimeSpan.Zero);
    }

    /// <summary>What one ingress process has, and how many it may have.</summary>
    public int Connections(TenantQuota quota, string ingress, int has, StoreTime now)
    {
        foreach (var (other, known) in _ingresses)
            if (now - known.HeardAt > Silent) _ingresses.Remove(other);
        if (has <= 0)
        {
            _ingresses.Remove(ingress);
            return quota.Connections > 0 ? 0 : int.MaxValue;
        }

        var others = _ingresses.Where(one => one.Key != ingress).Sum(one => (long)one.Value.Connections);
        var may = quota.Connections > 0 ? (int)Math.Clamp(quota.Connections - others, 0, has) : has;
        if (may > 0 && (_ingresses.Count < MaxIngresses || _ingresses.ContainsKey(ingress))) _ingresses[ingress] = (may, now);
        return may;
    }

    private void Fill(double perSecond, StoreTime now)
    {
        // A lease may be used at its end, when the next is given already: that much less may be saved up, so that no window sees more than its rate and one burst.
        var most = Math.Max(1, perSecond * (Burst - LeaseLasts).TotalSeconds);
        _tokens = double.IsNaN(_tokens) ? most : Math.Min(most, _tokens + Math.Max(0, (now - _filledAt).TotalSeconds) * perSecond);
        _filledAt = now;
    }
}

/// <summary>Messages of one hour and one day (both of UTC). A value; stored.</summary>
internal readonly record struct TenantUsage(long Hour, long InHour, long Day, long InDay)
{
    private const long MillisecondsPerHour = 3_600_000, MillisecondsPerDay = 24 * MillisecondsPerHour;

    public StoreTime HourEnds => new((Hour + 1) * MillisecondsPerHour);

    public StoreTime DayEnds => new((Day + 1) * MillisecondsPerDay);

    /// <summary>The same at another time: an hour or a day that is over counts nothing.</summary>
    public TenantUsage At(StoreTime now)
    {
        var (hour, day) = (now.Milliseconds / MillisecondsPerHour, now.Milliseconds / MillisecondsPerDay);
        return new TenantUsage(hour, hour == Hour ? InHour : 0, day, day == Day ? InDay : 0);
    }
}
