using Angarium.Contracts.Configuration;
using Angarium.Mail.Retry;

namespace Angarium.Grains.DomainQueues;

/// <summary>Settings of the queues. A value; nothing survives a crash but the file it came from.</summary>
public sealed record GrainsOptions : IValidates
{
    [Setting("Retry:Schedule", "Delays between attempts; the last repeats.", Reloads = true)]
    public IReadOnlyList<TimeSpan> RetrySchedule { get; init; } =
    [
        TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(40),
        TimeSpan.FromHours(1), TimeSpan.FromHours(2), TimeSpan.FromHours(4),
    ];

    [Setting("Retry:Jitter", "Fraction by which each delay varies, drawn per message: 0.2 means 80 % to 120 %.", Reloads = true, Min = 0, Max = 0.9)]
    public double RetryJitter { get; init; } = 0.2;

    [Setting("Retry:Expire", "Age at which a message that still fails is given up and its sender told (RFC 5321 §4.5.4.1: 4 to 5 days).", Reloads = true, Min = 1)]
    public TimeSpan RetryExpire { get; init; } = TimeSpan.FromDays(4);

    [Setting("Retry:DelayNotice", "Age at which a sender who asked for it (NOTIFY=DELAY) is told once that a message is late.", Reloads = true, Min = 1)]
    public TimeSpan DelayNotice { get; init; } = TimeSpan.FromHours(4);

    [Setting("Ledger:Retention", "How long trace and events are kept.", Reloads = true, Min = 3600)]
    public TimeSpan LedgerRetention { get; init; } = TimeSpan.FromDays(30);

    [Setting("Queue:Window", "Messages of one domain kept in memory; the rest waits in the index. Each costs some 400 octets.", Reloads = true, Min = 16, Max = 100_000)]
    public int Window { get; init; } = 2_000;

    [Setting("Queue:MaxRecipients", "Queued recipients that the index in memory holds; above it new mail is answered 452. Each costs at most 300 octets.", Reloads = true, Min = 1_000)]
    public long MaxRecipients { get; init; } = 5_000_000;

    [Setting("Log:Recipients", "How recipients appear in the log: full, domain or none.", Reloads = true)]
    public LoggedRecipients LogRecipients { get; init; } = LoggedRecipients.Full;

    public RetrySchedule Retry => new(RetrySchedule, RetryJitter, RetryExpire, DelayNotice);

    public IEnumerable<string> Validate()
    {
        if (RetrySchedule.Count == 0 || RetrySchedule.Any(d => d < TimeSpan.FromMilliseconds(100) || d > TimeSpan.FromDays(7)))
            yield return "Retry:Schedule needs one delay or more, each from 100ms to 7d, for example 5m,10m,20m,40m,1h,2h,4h";
    }
}
