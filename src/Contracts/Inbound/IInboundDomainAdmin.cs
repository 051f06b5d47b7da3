using Angarium.Contracts.Tenants;

namespace Angarium.Contracts.Inbound;

/// <summary>
/// An inbound domain as its tenant sees and changes it: one that the relay takes mail from the internet for, with the host that takes it further and the recipients that there are. Key: the queue
/// domain. It belongs to one tenant; to every other it is one that is not there. Role: api.
/// </summary>
[Alias("angarium.IInboundDomainAdmin")]
public interface IInboundDomainAdmin : IGrainWithStringKey
{
    [Alias("Add")]
    Task<InboundResult> Add(InboundDraft draft);

    [Alias("Read")]
    Task<InboundResult> Read(string tenant);

    /// <param name="change">Null members stay as they are.</param>
    [Alias("Change")]
    Task<InboundResult> Change(InboundChange change);

    [Alias("Remove")]
    Task<InboundResult> Remove(string tenant);

    /// <summary>Local parts in order, from behind <paramref name="after"/>; null = there is no such domain of this tenant.</summary>
    [Alias("Recipients")]
    Task<string[]?> Recipients(string tenant, string? after, int limit);

    /// <summary>Those that are there already stay.</summary>
    [Alias("AddRecipients")]
    Task<InboundResult> AddRecipients(string tenant, string[] recipients);

    [Alias("RemoveRecipient")]
    Task<InboundResult> RemoveRecipient(string tenant, string recipient);
}

/// <summary>Which inbound domains a tenant has. Key: the tenant's id. Role: api.</summary>
[Alias("angarium.ITenantInbound")]
public interface ITenantInbound : IGrainWithStringKey
{
    /// <summary>Names in order, from behind <paramref name="after"/>; null = there is no such tenant. One may have gone since.</summary>
    [Alias("ListInbound")]
    Task<string[]?> ListInbound(string? after, int limit);
}

/// <summary>A new inbound domain. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.InboundDraft")]
public sealed record InboundDraft
{
    [Id(0)] public required string Tenant { get; init; }

    /// <summary>`host` or `host:port`; empty = by MX.</summary>
    [Id(1)] public string Route { get; init; } = "";

    /// <summary>Null = none are named.</summary>
    [Id(2)] public string[]? Recipients { get; init; }

    /// <summary>Null = as long as no recipients are named.</summary>
    [Id(3)] public bool? CatchAll { get; init; }

    /// <summary>The route may lead to addresses that are not public: administrators only.</summary>
    [Id(4)] public bool IsPrivate { get; init; }

    /// <summary>An administrator asks, who may vouch for a domain that is not verified.</summary>
    [Id(5)] public bool ByAdministrator { get; init; }
}

/// <summary>What is to be different. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.InboundChange")]
public sealed record InboundChange
{
    [Id(0)] public required string Tenant { get; init; }

    /// <summary>Only if that is what it is now; null = whatever it is.</summary>
    [Id(1)] public long? IfVersion { get; init; }

    /// <summary>A new one is public unless <see cref="IsPrivate"/> says otherwise with it.</summary>
    [Id(2)] public string? Route { get; init; }

    [Id(3)] public bool? CatchAll { get; init; }

    [Id(4)] public bool? IsPrivate { get; init; }
}

/// <summary>What came of a request. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.InboundResult")]
public sealed record InboundResult
{
    /// <summary>Null = it was done.</summary>
    [Id(0)] public Problem? Problem { get; init; }

    [Id(1)] public InboundView? Domain { get; init; }
}

/// <summary>An inbound domain as it is shown. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.InboundView")]
public sealed record InboundView
{
    [Id(0)] public required string Domain { get; init; }

    /// <summary>active, paused (its tenant is) or unverified: then no mail is taken, and its route counts for nothing.</summary>
    [Id(1)] public required string Status { get; init; }

    [Id(2)] public string Route { get; init; } = "";

    [Id(3)] public bool IsPrivate { get; init; }

    [Id(4)] public bool CatchAll { get; init; }

    /// <summary>How many are named.</summary>
    [Id(5)] public int Recipients { get; init; }

    [Id(6)] public DateTimeOffset Created { get; init; }

    [Id(7)] public long Version { get; init; }
}
