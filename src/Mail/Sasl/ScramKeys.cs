using System.Security.Cryptography;
using System.Text;

namespace Angarium.Mail.Sasl;

/// <summary>
/// What is kept of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677): enough to judge a proof or a password, not to log in elsewhere. Kept where credentials are owned, never in front-line
/// processes. Immutable; pure.
/// </summary>
public sealed record ScramKeys(byte[] Salt, int Iterations, byte[] StoredKey, byte[] ServerKey)
{
    /// <summary>RFC 7677 §4 asks for at least 4,096. Passwords here are drawn by us, with 128 bits and more: no number of iterations makes them safer.</summary>
    public const int DefaultIterations = 4_096;

    private const int Length = 32;

    public static ScramKeys Of(string password, byte[] salt, int iterations = DefaultIterations)
    {
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, iterations, HashAlgorithmName.SHA256, Length);
        return new ScramKeys(salt, iterations, SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8)), HMACSHA256.HashData(salted, "Server Key"u8));
    }

    /// <summary>Whether this is the password. Takes as long as one derivation.</summary>
    public bool Matches(string password) => CryptographicOperations.FixedTimeEquals(Of(password, Salt, Iterations).StoredKey, StoredKey);

    /// <summary>The server's signature (RFC 5802 §3) when the proof is right, else null.</summary>
    public byte[]? Verify(string authMessage, ReadOnlySpan<byte> proof)
    {
        if (proof.Length != Length) return null;
        var message = Encoding.UTF8.GetBytes(authMessage);
        Span<byte> clientKey = stackalloc byte[Length];
        HMACSHA256.HashData(StoredKey, message, clientKey);
        for (var i = 0; i < Length; i++) clientKey[i] ^= proof[i];
        return CryptographicOperations.FixedTimeEquals(SHA256.HashData(clientKey), StoredKey) ? HMACSHA256.HashData(ServerKey, message) : null;
    }
}
