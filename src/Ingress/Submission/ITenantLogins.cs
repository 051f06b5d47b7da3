using Angarium.Contracts.Tenants;

namespace Angarium.Ingress.Submission;

/// <summary>What became of a login: whose it is; nobody's (<see cref="Account"/> is null); or it cannot be told now.</summary>
internal readonly record struct LoginVerdict(TenantAccount? Account, bool IsUnreachable);

/// <summary>The seam through which sessions ask whose a credential is. Any thread; nothing of it throws.</summary>
internal interface ITenantLogins
{
    ValueTask<LoginVerdict> PasswordAsync(string user, string password);

    /// <summary>Null = it cannot be told now.</summary>
    ValueTask<LoginSalt?> SaltAsync(string user);

    ValueTask<(LoginVerdict Verdict, byte[] Signature)> ProofAsync(string user, string message, byte[] proof);

    ValueTask<LoginVerdict> KeyAsync(string key);
}
