using Angarium.Contracts.Configuration;

namespace Angarium.Egress.Webhooks;

/// <summary>How posts to webhooks leave. Immutable.</summary>
public sealed record WebhookEgressOptions
{
    [Setting("Egress:Webhooks:AllowPrivate", "Webhooks may be at private, loopback and other addresses that are not public, and without TLS. To be set for silos and egress alike.")]
    public bool AllowPrivate { get; init; }

    [Setting("Egress:Webhooks:Posts", "Most posts to webhooks that this process has under way; those to slow ones have half of it.", Min = 1, Max = 1_000)]
    public int Posts { get; init; } = 64;
}
