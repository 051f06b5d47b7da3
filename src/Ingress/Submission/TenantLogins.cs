using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Tenants;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Submission;

/// <summary>
/// Asks the tenant that a credential names, and remembers what was good for a minute: as an HMAC under a key of this process, so that no message costs a password hash and no memory holds a
/// password (design, promise 10). Any thread; gone with the process.
/// </summary>
internal sealed partial class TenantLogins(IGrainFactory grains, TenantAccounts accounts, TimeProvider time, ILogger<TenantLogins> log) : ITenantLogins
{
    /// <summary>What is remembered; beyond it all is forgotten and asked again.</summary>
    private const int Most = 100_000;

    private static readonly TimeSpan s_lasts = TimeSpan.FromMinutes(1);

    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);
    private readonly ConcurrentDictionary<UInt128, Known> _known = new();

    public ValueTask<LoginVerdict> PasswordAsync(string user, string password) =>
        RememberedAsync(user + "\0" + password, TenantName.OfUser(user), grain => grain.CheckPassword(new PasswordCheck { User = user, Password = password }));

    public ValueTask<LoginVerdict> KeyAsync(string key) => RememberedAsync(key, TenantName.OfKey(key), grain => grain.CheckKey(key));

    public async ValueTask<LoginSalt?> SaltAsync(string user)
    {
        try
        {
            return await Of(TenantName.OfUser(user)).Salt(user);
        }
        catch (Exception e)
        {
            CannotAsk(e.Message);
            return null;
        }
    }

    public async ValueTask<(LoginVerdict Verdict, byte[] Signature)> ProofAsync(string user, string message, byte[] proof)
    {
        var (verdict, signature) = await AskAsync(TenantName.OfUser(user), grain => grain.CheckProof(new ProofCheck { User = user, Message = message, Proof = proof }));
        return (verdict, signature);
    }

    private async ValueTask<LoginVerdict> RememberedAsync(string credential, string tenant, Func<ITenantAdmission, Task<LoginAnswer>> ask)
    {
        var digest = Digest(credential);
        if (_known.TryGetValue(digest, out var known) && time.GetElapsedTime(known.At) < s_lasts && known.Revocations == known.Account.Facts.Revocations) return new(known.Account, false);
        var (verdict, _) = await AskAsync(tenant, ask);
        if (verdict.Account is not { } account)
        {
            _known.TryRemove(digest, out _);
            return verdict;
        }

        if (_known.Count >= Most) _known.Clear();
        _known[digest] = new Known(account, account.Facts.Revocations, time.GetTimestamp());
        return verdict;
    }

    private async ValueTask<(LoginVerdict, byte[])> AskAsync(string tenant, Func<ITenantAdmission, Task<LoginAnswer>> ask)
    {
        try
        {
            var answer = await ask(Of(tenant));
            return (new LoginVerdict(answer.Tenant is { } facts ? accounts.Take(facts) : null, false), answer.Signature);
        }
        catch (Exception e)
        {
            CannotAsk(e.Message);
            return (new LoginVerdict(null, true), []);
        }
    }

    private ITenantAdmission Of(string tenant) => grains.GetGrain<ITenantAdmission>(tenant);

    private UInt128 Digest(string credential)
    {
        Span<byte> digest = stackalloc byte[32];
        HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes(credential), digest);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(digest);
    }

    private readonly record struct Known(TenantAccount Account, long Revocations, long At);

    [LoggerMessage(3050, LogLevel.Warning, "A credential cannot be checked: {Reason}")]
    private partial void CannotAsk(string reason);
}
