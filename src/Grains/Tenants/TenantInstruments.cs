using Prometheus;

namespace Angarium.Grains.Tenants;

/// <summary>Metrics of tenants' domains. Any thread.</summary>
internal static class TenantInstruments
{
    private static readonly Counter s_domains = Metrics.CreateCounter(
        "angarium_tenant_domains_total", "Sending domains that came to be something else, by what: pending, verified, warning (a record that was there is missing; it still sends), failed (it sends no more).", "status");

    /// <summary>All of them from the start: what is there for the first time with 1 has not risen.</summary>
    private static readonly Counter.Child[] s_byStatus = [.. Enum.GetNames<DomainStatus>().Select(name => s_domains.WithLabels(name.ToLowerInvariant()))];

    public static void Became(DomainStatus status) => s_byStatus[(int)status].Inc();
}
