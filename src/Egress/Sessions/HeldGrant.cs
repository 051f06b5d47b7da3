using Angarium.Contracts.DomainQueues;
using Angarium.Mail;
using Angarium.Spool.Time;

namespace Angarium.Egress.Sessions;

/// <summary>
/// A grant in this process's hands, from the answer that brought it until its outcome is acknowledged. Elapsed time is the larger of the store's clock
/// and the monotonic one (design rule 15). Read by the session and the watch, renewed by the keeper. Dies with the process: the lease ends by itself.
/// </summary>
internal sealed class HeldGrant(Grant grant, string domain, StoreTime sentAt, long sentTimestamp, IStoreClock clock, TimeProvider time)
{
    private volatile bool hasEnded;
    private long deadline = grant.Deadline.Milliseconds;
    private long monotonicDeadline = sentTimestamp + (long)((grant.Deadline - sentAt).TotalSeconds * time.TimestampFrequency);

    public Grant Grant { get; } = grant;

    public string Domain { get; } = domain;

    /// <summary>Timestamp of the request that it answers.</summary>
    public long AskedAt { get; } = sentTimestamp;

    /// <summary>Recipients whose outcome is not yet acknowledged; the keeper renews while there are any.</summary>
    public int Unacknowledged = grant.Keys.Length;

    /// <summary>Recipients of whom its feed has heard nothing yet. Under the feed's lock.</summary>
    public int Unreported = grant.Keys.Length;

    /// <summary>The lease has ended: what has not sent its final dot must not, whatever renewal comes later.</summary>
    public bool HasEnded
    {
        get
        {
            if (hasEnded) return true;
            if (clock.Now.Milliseconds < Volatile.Read(ref deadline) && time.GetTimestamp() < Volatile.Read(ref monotonicDeadline)) return false;
            hasEnded = true;
            EgressInstruments.EndedLeases.Inc();
            return true;
        }
    }

    public void Renew(StoreTime until, StoreTime renewalSentAt, long renewalTimestamp)
    {
        // Meanwhile it may have been tried by others, for good or ill: the renewal holds the entry until this is reported, and revives nothing.
        if (HasEnded) return;
        Volatile.Write(ref deadline, until.Milliseconds);
        Volatile.Write(ref monotonicDeadline, renewalTimestamp + (long)((until - renewalSentAt).TotalSeconds * time.TimestampFrequency));
    }
}
