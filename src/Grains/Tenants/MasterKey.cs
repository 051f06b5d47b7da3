using System.Security.Cryptography;
using System.Text;

namespace Angarium.Grains.Tenants;

/// <summary>
/// The key under which private keys are stored (AES-256-GCM): `Keys:Master`, in silos and nowhere else (design, promise 10). What is sealed is bound to its name, so that no document can be
/// put in the place of another. Any thread.
/// </summary>
public sealed class MasterKey : IDisposable
{
    public const int Size = 32;

    private const byte Format = 1;
    private const int NonceSize = 12, TagSize = 16;

    /// <summary>Locked while it works: one is not for two threads.</summary>
    private readonly AesGcm _aes;

    private readonly byte[] _root;

    public MasterKey(ReadOnlySpan<byte> key)
    {
        _aes = new AesGcm(HKDF.DeriveKey(HashAlgorithmName.SHA256, key.ToArray(), Size, info: "seal"u8.ToArray()), TagSize);
        _root = key.ToArray();
    }

    /// <summary>A key for something else, which tells nothing of this one.</summary>
    public byte[] Derive(string purpose) => HKDF.DeriveKey(HashAlgorithmName.SHA256, _root, Size, info: Encoding.UTF8.GetBytes(purpose));

    /// <summary>The key that a file holds in base64, or why it holds none.</summary>
    public static byte[]? Parse(string text, out string error)
    {
        error = "";
        var key = new byte[Size + 1];
        if (Convert.TryFromBase64String(text.Trim(), key, out var length) && length == Size) return key[..Size];
        error = $"holds no key: {Size} octets in base64; make one with `openssl rand -base64 {Size}`";
        return null;
    }

    public byte[] Seal(ReadOnlySpan<byte> secret, string name)
    {
        var whole = new byte[1 + NonceSize + TagSize + secret.Length];
        whole[0] = Format;
        RandomNumberGenerator.Fill(whole.AsSpan(1, NonceSize));
        lock (_aes) _aes.Encrypt(whole.AsSpan(1, NonceSize), secret, whole.AsSpan(1 + NonceSize + TagSize), whole.AsSpan(1 + NonceSize, TagSize), Encoding.UTF8.GetBytes(name));
        return whole;
    }

    /// <exception cref="InvalidDataException">It was sealed by another key, under another name, or is damaged.</exception>
    public byte[] Open(ReadOnlySpan<byte> whole, string name)
    {
        if (whole.Length < 1 + NonceSize + TagSize || whole[0] != Format) throw new InvalidDataException($"{name} is sealed in a way that this version of angarium does not know.");
        var secret = new byte[whole.Length - 1 - NonceSize - TagSize];
        try
        {
            lock (_aes) _aes.Decrypt(whole[1..(1 + NonceSize)], whole[(1 + NonceSize + TagSize)..], whole.Slice(1 + NonceSize, TagSize), secret, Encoding.UTF8.GetBytes(name));
            return secret;
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new InvalidDataException($"{name} cannot be opened with Keys:Master: it was sealed with another key, or is damaged.", e);
        }
    }

    public void Dispose() => _aes.Dispose();
}
