using System.Net;
using System.Text;
using Angarium.Api.Problems;
using Angarium.Mail.Addresses;
using Microsoft.AspNetCore.Http;
using MimeKit;

namespace Angarium.Api.Messages;

/// <summary>One message to be sent: built by MimeKit from what came as JSON, in 7 bits so that every next hop takes it. Pure.</summary>
internal sealed class MessageDraft
{
    public const int MaxRecipients = 1_000;

    private const int MaxHeaders = 50, MaxSubstitutions = 100, MaxText = 998;

    /// <summary>Fields that are made here, or on the way, and by nobody else.</summary>
    private static readonly HashSet<string> s_ours = new(StringComparer.OrdinalIgnoreCase)
    {
        "from", "to", "cc", "bcc", "reply-to", "subject", "sender", "date", "return-path", "received", "dkim-signature", "mime-version", "content-type", "content-transfer-encoding", "content-disposition",
        "content-id", "message-id", "resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender", "authentication-results", "arc-seal", "arc-message-signature", "arc-authentication-results",
    };

    public required MailAddress From { get; init; }

    public required IReadOnlyList<MailAddress> Recipients { get; init; }

    public required byte[] Content { get; init; }

    /// <summary>The messages that a request asks for, each built when it is asked for (a thousand letters with an attachment are not held together); or why it cannot be done.</summary>
    /// <param name="body">What was asked for.</param>
    /// <param name="maxSize">Octets of one message: none that would be larger is begun.</param>
    /// <returns>Besides, characters and octets of the largest letter that is filled in; 0 = none is, it is as large as the request.</returns>
    public static (List<Func<MessageDraft>> Drafts, long Size, IResult? Refusal) Of(MessageBody body, long maxSize)
    {
        if (Check(body) is { } refusal) return ([], 0, refusal);
        var all = body.To.Concat(body.Cc).Concat(body.Bcc).ToList();
        if (all.Count == 0) return ([], 0, ApiProblem.Invalid("to", "A message has a recipient."));
        if (all.Count > MaxRecipients) return ([], 0, ApiProblem.Invalid("to", $"At most {MaxRecipients} recipients, copies included."));
        if (!body.To.Any(to => to.Substitutions is { Count: > 0 })) return ([() => Build(body, body.To, body.Cc, all, null)], 0, null);
        // Each gets a letter of its own; the copies go with none of them.
        if (body.Cc.Length + body.Bcc.Length > 0) return ([], 0, ApiProblem.Invalid(body.Cc.Length > 0 ? "cc" : "bcc", "With substitutions each recipient gets a message of its own: there are no copies."));
        var (attached, largest) = (body.Attachments.Sum(a => a.Content.LongLength), 0L);
        for (var i = 0; i < body.To.Length; i++)
        {
            var substitutions = body.To[i].Substitutions;
            if (FilledLength(body.Subject, substitutions, isHtml: false, maxSize) > MaxText) return ([], 0, ApiProblem.Invalid($"to[{i}].substitutions", $"The subject has at most {MaxText} characters with them."));
            var size = attached + FilledLength(body.Text, substitutions, isHtml: false, maxSize) + FilledLength(body.Html, substitutions, isHtml: true, maxSize);
            largest = Math.Max(largest, size);
            if (size > maxSize) return ([], 0, ApiProblem.Invalid($"to[{i}].substitutions", $"With them the message is larger than {maxSize} octets."));
        }

        return ([.. body.To.Select(to => (Func<MessageDraft>)(() => Build(body, [to], [], [to], to.Substitutions)))], largest, null);
    }

    private static IResult? Check(MessageBody body)
    {
        foreach (var (field, parties) in new (string, PartyBody[])[] { ("from", [body.From]), ("to", body.To), ("cc", body.Cc), ("bcc", body.Bcc), ("replyTo", body.ReplyTo) })
        {
            for (var i = 0; i < parties.Length; i++)
            {
                var at = field == "from" ? field : $"{field}[{i}]";
                if (parties[i] is not { } party) return ApiProblem.Invalid(at, "It is `null`.");
                if (!MailAddress.TryParse(party.Email, out var address) || !address.IsAscii) return ApiProblem.Invalid(at + ".email", "A mail address, such as me@example.org.");
                if (party.Name is { } name && !IsLine(name)) return ApiProblem.Invalid(at + ".name", $"At most {MaxText} characters without line ends.");
                if (party.Substitutions is not { } substitutions) continue;
                if (field != "to") return ApiProblem.Invalid(at + ".substitutions", "Only recipients in `to` have them.");
                if (substitutions.Count > MaxSubstitutions || substitutions.Any(s => s.Value is null || s.Key.Length == 0 || s.Key.AsSpan().ContainsAny('{', '}'))) return ApiProblem.Invalid(at + ".substitutions", $"At most {MaxSubstitutions}, with names and values.");
            }
        }

        if (!IsLine(body.Subject)) return ApiProblem.Invalid("subject", $"At most {MaxText} characters without line ends.");
        if (body.To.Any(to => to.Substitutions?.Values.Any(v => !IsLine(v)) == true) && body.Subject.Contains("{{", StringComparison.Ordinal)) return ApiProblem.Invalid("to", "What is put into the subject has no line ends.");
        if (body.Text is null && body.Html is null && body.Attachments.Length == 0) return ApiProblem.Invalid("text", "A message has text, html or an attachment.");
        if (body.Headers.Count > MaxHeaders) return ApiProblem.Invalid("headers", $"At most {MaxHeaders}.");
        foreach (var (name, value) in body.Headers)
        {
            if (name.Length is 0 or > 76 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') || s_ours.Contains(name)) return ApiProblem.Invalid("headers", "Letters, digits and hyphens, and none that the relay makes itself.");
            if (value is null || !IsLine(value)) return ApiProblem.Invalid($"headers.{name}", $"At most {MaxText} characters without line ends.");
        }

        for (var i = 0; i < body.Attachments.Length; i++)
        {
            if (body.Attachments[i] is not { } attachment) return ApiProblem.Invalid($"attachments[{i}]", "It is `null`.");
            if (attachment.Name.Length == 0 || !IsLine(attachment.Name)) return ApiProblem.Invalid($"attachments[{i}].name", "The name of a file.");
            // Of these types it would be read as messages, and not as it is.
            if (!IsLine(attachment.Type) || !ContentType.TryParse(attachment.Type, out var type) || type.MediaType.ToLowerInvariant() is "message" or "multipart") return ApiProblem.Invalid($"attachments[{i}].type", "A media type, such as application/pdf; neither message/* nor multipart/*.");
            if (attachment.ContentId is { } id && (id.Length is 0 or > 200 || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '@'))) return ApiProblem.Invalid($"attachments[{i}].contentId", "Letters, digits, `.`, `-`, `_` and `@`.");
        }

        return null;
    }

