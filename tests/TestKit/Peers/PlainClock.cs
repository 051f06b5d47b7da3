using Angarium.Mail;
using Angarium.Spool.Time;

namespace Angarium.TestKit.Peers;

/// <summary>The store's time as a time provider has it.</summary>
public sealed class PlainClock(TimeProvider time) : IStoreClock
{
    public StoreTime Now => StoreTime.FromDateTimeOffset(time.GetUtcNow());

    public bool IsSettled { get; set; } = true;
}
