using Angarium.Mail;

namespace Angarium.Spool.Time;

/// <summary>
/// The store's time (design rule 18): what every age, due time, lease and expiry is computed from. Any thread.
/// </summary>
public interface IStoreClock
{
    StoreTime Now { get; }

    /// <summary>False while the offset is unknown or has just jumped by more than 5 s: nothing is granted, renewed or expired until it has settled.</summary>
    bool IsSettled { get; }
}
