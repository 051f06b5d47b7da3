using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;

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

    /// <param name="own">The role of this process; `grains` if it is a silo, whatever else it runs.</param>
    /// <param name="secrets">Secret by role; must contain this process's own.</param>
    /// <exception cref="ArgumentException">They are not usable; the message says which, not what they are.</exception>
    public RoleSecrets(string own, IReadOnlyDictionary<string, string> secrets)
    {
        if (Problems(own, secrets).FirstOrDefault() is { } problem) throw new ArgumentException(problem, nameof(secrets));
        Proof = $"{own} {secrets[own]}";
        _hashes = secrets.ToFrozenDictionary(one => one.Key, one => (s_roles[one.Key], SHA256.HashData(Encoding.UTF8.GetBytes(one.Value)))).GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>What this process puts into its calls.</summary>
    public string Proof { get; }

    /// <summary>What is wrong with them, in lines that an operator can act on and that show none.</summary>
    public static IEnumerable<string> Problems(string own, IReadOnlyDictionary<string, string> secrets)
    {
        if (!secrets.ContainsKey(own)) yield return $"Cluster:Secret:{own}: must be set; it proves this process's role to the silos.";
        foreach (var (role, secret) in secrets)
        {
            if (!s_roles.ContainsKey(role)) yield return $"Cluster:Secret:{role}: there is no such role; the roles are ingress, egress, api and grains.";
            if (secret.Length is < MinLength or > MaxLength) yield return $"Cluster:Secret:{role}: must have {MinLength} to {MaxLength} characters.";
        }

        foreach (var same in secrets.GroupBy(one => one.Value).Where(group => group.Count() > 1))
            yield return $"Cluster:Secret: {string.Join(" and ", same.Select(one => one.Key).Order(StringComparer.Ordinal))} have the same secret; each role needs its own.";
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
