using Prometheus;

namespace Angarium.Egress.Webhooks;

/// <summary>What egress counts of webhooks. Any thread.</summary>
internal static class WebhookPostInstruments
{
    public static readonly Gauge UnderWay = Metrics.CreateGauge("angarium_egress_webhook_posts", "Posts to webhooks under way.");
}
