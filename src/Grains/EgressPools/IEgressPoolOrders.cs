using Angarium.Contracts.EgressPools;
using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.EgressPools;

/// <summary>What a site asks of its pool. Key: the pool's name. Silos only.</summary>
[Alias("angarium.IEgressPoolOrders")]
public interface IEgressPoolOrders : IGrainWithStringKey
{
    /// <summary>Hands session orders to workers; the fate of each is in the answer, parallel to the orders. A lost answer is healed by <see cref="Declared"/>.</summary>
    [Alias("Place")]
    Task<PlaceAnswer> Place(PlaceRequest request);

    /// <summary>The permits of a site that workers hold or that wait for one: what a site begins with, and compares with once a minute.</summary>
    [Alias("Declared")]
    Task<DeclaredPermits> Declared(DeclareRequest request);
}

/// <summary>An activation of a site asks for the permits that its pool knows of. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.DeclareRequest")]
public sealed record DeclareRequest
{
    [Id(0)] public required string Site { get; init; }

    /// <summary>Random, drawn by each activation of a site: the last that began is the one whose orders count.</summary>
    [Id(1)] public ulong Owner { get; init; }

    /// <summary>It has not begun to give orders: from now on it counts, and none before it.</summary>
    [Id(2)] public bool Begins { get; init; }
}

/// <summary>Orders of a site for the workers of its pool. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.PlaceRequest")]
public sealed record PlaceRequest
{
    [Id(0)] public required string Site { get; init; }

    [Id(1)] public required SiteOrder[] Orders { get; init; }

    /// <summary>As in <see cref="DeclareRequest"/>.</summary>
    [Id(2)] public ulong Owner { get; init; }

    /// <summary>The activation of the pool whose declarations the site knows: no other takes its orders.</summary>
    [Id(3)] public ulong Pool { get; init; }

    /// <summary>Connections that the site may have: while it has two activations the pool, which has all its permits, keeps them to it; 0 = not said.</summary>
    [Id(4)] public int MaxConnections { get; init; }
}

/// <summary>A session order with the lane on whose behalf it is made, so that pools share over tenants as well.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SiteOrder")]
public sealed record SiteOrder
{
    [Id(0)] public required SessionOrder Order { get; init; }

    [Id(1)] public required string Tenant { get; init; }

    [Id(2)] public MessageClass Class { get; init; }

    internal Lane Lane => new(Tenant, Class);
}

/// <summary>What became of an order. Numbers are a wire contract.</summary>
public enum Placement : byte
{
    /// <summary>A worker has it, or it waits for a free session.</summary>
    Taken = 0,

    /// <summary>No room, or the pool is starting or not sure of itself: nothing was changed; try again in a second.</summary>
    Refused = 1,

    /// <summary>Serve and Close: no worker holds that permit.</summary>
    Unknown = 2,
}

/// <summary>What became of each order of a request. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.PlaceAnswer")]
public sealed record PlaceAnswer
{
    [Id(0)] public required Placement[] Placements { get; init; }

    /// <summary>Another activation of the site counts now: this one ends.</summary>
    [Id(1)] public bool Superseded { get; init; }

    /// <summary>The activation of the pool that answers. Not the one that was asked for: nothing was placed, and the site takes the declarations anew.</summary>
    [Id(2)] public ulong Pool { get; init; }
}

/// <summary>The permits of a site, as its pool knows them. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.DeclaredPermits")]
public sealed record DeclaredPermits
{
    /// <summary>False: not every worker has declared yet; ask again in a second.</summary>
    [Id(0)] public bool Complete { get; init; }

    [Id(1)] public DeclaredPermit[] Permits { get; init; } = [];

    /// <summary>Another activation of the site counts now: this one ends.</summary>
    [Id(2)] public bool Superseded { get; init; }

    [Id(3)] public ulong Pool { get; init; }
}

/// <summary>One permit of a site: who holds it (null = it waits for a worker), for which domain. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.DeclaredPermit")]
public readonly record struct DeclaredPermit(
    [property: Id(0)] ulong Permit, [property: Id(1)] string? Worker, [property: Id(2)] string Domain, [property: Id(3)] bool Idle);
