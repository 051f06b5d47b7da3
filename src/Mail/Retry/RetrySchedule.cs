namespace Angarium.Mail.Retry;

/// <summary>
/// When a message is tried again, given up and said to be late: <paramref name="delays"/> (one or more, positive) after the first, second, … failed attempt, the last of which repeats, each moved by up to
/// <paramref name="jitter"/> of it (0 to below 1), drawn from message and attempt, so that a message's recipients stay together (design rule 22), every process draws the same, and an earlier delay can be computed again. Pure.
/// </summary>
public readonly struct RetrySchedule(IReadOnlyList<TimeSpan> delays, double jitter, TimeSpan expire, TimeSpan delayNotice)
{
    /// <summary>More attempts than these are not told apart where they are taken from an age.</summary>
    private const int MaxRecovered = 255;

    /// <summary>The delay after attempt <paramref name="attempt"/> (from 1) failed, without jitter.</summary>
    public TimeSpan NominalDelay(int attempt) => delays[Math.Clamp(attempt - 1, 0, delays.Count - 1)];

    /// <summary>The delay after attempt <paramref name="attempt"/> (from 1) of this message failed.</summary>
    public TimeSpan DelayAfter(int attempt, RecipientKey message) => NominalDelay(attempt) * (1 + jitter * (2 * Fraction(message, attempt) - 1));

    public bool IsExpired(StoreTime accepted, StoreTime now) => now - accepted >= expire;

    /// <summary>
    /// For an entry whose retry state was lost (design rule 19): as many attempts as its age has room for, and a due time spread over the interval after them. One too young for a second attempt counts
    /// as never tried, and is due at once: mostly it is one whose hand-over was lost.
    /// </summary>
    public (int Attempts, StoreTime Due) Recover(StoreTime accepted, StoreTime now, RecipientKey message)
    {
        var attempts = 0;
        for (var left = now - accepted; left >= NominalDelay(attempts + 1) && attempts < MaxRecovered; attempts++) left -= NominalDelay(attempts + 1);
        return (attempts, attempts == 0 ? accepted : now + NominalDelay(attempts + 1) * Fraction(message, ~attempts));
    }

    /// <summary>Whether this deferral is the first at the age of a delay notice: computed from the due time that the previous one was given, so that it needs no memory.</summary>
    public bool IsDelayNoticeDue(StoreTime accepted, StoreTime previousDue, int previousAttempts, StoreTime nextDue, RecipientKey message)
    {
        var mark = accepted + delayNotice;
        var here = nextDue - DelayAfter(previousAttempts + 1, message);
        return here >= mark && (previousAttempts == 0 || previousDue - DelayAfter(previousAttempts, message) < mark);
    }

    // A number in [0, 1) that depends on the message and the salt alone (the finisher of SplitMix64, twice).
    private static double Fraction(RecipientKey message, int salt)
    {
        var hash = Mix(Mix(message.Writer ^ 0x9E3779B97F4A7C15) + ((ulong)message.Pack << 16 | message.Ordinal) + ((ulong)(uint)salt << 48));
        return (hash >> 11) * (1.0 / (1UL << 53));

        static ulong Mix(ulong x)
        {
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
            return x ^ (x >> 31);
        }
    }
}
