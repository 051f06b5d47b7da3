using Angarium.Contracts.Webhooks;
using Prometheus;

namespace Angarium.Grains.Webhooks;

/// <summary>Metrics of webhooks. Any thread.</summary>
internal static class WebhookInstruments
{
    public static readonly Gauge Behind = Metrics.CreateGauge("angarium_webhooks_behind", "Webhooks of this silo that are not up to date: slow, failing, or reading on from where they were left.");

    public static readonly Counter Disabled = Metrics.CreateCounter("angarium_webhooks_disabled_total", "Webhooks that were disabled because they took nothing for too long, or said that they are gone.");

    private static readonly Counter Posts = Metrics.CreateCounter(
        "angarium_webhook_posts_total", "Batches posted to webhooks, by result: taken, refused (another status than 2xx), unreachable, timeout, forbidden (its address may not be posted to), unposted (by no egress).", "result");

    public static void Count(WebhookOutcome outcome) => Posts.WithLabels(outcome.End switch
    {
        _ when outcome.IsTaken => "taken",
        WebhookEnd.Answered => "refused",
        WebhookEnd.Unreachable => "unreachable",
        WebhookEnd.Timeout => "timeout",
        WebhookEnd.Refused => "forbidden",
        _ => "unposted",
    }).Inc();
}
