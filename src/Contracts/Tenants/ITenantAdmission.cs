using Angarium.Mail.Dkim;

namespace Angarium.Contracts.Tenants;

/// <summary>
/// What front-line processes ask of a tenant: whether a credential is good, how much more it may send, and signatures (design, promise 10: keys and secrets stay here). Key: the tenant's id,
/// also of one that does not exist: it is answered like a wrong password. Role: ingress.
/// </summary>
[Alias("angarium.ITenantAdmission")]
public interface ITenantAdmission : IGrainWithStringKey
{
    /// <summary>Judges a password that came in PLAIN, LOGIN or HTTP.</summary>
    [Alias("CheckPassword")]
    Task<LoginAnswer> CheckPassword(PasswordCheck check);

    /// <summary>What SCRAM tells a client before it proves anything; for a name that does not exist too, and the same each time.</summary>
    [Alias("Salt")]
    Task<LoginSalt> Salt(string user);

    /// <summary>Judges a client's proof of SCRAM-SHA-256 (RFC 5802 §3).</summary>
    [Alias("CheckProof")]
    Task<LoginAnswer> CheckProof(ProofCheck check);

    /// <summary>Judges an API key that may send.</summary>
    [Alias("CheckKey")]
    Task<LoginAnswer> CheckKey(string key);

    /// <summary>Leases messages of the tenant's quota and connections to one ingress process, and tells what has changed.</summary>
    [Alias("Admit")]
    Task<AdmitAnswer> Admit(AdmitRequest request);

    /// <summary>Signs digests with the keys of the tenant's verified domains, and makes keys for return paths; of a commit's messages together.</summary>
    [Alias("Sign")]
    Task<SignAnswer> Sign(SignRequest request);
}

/// <summary>A name and its password. A value; in memory only, and in no log.</summary>
[GenerateSerializer, Immutable, Alias("angarium.PasswordCheck")]
public sealed record PasswordCheck
{
    [Id(0)] public required string User { get; init; }

    [Id(1)] public required string Password { get; init; }

    public override string ToString() => User;
}

/// <summary>A proof of SCRAM and what it was made over. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.ProofCheck")]
public sealed record ProofCheck
{
    [Id(0)] public required string User { get; init; }

    /// <summary>AuthMessage of RFC 5802 §3.</summary>
    [Id(1)] public required string Message { get; init; }

    [Id(2)] public required byte[] Proof { get; init; }
}

/// <summary>What a client of SCRAM derives its keys with. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.LoginSalt")]
public readonly record struct LoginSalt([property: Id(0)] byte[] Salt, [property: Id(1)] int Iterations);

/// <summary>Whether a credential is good. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.LoginAnswer")]
public sealed record LoginAnswer
{
    /// <summary>Whose it is; null = it is wrong, whatever is wrong with it.</summary>
    [Id(0)] public TenantFacts? Tenant { get; init; }

    /// <summary>SCRAM: the server's signature.</summary>
    [Id(1)] public byte[] Signature { get; init; } = [];
}

/// <summary>What an ingress process needs to know of a tenant; nothing of it is secret. Replaced, never changed.</summary>
[GenerateSerializer, Immutable, Alias("angarium.TenantFacts")]
public sealed record TenantFacts
{
    [Id(0)] public required string Id { get; init; }

    /// <summary>Rises with every change.</summary>
    [Id(1)] public long Version { get; init; }

    /// <summary>Rises when a credential or key was taken away: what was judged before counts no more.</summary>
    [Id(2)] public long Revocations { get; init; }

    [Id(3)] public bool IsPaused { get; init; }

    /// <summary>Its verified domains: it sends as nobody else.</summary>
    [Id(4)] public SendingDomain[] Domains { get; init; } = [];

    /// <summary>Recipients of one message; 0 = as many as the process takes.</summary>
    [Id(5)] public int MaxRecipients { get; init; }

    /// <summary>Octets of one message; 0 = as many as the process takes.</summary>
    [Id(6)] public long MaxSize { get; init; }

    /// <summary>Whether its messages and connections are counted: otherwise nothing is to be leased.</summary>
    [Id(7)] public bool IsMetered { get; init; }

    public SendingDomain? Find(string domain) => Array.Find(Domains, one => one.Name == domain);
}

/// <summary>A verified domain of a tenant. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SendingDomain")]
public sealed record SendingDomain
{
    /// <summary>A-label, lower case.</summary>
    [Id(0)] public required string Name { get; init; }

    /// <summary>The keys to sign with, one signature each.</summary>
    [Id(1)] public SigningKey[] Keys { get; init; } = [];

    /// <summary>Where bounces come back to us; null = nowhere (yet): its messages keep the return path that they came with.</summary>
    [Id(2)] public string? ReturnDomain { get; init; }
}

/// <summary>The public side of a DKIM key. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SigningKey")]
public readonly record struct SigningKey([property: Id(0)] string Selector, [property: Id(1)] DkimAlgorithm Algorithm);

/// <summary>What an ingress process asks for a tenant's clients, every few seconds while it has some, and when it runs out. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.AdmitRequest")]
public sealed record AdmitRequest
{
    /// <summary>Random, drawn at each start of the process.</summary>
    [Id(0)] public required string Ingress { get; init; }

    /// <summary>Connections that it has of the tenant, with those that wait to be let in.</summary>
    [Id(1)] public int Connections { get; init; }

    /// <summary>Messages that wait to be let in.</summary>
    [Id(2)] public int Messages { get; init; }

    /// <summary>The version of <see cref="TenantFacts"/> that it has.</summary>
    [Id(3)] public long Version { get; init; }
}

/// <summary>What a tenant lets an ingress process do. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.AdmitAnswer")]
public sealed record AdmitAnswer
{
    /// <summary>What is true now; null = what it has.</summary>
    [Id(0)] public TenantFacts? Tenant { get; init; }

    /// <summary>Messages that may be taken within <see cref="Lasts"/>.</summary>
    [Id(1)] public int Messages { get; init; }

    [Id(2)] public TimeSpan Lasts { get; init; }

    /// <summary>When there will be more, if there are too few now.</summary>
    [Id(3)] public TimeSpan RetryAfter { get; init; }

    /// <summary>Connections that it may have.</summary>
    [Id(4)] public int Connections { get; init; }
}

/// <summary>Digests to sign. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SignRequest")]
public sealed record SignRequest
{
    [Id(0)] public required SignItem[] Items { get; init; }

    /// <summary>Messages that want keys for return paths of their own.</summary>
    [Id(1)] public int Returns { get; init; }
}

/// <summary>One digest and the key to sign it with. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SignItem")]
public readonly record struct SignItem([property: Id(0)] string Domain, [property: Id(1)] string Selector, [property: Id(2)] byte[] Digest);

/// <summary>The signatures, parallel to what was asked. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SignAnswer")]
public sealed record SignAnswer
{
    /// <summary>Null = the domain is not verified (any more), or has no such key.</summary>
    [Id(0)] public required byte[]?[] Signatures { get; init; }

    /// <summary>What is true now, where a signature is missing.</summary>
    [Id(1)] public TenantFacts? Tenant { get; init; }

    /// <summary>As many as were asked for; none = there can be none.</summary>
    [Id(2)] public ReturnKey[] Returns { get; init; } = [];
}

/// <summary>What one message's return paths are signed with (<see cref="Mail.Tenants.ReturnTag"/>); of no use for any other. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.ReturnKey")]
public readonly record struct ReturnKey([property: Id(0)] ulong Nonce, [property: Id(1)] UInt128 Key);
