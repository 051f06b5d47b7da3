using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>A member's score: due second × 256 + min(attempts, 255), exact in a double. Presence is the due time: one entry is one member. Pure.</summary>
public static class IndexScore
{
    public static long Of(StoreTime due, int attempts) => Seconds(due) * 256 + Math.Clamp(attempts, 0, 255);

    /// <summary>The greatest score that is due at <paramref name="now"/>.</summary>
    public static long DueBy(StoreTime now) => Math.Max(0, now.Milliseconds) / 1000 * 256 + 255;

    public static StoreTime Due(long score) => new(score / 256 * 1000);

    public static int Attempts(long score) => (int)(score % 256);

    /// <summary>Rounded up: nothing is due before its time (*not before* included).</summary>
    public static StoreTime Round(StoreTime due) => new(Seconds(due) * 1000);

    // 2^33 seconds end in the year 2242: × 256 stays far below the 2^53 that a double holds exactly.
    private static long Seconds(StoreTime due) => Math.Clamp((due.Milliseconds + 999) / 1000, 0, 1L << 33);
}
