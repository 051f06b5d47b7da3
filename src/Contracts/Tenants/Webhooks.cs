using Angarium.Contracts.Webhooks;

namespace Angarium.Contracts.Tenants;

/// <summary>A webhook to make, or what is to be different about one; null members stay as they are. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookChange")]
public sealed record WebhookChange
{
    [Id(0)] public string? Url { get; init; }

    /// <summary>Types of events; none = all.</summary>
    [Id(1)] public string[]? Events { get; init; }
}

/// <summary>What came of a request that is about webhooks. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookResult")]
public sealed record WebhookResult
{
    /// <summary>Null = it was done.</summary>
    [Id(0)] public Problem? Problem { get; init; }

    [Id(1)] public WebhookView[] Webhooks { get; init; } = [];

    /// <summary>The secret that was made: shown once.</summary>
    [Id(2)] public string? Secret { get; init; }

    /// <summary>Of a test.</summary>
    [Id(3)] public WebhookOutcome? Outcome { get; init; }
}

/// <summary>A webhook without its secret, and how it stands. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookView")]
public sealed record WebhookView
{
    [Id(0)] public required string Id { get; init; }

    [Id(1)] public required string Url { get; init; }

    /// <summary>Types of events; none = all.</summary>
    [Id(2)] public string[] Events { get; init; } = [];

    [Id(3)] public DateTimeOffset Created { get; init; }

    /// <summary>Null = it is posted to.</summary>
    [Id(4)] public DateTimeOffset? DisabledSince { get; init; }

    [Id(5)] public string? DisabledReason { get; init; }

    /// <summary>Until then what is posted is signed with the secret before, too.</summary>
    [Id(6)] public DateTimeOffset? OldSecretUntil { get; init; }

    /// <summary>The last post that was taken.</summary>
    [Id(7)] public DateTimeOffset? Taken { get; init; }

    /// <summary>Nothing was taken since.</summary>
    [Id(8)] public DateTimeOffset? FailingSince { get; init; }

    /// <summary>Tries since then.</summary>
    [Id(9)] public int Tries { get; init; }

    [Id(10)] public DateTimeOffset? NextTry { get; init; }

    /// <summary>How the last try ended.</summary>
    [Id(11)] public string? Last { get; init; }
}
