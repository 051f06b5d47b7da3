using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Angarium.Host.Configuration;

namespace Angarium.Host.Cluster;

/// <summary>
/// The secrets by which processes prove their roles to silos (`Cluster:Secret:&lt;role&gt;`): a client has its own, a silo has all of those whom it admits. Never shown: nothing here formats
/// one. Any thread; never changes.
/// </summary>
internal sealed class RoleSecrets
{
    /// <summary>Where the proof travels in a call's request context.</summary>
    public const string ContextKey = "angarium.role";

    public const int MinLength = 16;
    public const int MaxLength = 256;

    private static readonly FrozenDictionary<string, CallerRoles> s_roles = new Dictionary<string, CallerRoles>
    {
        ["ingress"] = CallerRoles.Ingress, ["egress"] = CallerRoles.Egress, ["api"] = CallerRoles.Api, ["grains"] = CallerRoles.Grains,
    }.ToFrozenDictionary();

    private readonly FrozenDictionary<string, (CallerRoles Role, byte[] Hash)>.AlternateLookup<ReadOnlySpan<char>> _hashes;

    private readonly (CallerRoles Role, string Proof)[] _own;

    /// <param name="own">The roles of this process; `grains` alone if it is a silo, whatever else it runs.</param>
    /// <param name="secrets">Secret by role; must contain this process's own.</param>
    /// <exception cref="ArgumentException">They are not usable; the message says which, not what they are.</exception>
    public RoleSecrets(IReadOnlyList<string> own, IReadOnlyDictionary<string, string> secrets)
    {
        var missing = own.Where(role => !secrets.ContainsKey(role)).Select(role => $"Cluster:Secret:{role}: must be set; it proves this process's role to the silos.");
        if (missing.Concat(Problems(secrets)).FirstOrDefault() is { } problem) throw new ArgumentException(problem, nameof(secrets));
        _own = [.. own.Select(role => (s_roles[role], $"{role} {secrets[role]}"))];
        _hashes = secrets.ToFrozenDictionary(one => one.Key, one => (s_roles[one.Key], SHA256.HashData(Encoding.UTF8.GetBytes(one.Value)))).GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>What this process puts into its calls: of several roles, the first.</summary>
    public string Proof => _own[0].Proof;

    /// <summary>What it puts into a call of this interface: of several roles, one that may.</summary>
    public string ProofFor(Type called)
    {
        if (_own.Length == 1) return _own[0].Proof;
        var roles = RoleTable.RolesOf(called);
        foreach (var (role, proof) in _own)
            if ((role & roles) != 0) return proof;
        return _own[0].Proof;
    }

    /// <summary>What is wrong with any of them, in lines that an operator can act on and that show none.</summary>
    public static IEnumerable<string> Problems(IReadOnlyDictionary<string, string> secrets)
    {
        foreach (var (role, secret) in secrets)
        {
            if (!s_roles.ContainsKey(role)) yield return $"Cluster:Secret:{role}: there is no role `{role}`; the roles are {string.Join(", ", RelayOptions.AllRoles)}.";
            if (secret.Length is < MinLength or > MaxLength) yield return $"Cluster:Secret:{role}: must have {MinLength} to {MaxLength} characters; make one with `openssl rand -hex 16`.";
        }

        foreach (var same in secrets.GroupBy(one => one.Value).Where(same => same.Key.Length > 0 && same.Count() > 1))
            yield return $"Cluster:Secret:{same.Last().Key}: is the same as that of {same.First().Key}; give each role a secret of its own.";
    }

    /// <summary>The role that a call's proof proves; none if it proves nothing. Takes the same time for every wrong secret of a role.</summary>
    public CallerRoles RoleOf(object? proof)
    {
        if (proof is not string { Length: <= MaxLength + 16 } text || text.IndexOf(' ') is var end && end < 0) return CallerRoles.None;
        if (!_hashes.TryGetValue(text.AsSpan(0, end), out var known)) return CallerRoles.None;
        Span<byte> bytes = stackalloc byte[Encoding.UTF8.GetMaxByteCount(MaxLength + 16)];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(text.AsSpan(end + 1), bytes)], hash);
        return CryptographicOperations.FixedTimeEquals(hash, known.Hash) ? known.Role : CallerRoles.None;
    }
}
