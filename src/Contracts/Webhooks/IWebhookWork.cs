namespace Angarium.Contracts.Webhooks;

/// <summary>What egress posts on behalf of tenants: signed by a silo, so that no secret is needed for it. Key: 0. Role: egress.</summary>
[Alias("angarium.IWebhookWork")]
public interface IWebhookWork : IGrainWithIntegerKey
{
    /// <summary>Returns when there is something to post, or after 5 s with nothing. What is not reported within its time counts as lost, and comes again.</summary>
    [Alias("Take")]
    Task<WebhookOrders> Take(WebhookTake take);

    /// <summary>What became of posts, as soon as it is known. Harmless when repeated.</summary>
    [Alias("Report")]
    Task Report(WebhookReport[] reports);
}

/// <summary>How much an egress could post. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookTake")]
public sealed record WebhookTake
{
    /// <summary>Random, drawn at each start.</summary>
    [Id(0)] public required string Worker { get; init; }

    /// <summary>Posts it could begin now.</summary>
    [Id(1)] public int Free { get; init; }

    /// <summary>Posts it could have under way in all.</summary>
    [Id(2)] public int Most { get; init; }
}

/// <summary>What an egress is to post. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookOrders")]
public sealed record WebhookOrders
{
    [Id(0)] public WebhookOrder[] Orders { get; init; } = [];
}

/// <summary>One post under its number. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookOrder")]
public sealed record WebhookOrder
{
    [Id(0)] public long Number { get; init; }

    [Id(1)] public required WebhookPost Post { get; init; }
}

/// <summary>A request to a tenant's webhook, whole and signed. A value; its address may hold what its tenant keeps secret, so that it is in no log.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookPost")]
public sealed record WebhookPost
{
    [Id(0)] public required string Tenant { get; init; }

    [Id(1)] public required string Url { get; init; }

    [Id(2)] public WebhookHeader[] Headers { get; init; } = [];

    /// <summary>JSON.</summary>
    [Id(3)] public byte[] Body { get; init; } = [];

    /// <summary>Longest wait for the answer, connecting included.</summary>
    [Id(4)] public TimeSpan Timeout { get; init; }

    /// <summary>The last post to this webhook failed or took long: such ones have only a part of the places.</summary>
    [Id(5)] public bool IsSlow { get; init; }

    public override string ToString() => $"{Body.Length} octets of {Tenant}";
}

/// <summary>A field of a request's header section. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookHeader")]
public readonly record struct WebhookHeader([property: Id(0)] string Name, [property: Id(1)] string Value);

/// <summary>What became of an order. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookReport")]
public sealed record WebhookReport
{
    [Id(0)] public long Number { get; init; }

    [Id(1)] public required WebhookOutcome Outcome { get; init; }
}

/// <summary>How a post ended. Numbers cross the wire.</summary>
public enum WebhookEnd : byte
{
    /// <summary>With a status, whatever it says.</summary>
    Answered = 1,

    /// <summary>There was no connection, no trusted certificate, or it broke.</summary>
    Unreachable = 2,

    /// <summary>There was no answer in time.</summary>
    Timeout = 3,

    /// <summary>Its address is none that may be posted to.</summary>
    Refused = 4,

    /// <summary>Nobody posted it, or nobody knows: it says nothing of the webhook.</summary>
    NotPosted = 5,
}

/// <summary>How a post ended, for whoever decides what follows. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.WebhookOutcome")]
public sealed record WebhookOutcome
{
    [Id(0)] public WebhookEnd End { get; init; }

    /// <summary>Answered: of HTTP.</summary>
    [Id(1)] public int Status { get; init; }

    /// <summary>For people, in our own words: nothing of what was sent or answered.</summary>
    [Id(2)] public string Detail { get; init; } = "";

    [Id(3)] public TimeSpan Took { get; init; }

    public bool IsTaken => End == WebhookEnd.Answered && Status is >= 200 and < 300;

    public override string ToString() => End == WebhookEnd.Answered ? $"status {Status}" : Detail;
}