    private static bool IsLine(string text) => text.Length <= MaxText && !text.Any(char.IsControl);

    private static MessageDraft Build(MessageBody body, PartyBody[] to, PartyBody[] cc, IReadOnlyList<PartyBody> recipients, Dictionary<string, string>? substitutions)
    {
        using var message = new MimeMessage();
        message.Headers.Clear();
        message.From.Add(Mailbox(body.From));
        message.To.AddRange(to.Select(Mailbox));
        message.Cc.AddRange(cc.Select(Mailbox));
        message.ReplyTo.AddRange(body.ReplyTo.Select(Mailbox));
        message.Subject = Filled(body.Subject, substitutions, isHtml: false);
        message.Date = DateTimeOffset.UtcNow;
        message.MessageId = $"{Guid.NewGuid():n}@{body.From.Email[(body.From.Email.LastIndexOf('@') + 1)..]}";
        foreach (var (name, value) in body.Headers) message.Headers.Add(name, value);
        var builder = new BodyBuilder { TextBody = body.Text is null ? null : Filled(body.Text, substitutions, isHtml: false), HtmlBody = body.Html is null ? null : Filled(body.Html, substitutions, isHtml: true) };
        foreach (var attachment in body.Attachments)
        {
            // Made here, for the builder would take a name for a place (`cid:logo`).
            var part = new MimePart(ContentType.Parse(attachment.Type))
            {
                Content = new MimeContent(new MemoryStream(attachment.Content, writable: false)), ContentTransferEncoding = ContentEncoding.Base64, FileName = attachment.Name, ContentId = attachment.ContentId,
            };
            part.ContentDisposition!.Disposition = attachment.ContentId is null ? ContentDisposition.Attachment : ContentDisposition.Inline;
            (attachment.ContentId is null ? builder.Attachments : builder.LinkedResources).Add(part);
        }

        message.Body = builder.ToMessageBody();
        message.Prepare(EncodingConstraint.SevenBit);
        using var output = new MemoryStream();
        var format = FormatOptions.Default.Clone();
        format.NewLineFormat = NewLineFormat.Dos;
        format.EnsureNewLine = true;
        message.WriteTo(format, output);
        return new MessageDraft { From = Address(body.From), Recipients = [.. recipients.Select(Address)], Content = output.ToArray() };
    }

    /// <summary>Characters that <see cref="Filled"/> makes of it; not counted beyond the bound, so that a small request asks for no more work than a large one.</summary>
    private static long FilledLength(string? text, Dictionary<string, string>? substitutions, bool isHtml, long bound)
    {
        if (text is null) return 0;
        var length = 0L;
        for (var at = 0; length <= bound;)
        {
            var open = text.IndexOf("{{", at, StringComparison.Ordinal);
            var close = open < 0 ? -1 : text.IndexOf("}}", open + 2, StringComparison.Ordinal);
            if (close < 0) return length + text.Length - at;
            var value = substitutions?.GetValueOrDefault(text[(open + 2)..close].Trim());
            length += open - at + (value is null ? close + 2 - open : isHtml ? WebUtility.HtmlEncode(value).Length : value.Length);
            at = close + 2;
        }

        return length;
    }

    private static string Filled(string text, Dictionary<string, string>? substitutions, bool isHtml)
    {
        if (substitutions is null) return text;
        // In one pass: what was put in is not looked at again.
        var filled = new StringBuilder(text.Length);
        for (var at = 0; ;)
        {
            var open = text.IndexOf("{{", at, StringComparison.Ordinal);
            var close = open < 0 ? -1 : text.IndexOf("}}", open + 2, StringComparison.Ordinal);
            if (close < 0) return filled.Append(text, at, text.Length - at).ToString();
            filled.Append(text, at, open - at);
            // A name that this recipient has nothing for stays as it was written: it is seen at once.
            if (substitutions.TryGetValue(text[(open + 2)..close].Trim(), out var value)) filled.Append(isHtml ? WebUtility.HtmlEncode(value) : value);
            else filled.Append(text, open, close + 2 - open);
            at = close + 2;
        }
    }

    private static MailboxAddress Mailbox(PartyBody party) => new(party.Name ?? "", party.Email);

    private static MailAddress Address(PartyBody party) => MailAddress.TryParse(party.Email, out var address) ? address : throw new InvalidOperationException("It was checked.");
}
