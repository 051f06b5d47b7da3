using Angarium.Mail;

namespace Angarium.Contracts.Intake;

/// <summary>
/// Counts the recipients that queues refused for want of room, each for ten minutes or until its domain accepts again (design rule 23). Any thread;
/// nothing survives a crash, and nothing needs to: the sweep offers what was refused. Memory: at most one row per refused recipient.
/// </summary>
public sealed class RefusalWindow
{
    /// <summary>How long a refusal counts.</summary>
    public static readonly TimeSpan Span = TimeSpan.FromMinutes(10);

    private const int Slots = 20;
    private const long SlotMilliseconds = 30_000;

    private readonly Lock _lock = new();
    private readonly Queue<(long Slot, Dictionary<string, long> Domains)> _slots = new(Slots + 1);
    private long _total;

    /// <summary>Refused recipients that count now.</summary>
    public long Count(StoreTime now)
    {
        if (Volatile.Read(ref _total) == 0) return 0;
        lock (_lock)
        {
            Forget(now);
            return _total;
        }
    }

    public void Refused(string domain, int recipients, StoreTime now)
    {
        if (recipients <= 0) return;
        lock (_lock)
        {
            Forget(now);
            var slot = now.Milliseconds / SlotMilliseconds;
            Dictionary<string, long>? domains = null;
            foreach (var (number, counts) in _slots)
                if (number >= slot) domains = counts;
            if (domains is null) _slots.Enqueue((slot, domains = []));
            domains[domain] = domains.GetValueOrDefault(domain) + recipients;
            _total += recipients;
        }
    }

    public void Accepted(string domain)
    {
        if (Volatile.Read(ref _total) == 0) return;
        lock (_lock)
        {
            foreach (var (_, domains) in _slots)
                if (domains.Remove(domain, out var count)) _total -= count;
        }
    }

    private void Forget(StoreTime now)
    {
        var oldest = now.Milliseconds / SlotMilliseconds - Slots;
        while (_slots.TryPeek(out var first) && first.Slot < oldest)
        {
            foreach (var count in first.Domains.Values) _total -= count;
            _slots.Dequeue();
        }
    }
}
