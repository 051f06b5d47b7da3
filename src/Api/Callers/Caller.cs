using Angarium.Contracts.Tenants;

namespace Angarium.Api.Callers;

/// <summary>Who calls: an administrator, or a tenant by a key of certain scopes. A value.</summary>
/// <param name="Tenant">Null = an administrator, who is no tenant and may act for all.</param>
/// <param name="Scopes">What the key is good for.</param>
/// <param name="Key">What requests are counted by: not the key itself.</param>
/// <param name="Actor">How it is called in what is noted of changes.</param>
internal sealed record Caller(string? Tenant, KeyScopes Scopes, string Key, string Actor)
{
    public bool IsAdministrator => Tenant is null;

    public bool MayActFor(string tenant) => IsAdministrator || Tenant == tenant;
}
