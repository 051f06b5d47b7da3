namespace Angarium.Mail;

/// <summary>
/// A moment on the store's clock (design rule 18), in milliseconds since 1970-01-01T00:00:00Z. Ages, due times and expiry are
/// computed from these alone, never from a process's wall clock. A value; survives in packs, ledger and index.
/// </summary>
public readonly record struct StoreTime(long Milliseconds) : IComparable<StoreTime>
{
    public static StoreTime Zero => default;

    public static StoreTime FromDateTimeOffset(DateTimeOffset value) => new(value.ToUnixTimeMilliseconds());

    public DateTimeOffset ToDateTimeOffset() => DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds);

    public int CompareTo(StoreTime other) => Milliseconds.CompareTo(other.Milliseconds);

    public static StoreTime Max(StoreTime a, StoreTime b) => a >= b ? a : b;

    public static StoreTime Min(StoreTime a, StoreTime b) => a <= b ? a : b;

    public static StoreTime operator +(StoreTime t, TimeSpan d) => new(checked(t.Milliseconds + (long)d.TotalMilliseconds));

    public static StoreTime operator -(StoreTime t, TimeSpan d) => new(checked(t.Milliseconds - (long)d.TotalMilliseconds));

    public static TimeSpan operator -(StoreTime a, StoreTime b) => TimeSpan.FromMilliseconds(a.Milliseconds - b.Milliseconds);

    public static bool operator <(StoreTime a, StoreTime b) => a.Milliseconds < b.Milliseconds;

    public static bool operator >(StoreTime a, StoreTime b) => a.Milliseconds > b.Milliseconds;

    public static bool operator <=(StoreTime a, StoreTime b) => a.Milliseconds <= b.Milliseconds;

    public static bool operator >=(StoreTime a, StoreTime b) => a.Milliseconds >= b.Milliseconds;

    public override string ToString() => ToDateTimeOffset().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
