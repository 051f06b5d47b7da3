namespace Angarium.Mail.Retry;

/// <summary>
/// When a message is tried again: delays after the first, second, … failed attempt, the last of which repeats, each moved by a jitter drawn from the message
/// and the attempt, so that a message's recipients stay together (design rule 22) and every process draws the same. Immutable; pure.
/// </summary>
public sealed class RetrySchedule
{
    private readonly TimeSpan[] _delays;

    /// <param name="delays">At least one, each positive.</param>
    /// <param name="jitter">Greatest part by which a delay grows or shrinks, 0 to below 1.</param>
    /// <param name="expire">Age at which a message is given up.</param>
    public RetrySchedule(IReadOnlyList<TimeSpan> delays, double jitter, TimeSpan expire)
    {
        ArgumentOutOfRangeException.ThrowIfZero(delays.Count);
        foreach (var delay in delays) ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(delay, TimeSpan.Zero, nameof(delays));
        if (!(jitter is >= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(jitter));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(expire, TimeSpan.Zero);
        _delays = [.. delays];
        Jitter = jitter;
        Expire = expire;
    }

    public IReadOnlyList<TimeSpan> Delays => _delays;

    public double Jitter { get; }

    public TimeSpan Expire { get; }

    /// <summary>The delay after attempt <paramref name="attempt"/> (from 1) failed, without jitter.</summary>
    public TimeSpan NominalDelay(int attempt) => _delays[Math.Clamp(attempt - 1, 0, _delays.Length - 1)];

    /// <summary>The delay after attempt <paramref name="attempt"/> (from 1) of this message failed.</summary>
    public TimeSpan DelayAfter(int attempt, RecipientKey message) => NominalDelay(attempt) * (1 + Jitter * (2 * Fraction(message, attempt) - 1));

    public StoreTime DueAfter(int attempt, StoreTime failed, RecipientKey message) => failed + DelayAfter(attempt, message);

    public bool IsExpired(StoreTime accepted, StoreTime now) => now - accepted >= Expire;

    /// <summary>How many attempts a message of this age has had, when each failed at once: what an entry is taken to have had whose state was lost (design rule 19).</summary>
    public int AttemptsForAge(TimeSpan age)
    {
        if (age < TimeSpan.Zero) return 0;
        var attempts = 1;
        foreach (var delay in _delays)
        {
            if (age < delay) return attempts;
            age -= delay;
            attempts++;
        }

        return attempts + (int)Math.Min(age.Ticks / _delays[^1].Ticks, int.MaxValue - attempts);
    }

    /// <summary>When such an entry is due: somewhere in the interval that follows its attempts, never before <paramref name="notBefore"/> (design rule 19).</summary>
    public StoreTime DueForLost(StoreTime now, StoreTime accepted, StoreTime notBefore, RecipientKey message)
    {
        var attempts = AttemptsForAge(now - accepted);
        return StoreTime.Max(notBefore, now + NominalDelay(attempts) * Fraction(message, ~attempts));
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
