using Angarium.Contracts.Configuration;

namespace Angarium.Grains.Webhooks;

/// <summary>The settings of webhooks, on silos. Immutable.</summary>
public sealed record WebhooksOptions : IValidates
{
    [Setting("Webhooks:Retry", "Waits between tries of what a webhook did not take, each drawn within a tenth of it; the last repeats.", Reloads = true, Min = 0.1)]
    public IReadOnlyList<TimeSpan> Retry { get; init; } =
    [
        TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15), TimeSpan.FromHours(1), TimeSpan.FromHours(3), TimeSpan.FromHours(6), TimeSpan.FromHours(12), TimeSpan.FromHours(24),
    ];

    [Setting("Webhooks:GiveUp", "A webhook that took nothing for so long, however often it was tried, is disabled; its tenant can enable it again.", Reloads = true, Min = 1)]
    public TimeSpan GiveUp { get; init; } = TimeSpan.FromDays(5);

    [Setting("Webhooks:Timeout", "Longest wait for the answer of a webhook, connecting included.", Reloads = true, Min = 1, Max = 30)]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    [Setting("Webhooks:Every", "How often the ledger is looked at for what is to be posted, while tenants have webhooks. Each look is a listing of its streams, which a storage account is paid for.", Reloads = true, Min = 0.1, Max = 60)]
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(1);

    [Setting("Egress:Webhooks:AllowPrivate", "Webhooks may be at private, loopback and other addresses that are not public, and without TLS. To be set for silos and egress alike.")]
    public bool AllowPrivate { get; init; }

    public IEnumerable<string> Validate()
    {
        if (Retry.Count == 0) yield return "Webhooks:Retry: must name at least one wait, such as 1m.";
    }
}
