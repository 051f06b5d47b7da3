using System.ComponentModel;
using Angarium.Contracts.Tenants;
using Angarium.Contracts.Webhooks;

namespace Angarium.Api.Webhooks;

// What is sent and answered, as JSON. Each member's description is the one of the reference.

/// <summary>A webhook to make.</summary>
internal sealed record NewWebhook
{
    [Description("Where events are posted to: `https://…`, at a public address.")]
    public required string Url { get; init; }

    [Description("Some of `accepted`, `delivered`, `deferred`, `failed`, `expired` and `dropped`; none = all.")]
    public string[]? Events { get; init; }
}

/// <summary>What is to be different; what is left out stays.</summary>
internal sealed record WebhookPatch
{
    public string? Url { get; init; }

    [Description("All of them are replaced; none = all.")]
    public string[]? Events { get; init; }
}

/// <summary>A webhook, and how it stands.</summary>
internal sealed record WebhookBody
{
    public required string Id { get; init; }

    public required string Url { get; init; }

    [Description("Empty = all.")]
    public required string[] Events { get; init; }

    [Description("`ok`, `failing` or `disabled`.")]
    public required string Status { get; init; }

    public DateTimeOffset Created { get; init; }

    [Description("Present when it is not posted to any more: because it took nothing for too long, or answered 410.")]
    public WebhookDisabledBody? Disabled { get; init; }

    [Description("The last post that was taken.")]
    public DateTimeOffset? LastTaken { get; init; }

    [Description("How the last try ended.")]
    public string? LastResult { get; init; }

    [Description("Nothing was taken since.")]
    public DateTimeOffset? FailingSince { get; init; }

    [Description("Tries since then.")]
    public int? Tries { get; init; }

    public DateTimeOffset? NextTry { get; init; }

    [Description("Until then posts are signed with the secret before, too.")]
    public DateTimeOffset? OldSecretUntil { get; init; }

    public static WebhookBody Of(WebhookView webhook) => new()
    {
        Id = webhook.Id, Url = webhook.Url, Events = webhook.Events, Status = webhook.DisabledSince is not null ? "disabled" : webhook.FailingSince is not null ? "failing" : "ok", Created = webhook.Created, LastTaken = webhook.Taken, LastResult = webhook.Last, FailingSince = webhook.FailingSince,
        Tries = webhook.Tries > 0 ? webhook.Tries : null, NextTry = webhook.NextTry, OldSecretUntil = webhook.OldSecretUntil,
        Disabled = webhook.DisabledSince is { } since ? new WebhookDisabledBody { Since = since, Reason = webhook.DisabledReason ?? "" } : null,
    };
}

/// <summary>Since when and why a webhook is disabled.</summary>
internal sealed record WebhookDisabledBody
{
    public DateTimeOffset Since { get; init; }

    public required string Reason { get; init; }
}

/// <summary>A webhook whose secret is new.</summary>
internal sealed record WebhookSecretAnswer
{
    public required WebhookBody Webhook { get; init; }

    [Description("What posts are signed with. Shown once.")]
    public required string Secret { get; init; }
}

/// <summary>What came of a test.</summary>
internal sealed record WebhookTestBody
{
    [Description("It answered with a status of 2xx.")]
    public bool Taken { get; init; }

    [Description("Of its answer.")]
    public int? Status { get; init; }

    [Description("Why there was none.")]
    public string? Detail { get; init; }

    public long Milliseconds { get; init; }

    public static WebhookTestBody Of(WebhookOutcome outcome) => new()
    {
        Taken = outcome.IsTaken, Status = outcome.End == WebhookEnd.Answered ? outcome.Status : null, Detail = outcome.Detail.Length > 0 ? outcome.Detail : null, Milliseconds = (long)outcome.Took.TotalMilliseconds,
    };
}
