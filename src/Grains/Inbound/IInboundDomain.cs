using Angarium.Contracts.Inbound;
using Angarium.Contracts.Tenants;

namespace Angarium.Grains.Inbound;

/// <summary>What silos ask of an inbound domain. Key: the queue domain, also of one that is nobody's. Silos only.</summary>
[Alias("angarium.IInboundDomain")]
public interface IInboundDomain : IGrainWithStringKey
{
    [Alias("Judge")]
    Task<InboundAnswer> Judge(string mailbox);

    /// <summary>The site that its mail goes to; null = by MX.</summary>
    [Alias("Site")]
    Task<string?> Site();

    /// <summary>This tenant is about to be no more: its domain is nobody's, and no recipient of it stays written down.</summary>
    [Alias("Release")]
    Task Release(string tenant);
}

/// <summary>What an inbound domain asks of the tenant that it is said to belong to. Key: the tenant's id. Silos only.</summary>
[Alias("angarium.IInboundOwner")]
public interface IInboundOwner : IGrainWithStringKey
{
    [Alias("Standing")]
    Task<OwnerStanding> Standing(string domain);

    /// <summary>Puts the domain into the tenant's list. Null = it is in it.</summary>
    [Alias("EnterInbound")]
    Task<Problem?> EnterInbound(string domain);

    [Alias("StrikeInbound")]
    Task StrikeInbound(string domain);

    /// <summary>Notes for the audit what is about to be done to the domain.</summary>
    [Alias("NoteInbound")]
    Task NoteInbound(string domain, string action);
}

/// <summary>Whether a tenant may have an inbound domain. A value.</summary>
/// <param name="Exists">There is such a tenant.</param>
/// <param name="IsPaused">Its mail is not taken at the moment.</param>
/// <param name="Owns">The domain is one of its verified sending domains.</param>
[GenerateSerializer, Immutable, Alias("angarium.OwnerStanding")]
public readonly record struct OwnerStanding([property: Id(0)] bool Exists, [property: Id(1)] bool IsPaused, [property: Id(2)] bool Owns);
