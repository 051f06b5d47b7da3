using Angarium.Contracts.Webhooks;

namespace Angarium.Grains.Webhooks;

/// <summary>What follows from a post.</summary>
internal enum WebhookVerdict
{
    /// <summary>It was taken: the next one.</summary>
    Taken,

    /// <summary>The same again, at <see cref="WebhookStanding.NextTry"/>.</summary>
    Again,

    /// <summary>It is to be disabled.</summary>
    GiveUp,
}

/// <summary>How a webhook takes what it is sent, and when it is tried again. Immutable and pure: times are passed in. Stored with its place in the ledger.</summary>
internal sealed record WebhookStanding
{
    /// <summary>What nobody posted says nothing of the webhook, and is soon tried again.</summary>
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(10);

    /// <summary>Of the definition that this is about.</summary>
    public DateTimeOffset Renewed { get; init; }

    public DateTimeOffset? Taken { get; init; }

    public DateTimeOffset? FailingSince { get; init; }

    public int Tries { get; init; }

    public DateTimeOffset? NextTry { get; init; }

    public string? Last { get; init; }

    /// <param name="outcome">Of a post.</param>
    /// <param name="now">When it ended.</param>
    /// <param name="options">The waits.</param>
    /// <param name="drawn">0 to 1: where in its tenth the wait lies.</param>
    public (WebhookStanding After, WebhookVerdict Verdict) Judge(WebhookOutcome outcome, DateTimeOffset now, WebhooksOptions options, double drawn)
    {
        if (outcome.IsTaken) return (new WebhookStanding { Renewed = Renewed, Taken = now, Last = outcome.ToString() }, WebhookVerdict.Taken);
        var stretch = 0.9 + 0.2 * drawn;
        if (outcome.End == WebhookEnd.NotPosted) return (this with { NextTry = now + s_soon * stretch, Last = outcome.ToString() }, WebhookVerdict.Again);
        var wait = options.Retry[Math.Min(Tries, options.Retry.Count - 1)];
        var after = this with { FailingSince = FailingSince ?? now, Tries = Tries + 1, NextTry = now + wait * stretch, Last = outcome.ToString() };
        // RFC 9110 §15.5.11: it is gone, and likely to stay so.
        return (after, outcome is { End: WebhookEnd.Answered, Status: 410 } || now - after.FailingSince >= options.GiveUp ? WebhookVerdict.GiveUp : WebhookVerdict.Again);
    }
}
