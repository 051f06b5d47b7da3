using Angarium.Contracts.Tenants;
using Angarium.Grains.Inbound;

namespace Angarium.Grains.Tenants;

// The names of its inbound domains. What else there is to each is in a document of its own, and whose it is too: this list may name one that is not there any more, and harms nobody by it.
internal sealed partial class Tenant
{
    /// <summary>In ordinal order.</summary>
    public string[] Inbound => Record?.Inbound ?? [];

    public OwnerStanding Standing(string domain) => Record is { } record ? new OwnerStanding(true, record.IsPaused, record.Domains.Any(d => d.Name == domain && MaySend(d))) : default;

    /// <summary>Whether a deletion on these terms would be carried out now.</summary>
    public bool MayDelete(long? ifVersion) => Record is { } record && (ifVersion ?? record.Changes) == record.Changes;

    public async Task<Problem?> EnterInboundAsync(string domain, CancellationToken cancellationToken)
    {
        if (Inbound.Contains(domain, StringComparer.Ordinal)) return null;
        var result = await ChangeAsync(record => record.Inbound is { Length: >= TenantRecord.MaxInbound } ? (null, Full("domain", TenantRecord.MaxInbound))
            : (record with { Inbound = [.. (record.Inbound ?? []).Append(domain).Distinct().Order(StringComparer.Ordinal)] }, null), cancellationToken, domain, action: "addInbound");
        return result.Problem;
    }

    public async Task StrikeInboundAsync(string domain, CancellationToken cancellationToken)
    {
        if (Inbound.Contains(domain, StringComparer.Ordinal))
            await ChangeAsync(record => (record with { Inbound = record.Inbound?.Where(name => name != domain).ToArray() is { Length: > 0 } rest ? rest : null }, null), cancellationToken, domain, action: "removeInbound");
    }

    /// <summary>What is done to an inbound domain, for the audit.</summary>
    public Task NoteInboundAsync(string domain, string action, CancellationToken cancellationToken) => ChangeAsync(record => (record, null), cancellationToken, domain, action: action);
}
