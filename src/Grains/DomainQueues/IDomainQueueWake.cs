using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>What the silo's background services ask of a domain's queue. Silos only. Lost calls are harmless: all are repeated.</summary>
[Alias("angarium.IDomainQueueWake")]
public interface IDomainQueueWake : IGrainWithStringKey
{
    /// <summary>Something is due soon.</summary>
    [Alias("Wake")]
    ValueTask Wake();

    /// <summary>Recipients that the sweep found unfinished and did not see in the index. False: not taken now.</summary>
    [Alias("OfferSwept")]
    Task<bool> OfferSwept(SweptOffer offer);
}

/// <summary>What the sweep found of one domain and did not see in the index. A value; harmless when lost or repeated: the next pass offers it again (design rule 12).</summary>
[GenerateSerializer, Immutable, Alias("angarium.SweptOffer")]
public sealed record SweptOffer
{
    [Id(0)] public StoreTime SentAt { get; init; }

    [Id(1)] public required SweptEntry[] Entries { get; init; }
}

/// <summary>An entry with those of its recipients that were not seen.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SweptEntry")]
public sealed record SweptEntry
{
    /// <summary>In the birth pack; zero when only a moved pack is left of it.</summary>
    [Id(0)] public uint Offset { get; init; }

    [Id(1)] public uint Length { get; init; }

    [Id(2)] public required string Tenant { get; init; }

    [Id(3)] public MessageClass Class { get; init; }

    [Id(4)] public required RecipientKey[] Keys { get; init; }

    [Id(5)] public StoreTime Born { get; init; }

    [Id(6)] public StoreTime NotBefore { get; init; }

    [Id(7)] public RecipientKey Message { get; init; }

    internal IndexMember Member(RecipientKey key) => new(key, Offset, Length, Message.Ordinal);
}
