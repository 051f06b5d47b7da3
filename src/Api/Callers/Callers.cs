using System.Security.Cryptography;
using System.Text;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Tenants;
using Microsoft.AspNetCore.Http;

namespace Angarium.Api.Callers;

/// <summary>Tells by `Authorization: Bearer` who calls: the administrator's key of the configuration is compared here, as a digest; another is asked of the silos, a tenant's of that tenant. Any thread; keeps no key.</summary>
internal sealed class Callers
{
    private const string Scheme = "Bearer ";

    /// <summary>No key is longer.</summary>
    private const int MaxKey = 256;

    private readonly IGrainFactory _grains;
    private volatile byte[]? _administrator;

    public Callers(IGrainFactory grains, ISettings<ApiOptions> settings, DrawnKey drawn)
    {
        _grains = grains;
        Take(settings.Current, drawn);
        settings.OnChange(options => Take(options, drawn));
    }

    /// <summary>Null = nobody that is known.</summary>
    public async ValueTask<Caller?> FindAsync(HttpRequest request)
    {
        if (request.Headers.Authorization is not [{ } header] || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return null;
        var key = header[Scheme.Length..].Trim();
        if (key.Length is 0 or > MaxKey) return null;
        var digest = Digest(key);
        if (_administrator is { } known && CryptographicOperations.FixedTimeEquals(known, digest)) return new Caller(null, KeyScopes.All, "administrator", "administrator");
        if (key.StartsWith(TenantName.AdministratorPrefix, StringComparison.Ordinal)) return await _grains.GetGrain<IAdministrators>(0).Check(key) is { } id ? new Caller(null, KeyScopes.All, id, "administrator " + id) : null;
        if (TenantName.OfKey(key) is var tenant && tenant == TenantName.Nobody) return null;
        return await _grains.GetGrain<ITenantAdmin>(tenant).Check(key) is { } found ? new Caller(tenant, found.Scopes, Convert.ToHexString(digest.AsSpan(0, 8)), "key " + found.Id) : null;
    }

    private void Take(ApiOptions options, DrawnKey drawn)
    {
        var key = options.AdministratorKey.Length > 0 ? File.ReadAllText(options.AdministratorKey).Trim() : drawn.Key;
        _administrator = key is null ? null : Digest(key);
    }

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>The administrator's key that was drawn at this start, in development; null = none.</summary>
public sealed record DrawnKey(string? Key);
