using System.IO.Hashing;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// When a message is tried again. The jitter is a function of message and attempt, so that its recipients stay together (design rule 22) and an earlier delay
/// can be computed again. Pure.
/// </summary>
internal readonly struct RetryPolicy(GrainsOptions options)
{
    /// <summary>The delay after attempt number <paramref name="attempt"/> (from 1).</summary>
    public TimeSpan DelayAfter(int attempt, RecipientKey message)
    {
        var delay = Interval(attempt - 1);
        return delay * (1 + options.RetryJitter * (2 * Fraction(message, attempt) - 1));
    }

    /// <summary>For an entry whose retry state was lost (design rule 19): attempts from its age, and a due time spread over the next interval.</summary>
    public (int Attempts, StoreTime Due) Recover(StoreTime born, StoreTime now, RecipientKey message)
    {
        var age = now - born;
        var attempts = 0;
        var elapsed = Interval(0);
        while (elapsed <= age && attempts < 255) elapsed += Interval(++attempts);
        return (attempts, attempts == 0 ? born : now + Interval(attempts) * Fraction(message, attempts));
    }

    /// <summary>
    /// Whether this deferral is the first at an age of <see cref="GrainsOptions.DelayNotice"/>: computed from the due time that the previous one was given, so that
    /// it needs no memory.
    /// </summary>
    public bool IsDelayNoticeDue(StoreTime born, StoreTime previousDue, int previousAttempts, StoreTime nextDue, RecipientKey message)
    {
        var mark = born + options.DelayNotice;
        var here = nextDue - DelayAfter(previousAttempts + 1, message);
        return here >= mark && (previousAttempts == 0 || previousDue - DelayAfter(previousAttempts, message) < mark);
    }

    private TimeSpan Interval(int index) => options.RetrySchedule[Math.Min(index, options.RetrySchedule.Count - 1)];

    private static double Fraction(RecipientKey message, int attempt)
    {
        Span<byte> bytes = stackalloc byte[RecipientKey.Size + 1];
        message.Write(bytes);
        bytes[RecipientKey.Size] = (byte)attempt;
        return (XxHash3.HashToUInt64(bytes) >> 11) * (1.0 / (1UL << 53));
    }
}
