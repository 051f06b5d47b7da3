using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Angarium.Mail.Tenants;

/// <summary>
/// Gives each recipient of a message a return path of its own (VERP): `b-recipient-nonce-signature` at a domain whose mail comes back to us, so that whatever is sent there names the recipient, and
/// nobody else can name one. The key is good for this message alone: it is made of the tenant's, which never leaves the silos (design, promise 10), and of the nonce. Immutable; stored with the envelope.
/// </summary>
/// <param name="Domain">A-label, lower case.</param>
/// <param name="Nonce">Drawn for the message.</param>
/// <param name="Key">What this message's return paths are signed with.</param>
public sealed record ReturnTag(string Domain, ulong Nonce, UInt128 Key)
{
    private const string Prefix = "b-";
    private const int KeySize = 16, Part = 13;

    /// <summary>The return path of one recipient. 53 characters before the `@`, of the 64 that there may be (RFC 5321 §4.5.3.1.1), and the same in either case.</summary>
    public string For(RecipientKey recipient) => $"{Prefix}{recipient}-{Encode(Nonce)}-{Encode(Sign(recipient))}@{Domain}";

    /// <summary>The tag of a message of the tenant that this key is of.</summary>
    public static ReturnTag Of(ReadOnlySpan<byte> tenantKey, ulong nonce, string domain)
    {
        Span<byte> mac = stackalloc byte[32];
        Span<byte> drawn = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(drawn, nonce);
        HMACSHA256.HashData(tenantKey, drawn, mac);
        return new ReturnTag(domain, nonce, BinaryPrimitives.ReadUInt128BigEndian(mac));
    }

    /// <summary>What a local part says, whether it was forged or not: <see cref="IsGenuine"/> tells, with the tenant's key.</summary>
    public static bool TryParse(ReadOnlySpan<char> local, out RecipientKey recipient, out ulong nonce, out ulong signature)
    {
        (recipient, nonce, signature) = (default, 0, 0);
        var key = Base32.EncodedLength(RecipientKey.Size);
        return local.Length == Prefix.Length + key + 2 * (1 + Part) && local.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && local[Prefix.Length + key] == '-' && local[^(Part + 1)] == '-'
            && RecipientKey.TryParse(local.Slice(Prefix.Length, key), out recipient) && TryDecode(local.Slice(Prefix.Length + key + 1, Part), out nonce) && TryDecode(local[^Part..], out signature);
    }

    /// <summary>The signature is one that this message's key makes.</summary>
    public bool IsGenuine(RecipientKey recipient, ulong signature)
    {
        Span<byte> made = stackalloc byte[8], given = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(made, Sign(recipient));
        BinaryPrimitives.WriteUInt64BigEndian(given, signature);
        return CryptographicOperations.FixedTimeEquals(made, given);
    }

    // The message's key is nobody's to read in a log.
    public override string ToString() => Domain;

    private ulong Sign(RecipientKey recipient)
    {
        Span<byte> key = stackalloc byte[KeySize];
        Span<byte> text = stackalloc byte[RecipientKey.Size];
        Span<byte> mac = stackalloc byte[32];
        BinaryPrimitives.WriteUInt128BigEndian(key, Key);
        recipient.Write(text);
        HMACSHA256.HashData(key, text, mac);
        return BinaryPrimitives.ReadUInt64BigEndian(mac);
    }

    private static string Encode(ulong value)
    {
        Span<byte> octets = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(octets, value);
        return Base32.Encode(octets);
    }

    private static bool TryDecode(ReadOnlySpan<char> text, out ulong value)
    {
        Span<byte> octets = stackalloc byte[8];
        var isRead = Base32.TryDecode(text, octets);
        value = isRead ? BinaryPrimitives.ReadUInt64BigEndian(octets) : 0;
        return isRead;
    }
}
