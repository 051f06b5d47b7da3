using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Angarium.Contracts.Tenants;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Mail.Dkim;
using Angarium.Mail.Status;
using MimeKit;

namespace Angarium.Ingress.Submission;

/// <summary>
/// A submitted message's content, read along while it gathers: keeps the header section, hashes the body (RFC 6376 §3.4.4), and at the end says who wrote it and what is missing (RFC 6409 §8).
/// One per message, on its session's thread.
/// </summary>
internal sealed class SubmittedContent : IDisposable
{
    private const int Piece = 16 << 10;

    public static readonly Reply NoFrom = new(550, MailStatus.BadContent, "A message has one From field (RFC 5322 3.6)");

    public static readonly Reply NoField = new(550, MailStatus.BadContent, "The header section has a line that is no field (RFC 5322 2.2)");

    /// <summary>As RFC 5322 writes them: what a lenient reader skips over, another takes for the author.</summary>
    private static readonly ParserOptions s_strict = new() { AddressParserComplianceMode = RfcComplianceMode.Strict, AllowUnquotedCommasInAddresses = false, AllowAddressesWithoutDomain = false };

    private readonly ArrayBufferWriter<byte> _section = new(1024);
    private readonly DkimBodyHash _hash = new();
    private HeaderFields? _fields;

    public static Reply NotYours(string domain) => new(550, MailStatus.NotAuthorised, $"{domain} is not a verified domain of this tenant");

    /// <summary>The next octets of the content, as they are stored.</summary>
    public void Append(ReadOnlySpan<byte> content)
    {
        // In pieces, so that of a large message no more is kept than its header section.
        while (_fields is null && content.Length > 0)
        {
            var piece = content[..Math.Min(Piece, content.Length)];
            content = content[piece.Length..];
            var from = Math.Max(0, _section.WrittenCount - 3);
            _section.Write(piece);
            var text = _section.WrittenSpan;
            if (text.StartsWith("\r\n"u8) || text[from..].IndexOf("\r\n\r\n"u8) >= 0) EndSection();
        }

        if (_fields is not null) _hash.Append(content);
    }

    /// <summary>The content is complete. The domain that the message is signed for, and the fields that it lacks; or why it is refused.</summary>
    public (Reply? Refusal, SendingDomain? Domain, string Added) Finish(TenantFacts tenant, DateTimeOffset now)
    {
        if (_fields is null) EndSection();
        if (!EndsWithEmptyLine) return (NoField, null, "");
        if (Authors() is not { Count: > 0 } authors) return (NoFrom, null, "");
        SendingDomain? first = null;
        foreach (var author in authors)
        {
            if (!QueueDomain.TryParse(author.Domain, out var domain)) return (NoFrom, null, "");
            if (tenant.Find(domain.Value) is not { } known) return (NotYours(domain.Value), null, "");
            first ??= known;
        }

        var added = new StringBuilder();
        if (!_fields!.Has("date"u8)) added.Append("Date: ").Append(now.ToString("ddd, dd MMM yyyy HH:mm:ss +0000", CultureInfo.InvariantCulture)).Append("\r\n");
        if (!_fields.Has("message-id"u8)) added.Append("Message-ID: <").Append(RandomNumberGenerator.GetHexString(32, lowercase: true)).Append('@').Append(first!.Name).Append(">\r\n");
        return (null, first, added.ToString());
    }

    /// <summary>What the keys of the domain have to sign, one for each.</summary>
    public DkimSignature[] Prepare(SendingDomain domain, string added, DateTimeOffset now)
    {
        Span<byte> bodyHash = stackalloc byte[32];
        _hash.Finish(bodyHash);
        var fields = added.Length == 0 ? _fields! : new HeaderFields((byte[])[.. Encoding.ASCII.GetBytes(added), .. _section.WrittenSpan]);
        var signatures = new DkimSignature[domain.Keys.Length];
        for (var i = 0; i < signatures.Length; i++)
            signatures[i] = DkimSignature.Prepare(fields, bodyHash, new DkimSigner(domain.Name, domain.Keys[i].Selector, domain.Keys[i].Algorithm), now);
        return signatures;
    }

    public void Dispose() => _hash.Dispose();

    /// <summary>Or with the content. What a strict reader takes for the body already, a lenient one reads fields from, another From among them.</summary>
    private bool EndsWithEmptyLine => _fields!.BodyStart is var end && (end == _section.WrittenCount || end == 2 || (end > 3 && _section.WrittenSpan[(end - 4)..end].SequenceEqual("\r\n\r\n"u8)));

    private void EndSection()
    {
        _fields = new HeaderFields(_section.WrittenMemory);
        // What is no field ends the section: the rest of it is body already.
        _hash.Append(_section.WrittenSpan[_fields.BodyStart..]);
    }

    /// <summary>Who wrote it; null = there is not one From field that says so.</summary>
    private List<MailboxAddress>? Authors()
    {
        var found = -1;
        for (var i = 0; i < _fields!.Count; i++)
        {
            if (!Ascii.EqualsIgnoreCase(_fields.Name(i), "from"u8)) continue;
            if (found >= 0) return null;
            found = i;
        }

        if (found < 0 || !InternetAddressList.TryParse(s_strict, _fields.Body(found).ToArray(), out var list)) return null;
        // RFC 5322 §3.6.2: a list of mailboxes. Groups (RFC 6854) and routes (§4.4) could show others than those who are judged here.
        return list.All(address => address is MailboxAddress { Route.Count: 0 }) ? [.. list.Cast<MailboxAddress>()] : null;
    }
}
