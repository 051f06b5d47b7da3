using Angarium.Mail;

namespace Angarium.Simulation.World;

/// <summary>What is known of one recipient, from outside: nothing here comes from the relay's own memory.</summary>
internal sealed class SimRecipient(RecipientKey key, string address, string tenant, StoreTime durable)
{
    private int _ghosts;
    private StoreTime _ghostAt;

    public RecipientKey Key => key;

    public string Address => address;

    public string Domain => address[(address.IndexOf('@') + 1)..];

    public string Tenant => tenant;

    public StoreTime DurableAt => durable;

    /// <summary>It tells of another's fate.</summary>
    public bool IsNotice { get; init; }

    public RecipientKey Message { get; init; }

    public StoreTime NotBefore { get; init; }

    public ReadOnlyMemory<byte> Content { get; init; }

    public bool IsAcknowledged { get; set; }

    public StoreTime? DecidedAt { get; set; }

    public StoreTime? FinishedAt { get; set; }

    public StoreTime? DroppedAt { get; set; }

    /// <summary>When a notice of its failure was durable.</summary>
    public StoreTime? ToldAt { get; set; }

    /// <summary>Refused, cut, not connected: attempts that could justify giving up.</summary>
    public int Failures { get; set; }

    /// <summary>5yz.</summary>
    public int Refusals { get; set; }

    public StoreTime NextDue { get; set; }

    public StoreTime DeferredAt { get; set; }

    public List<SimGrant> Grants { get; } = [];

    public List<(StoreTime At, SimGrant Grant)> Deliveries { get; } = [];

    public List<string> Events { get; } = [];

    /// <summary>Leased long after it was finished and gone. From a backup of the index it may be read before the next listing of packs, once or twice: then it is not found, and struck.</summary>
    public bool HauntsAgain(StoreTime now, StoreTime lastLoss)
    {
        if (lastLoss > _ghostAt) _ghosts = 0;
        _ghostAt = now;
        return ++_ghosts > 3;
    }
}
