using System.Buffers;
using System.Security.Cryptography;

namespace Angarium.Mail.Tenants;

/// <summary>
/// How tenants, their credentials and their keys are named, so that each says whose it is and nothing has to be looked up: tenant `t` and 15 characters; SMTP user `name@tenant`; API key
/// `ak_tenant_secret`; administrator's key `adm_name_secret`. Pure.
/// </summary>
public static class TenantName
{
    /// <summary>What an unknown name is asked of: no tenant has this one.</summary>
    public const string Nobody = "nobody";

    public const string KeyPrefix = "ak_";

    public const string AdministratorPrefix = "adm_";

    /// <summary>Characters of a secret: some 190 bits.</summary>
    public const int SecretLength = 32;

    private const int IdLength = 16;

    // No vowels, and nothing that looks like another: nobody reads a word into it, and it can be read aloud.
    private const string Letters = "23456789bcdfghjkmnpqrstvwxyz";

    private static readonly SearchValues<char> s_letters = SearchValues.Create(Letters);

    /// <summary>Draws the name of a tenant.</summary>
    public static string NewTenant() => "t" + RandomNumberGenerator.GetString(Letters, IdLength - 1);

    /// <summary>Draws a short name for something of one tenant: a credential, a key, a webhook.</summary>
    public static string NewPart() => RandomNumberGenerator.GetString(Letters, 10);

    public static string NewSecret() => RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", SecretLength);

    public static bool IsTenant(ReadOnlySpan<char> text) => text.Length == IdLength && text[0] == 't' && text[1..].IndexOfAnyExcept(s_letters) < 0;

    /// <summary>Of `name@tenant`; <see cref="Nobody"/> for what is not so.</summary>
    public static string OfUser(string user)
    {
        var at = user.LastIndexOf('@');
        return at > 0 && IsTenant(user.AsSpan(at + 1)) ? user[(at + 1)..] : Nobody;
    }

    /// <summary>Of `ak_tenant_secret`; <see cref="Nobody"/> for what is not so.</summary>
    public static string OfKey(string key)
    {
        if (!key.StartsWith(KeyPrefix, StringComparison.Ordinal) || key.Length != KeyPrefix.Length + IdLength + 1 + SecretLength) return Nobody;
        var id = key.AsSpan(KeyPrefix.Length, IdLength);
        return IsTenant(id) && key[KeyPrefix.Length + IdLength] == '_' ? id.ToString() : Nobody;
    }
}
