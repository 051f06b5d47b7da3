using Angarium.Mail;

namespace Angarium.Simulation.World;

/// <summary>A lease in a worker's hands, for one recipient.</summary>
internal sealed class SimGrant(SimWorker worker, ulong lease, StoreTime asked, StoreTime received)
{
    public SimWorker Worker => worker;

    public ulong Lease => lease;

    /// <summary>It was made between these two.</summary>
    public StoreTime AskedAt => asked;

    public StoreTime ReceivedAt => received;

    public StoreTime Until { get; set; }

    /// <summary>The worker has sent a report of it.</summary>
    public bool IsReported { get; set; }

    /// <summary>The report says that the peer took it.</summary>
    public bool IsDelivered { get; set; }

    /// <summary>The peer took it and the reply was lost.</summary>
    public bool IsCut { get; set; }
}
