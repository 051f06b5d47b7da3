using Angarium.Mail;

namespace Angarium.Contracts.DomainQueues;

/// <summary>What ingress may ask of a domain's queue: to take what was just committed. Key: the queue domain. Role: ingress (and silos, for notices).</summary>
[Alias("angarium.IDomainQueueIntake")]
public interface IDomainQueueIntake : IGrainWithStringKey
{
    /// <summary>Made once per (pack, domain), never repeated (design rule 11). Harmless when lost: the sweep offers it again.</summary>
    [Alias("Offer")]
    ValueTask<OfferAnswer> Offer(Offer offer);
}

/// <summary>The entries of one pack for one domain.</summary>
[GenerateSerializer, Immutable, Alias("angarium.Offer")]
public sealed record Offer
{
    /// <summary>Store time at the caller when it was sent; more than 5 s from the receiver's is refused (design rule 18).</summary>
    [Id(0)] public StoreTime SentAt { get; init; }

    /// <summary>Store time at which the commit's request began; more than 20 s ago is refused (design rule 11).</summary>
    [Id(1)] public StoreTime CommitBegan { get; init; }

    [Id(2)] public PackName Pack { get; init; }

    [Id(3)] public required OfferedEntry[] Entries { get; init; }
}

/// <summary>One message for one domain: where its entry lies in the pack, and its recipients. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.OfferedEntry")]
public sealed record OfferedEntry
{
    [Id(0)] public uint Offset { get; init; }

    [Id(1)] public uint Length { get; init; }

    [Id(2)] public required string Tenant { get; init; }

    [Id(3)] public MessageClass Class { get; init; }

    [Id(4)] public required RecipientKey[] Keys { get; init; }

    /// <summary>When the message was accepted.</summary>
    [Id(5)] public StoreTime Born { get; init; }

    [Id(6)] public StoreTime NotBefore { get; init; }

    /// <summary>The message it belongs to (its first recipient may be in another entry).</summary>
    [Id(7)] public RecipientKey Message { get; init; }
}

/// <param name="Refused">Recipients refused for want of room: ingress counts them for ten minutes (design rule 23).</param>
/// <param name="Late">The whole offer was refused for its age or the clocks; the sweep offers it again.</param>
[GenerateSerializer, Immutable, Alias("angarium.OfferAnswer")]
public readonly record struct OfferAnswer([property: Id(0)] int Refused, [property: Id(1)] bool Late);
