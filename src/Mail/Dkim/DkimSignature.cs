using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Angarium.Mail.Dkim;

/// <summary>How a signature is made: RFC 6376 §3.3.1 with RFC 8301, and RFC 8463.</summary>
public enum DkimAlgorithm : byte { RsaSha256, Ed25519Sha256 }

/// <summary>A key's place in the DNS: `selector._domainkey.domain`. Both are A-labels.</summary>
public sealed record DkimSigner(string Domain, string Selector, DkimAlgorithm Algorithm);

/// <summary>
/// One DKIM-Signature field in the making, relaxed/relaxed without `l=`: the field without its signature, and the digest that is to be signed (RFC 6376 §3.7). Who holds the key signs the
/// digest and nothing else. Immutable; pure.
/// </summary>
public sealed class DkimSignature
{
    /// <summary>Signed where they stand, RFC 6376 §5.4.1; never Received or Return-Path, which change on the way.</summary>
    private static readonly string[] s_signed =
    [
        "from", "to", "subject", "date", "reply-to", "sender", "cc", "message-id", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding", "content-disposition",
        "list-id", "list-unsubscribe", "list-unsubscribe-post", "list-post", "list-help", "feedback-id",
    ];

    /// <summary>Named once more than they are there, so that none can be added behind our back (RFC 6376 §8.15).</summary>
    private static readonly string[] s_oversigned = ["from", "to", "subject", "date"];

    private const int LineWidth = 76;
    private readonly string _field;

    private DkimSignature(DkimSigner signer, string field, byte[] digest) => (Signer, _field, Digest) = (signer, field, digest);

    public DkimSigner Signer { get; }

    /// <summary>SHA-256 of the signed fields and of this one: what is signed (RSASSA-PKCS1-v1_5 over it as the hash; Ed25519 over it as the message, RFC 8463 §3).</summary>
    public ReadOnlyMemory<byte> Digest { get; }

    /// <param name="bodyHash">32 octets, by <see cref="DkimBodyHash"/>.</param>
    public static DkimSignature Prepare(HeaderFields fields, ReadOnlySpan<byte> bodyHash, DkimSigner signer, DateTimeOffset time)
    {
        var names = Names(fields);
        var algorithm = signer.Algorithm == DkimAlgorithm.RsaSha256 ? "rsa-sha256" : "ed25519-sha256";
        var field = new StringBuilder(512)
            .Append(CultureInfo.InvariantCulture, $"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={signer.Domain};\r\n\ts={signer.Selector}; t={time.ToUnixTimeSeconds()};\r\n\th=");
        Fold(field, names);
        field.Append(";\r\n\tbh=").Append(Convert.ToBase64String(bodyHash)).Append(";\r\n\tb=");
        var text = field.ToString();
        return new DkimSignature(signer, text, Hash(fields, names, text));
    }

    /// <summary>The field, with its CRLF, once it is signed.</summary>
    public string Complete(ReadOnlySpan<byte> signature)
    {
        var field = new StringBuilder(_field, _field.Length + 512);
        var text = Convert.ToBase64String(signature);
        for (var at = 0; at < text.Length; at += LineWidth - 4)
        {
            if (at > 0) field.Append("\r\n\t ");
            field.Append(text.AsSpan(at, Math.Min(LineWidth - 4, text.Length - at)));
        }

        return field.Append("\r\n").ToString();
    }

    /// <summary>Each name as often as the field is there, the oversigned ones once more.</summary>
    private static List<string> Names(HeaderFields fields)
    {
        var names = new List<string>();
        foreach (var name in s_signed)
        {
            var count = fields.CountOf(Encoding.ASCII.GetBytes(name)) + (Array.IndexOf(s_oversigned, name) >= 0 ? 1 : 0);
            for (; count > 0; count--) names.Add(name);
        }

        return names;
    }

    private static void Fold(StringBuilder field, List<string> names)
    {
        var width = 3;
        for (var i = 0; i < names.Count; i++)
        {
            if (i > 0) field.Append(':');
            width += names[i].Length + 1;
            if (width > LineWidth)
            {
                field.Append("\r\n\t ");
                width = names[i].Length + 2;
            }

            field.Append(names[i]);
        }
    }

    private static byte[] Hash(HeaderFields fields, List<string> names, string own)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var output = new ArrayBufferWriter<byte>(4096);

        // The last of each name first, RFC 6376 §5.4.2; one more than there are is the empty string.
        var last = fields.Count;
        string? previous = null;
        foreach (var name in names)
        {
            if (name != previous) (last, previous) = (fields.Count, name);
            var wanted = Encoding.ASCII.GetBytes(name);
            while (--last >= 0 && !Ascii.EqualsIgnoreCase(fields.Name(last), wanted)) ;
            if (last < 0) continue;
            RelaxedHeader.Write(wanted, fields.Body(last), output);
            output.Write("\r\n"u8);
        }

        RelaxedHeader.Write("dkim-signature"u8, Encoding.ASCII.GetBytes(own).AsSpan("DKIM-Signature:".Length), output);
        hash.AppendData(output.WrittenSpan);
        return hash.GetHashAndReset();
    }
}

/// <summary>A field in relaxed form, RFC 6376 §3.4.2, without its CRLF. Pure.</summary>
internal static class RelaxedHeader
{
    /// <param name="name">In lower case.</param>
    public static void Write(ReadOnlySpan<byte> name, ReadOnlySpan<byte> body, IBufferWriter<byte> output)
    {
        output.Write(name);
        output.Write(":"u8);
        var space = false;
        var isBegun = false;
        while (!body.IsEmpty)
        {
            var plain = body.IndexOfAny(" \t\r\n"u8);
            if (plain == 0)
            {
                // Folding goes, the white space behind it stays.
                space |= body[0] is (byte)' ' or (byte)'\t';
                body = body[1..];
                continue;
            }

            var octets = plain < 0 ? body : body[..plain];
            if (space && isBegun) output.Write(" "u8);
            output.Write(octets);
            (space, isBegun) = (false, true);
            body = body[octets.Length..];
        }
    }
}
