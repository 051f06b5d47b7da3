using Angarium.Contracts.Tenants;
using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>What an operator suspended. Numbers are stored and cross the wire.</summary>
public enum SuspensionKind : byte
{
    /// <summary>Receivers, by the name of their site; as one pool knows it, or, without a pool, for all of them.</summary>
    Site = 1,

    /// <summary>A tenant's mail, in all queues.</summary>
    Tenant = 2,

    /// <summary>An address that mail goes out from, or the name that it greets with.</summary>
    Source = 3,
}

/// <summary>An order not to send: what it concerns is neither tried nor given up. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.Suspension")]
public sealed record Suspension
{
    public const int MaxReason = 200;

    [Id(0)] public SuspensionKind Kind { get; init; }

    [Id(1)] public required string Name { get; init; }

    /// <summary>By the store's time; zero = until it is taken back.</summary>
    [Id(2)] public StoreTime Until { get; init; }

    [Id(3)] public StoreTime Since { get; init; }

    /// <summary>Who ordered it: see <see cref="Administrators.Actor"/>.</summary>
    [Id(4)] public required string Actor { get; init; }

    [Id(5)] public string Reason { get; init; } = "";

    public bool IsOver(StoreTime now) => Until != default && Until <= now;
}

/// <summary>What came of an order to suspend. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SuspensionResult")]
public sealed record SuspensionResult
{
    [Id(0)] public Suspension? Suspension { get; init; }

    [Id(1)] public Problem? Problem { get; init; }
}
