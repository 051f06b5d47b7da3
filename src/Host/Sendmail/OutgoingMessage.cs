using System.Globalization;
using System.Text;
using MimeKit;
using MimeKit.Utils;

namespace Angarium.Host.Sendmail;

/// <summary>
/// What a script wrote, made ready for SMTP: CRLF line ends, the fields that RFC 5322 §3.6 demands, no Bcc, and the recipients that `-t` asks for. The body's
/// octets stay as they are. A value.
/// </summary>
internal sealed record OutgoingMessage(byte[] Content, IReadOnlyList<string> Recipients)
{
    public bool IsEightBit => Content.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)127) >= 0;

    private static readonly string[] s_recipientFields = ["To", "Cc", "Bcc"];

    /// <exception cref="FormatException">An address of the header cannot be read.</exception>
    public static OutgoingMessage Prepare(ReadOnlySpan<byte> input, SendmailArguments arguments, string sender, string hostname, DateTimeOffset now)
    {
        var lines = SplitLines(input, arguments.IgnoreDots);
        // mbox readers hand over their separator; it is no header field.
        if (lines.Count > 0 && lines[0].AsSpan().StartsWith("From "u8)) lines.RemoveAt(0);
        var headerLines = lines.FindIndex(line => !IsHeader(line));
        if (headerLines < 0) headerLines = lines.Count;
        var fields = Fold(lines.Take(headerLines));

        var recipients = new List<string>(arguments.Recipients.SelectMany(Addresses));
        if (arguments.FromHeader)
        {
            foreach (var (field, text) in fields)
                if (s_recipientFields.Contains(field, StringComparer.OrdinalIgnoreCase)) recipients.AddRange(Addresses(Encoding.UTF8.GetString(text)[(field.Length + 1)..]));
        }

        using var content = new MemoryStream();
        void Line(ReadOnlySpan<byte> line)
        {
            content.Write(line);
            content.Write("\r\n"u8);
        }

        void Field(string name, string value)
        {
            if (!fields.Any(known => known.Name.Equals(name, StringComparison.OrdinalIgnoreCase))) Line(Encoding.UTF8.GetBytes($"{name}: {value}"));
        }

        Field("Date", DateUtils.FormatDate(now));
        Field("From", arguments.FullName is { Length: > 0 } fullName ? new MailboxAddress(fullName, sender).ToString(encode: true) : sender.Length > 0 ? sender : $"MAILER-DAEMON@{hostname}");
        Field("Message-ID", string.Create(CultureInfo.InvariantCulture, $"<{now:yyyyMMddHHmmss}.{Guid.NewGuid():N}@{hostname}>"));
        foreach (var (field, text) in fields)
            if (!field.Equals("Bcc", StringComparison.OrdinalIgnoreCase)) Line(text);

        var body = lines.Skip(headerLines).ToList();
        // The empty line belongs between header and body even where the script forgot it.
        if (body.Count == 0 || body[0].Length > 0) Line([]);
        foreach (var line in body) Line(line);
        // A bare user is one of this machine.
        var qualified = recipients.Select(recipient => recipient.Contains('@', StringComparison.Ordinal) ? recipient : $"{recipient}@{hostname}");
        return new OutgoingMessage(content.ToArray(), [.. qualified.Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>Lines without their ends: LF or CRLF; a lone CR becomes a line end too, since RFC 5321 §2.3.8 lets none through. Stops at a lone dot unless told not to.</summary>
    private static List<byte[]> SplitLines(ReadOnlySpan<byte> input, bool ignoreDots)
    {
        var lines = new List<byte[]>();
        while (!input.IsEmpty)
        {
            var end = input.IndexOfAny((byte)'\r', (byte)'\n');
            var line = end < 0 ? input : input[..end];
            if (!ignoreDots && line.SequenceEqual("."u8)) break;
            lines.Add(line.ToArray());
            if (end < 0) break;
            input = input[(end + (input[end] == '\r' && end + 1 < input.Length && input[end + 1] == '\n' ? 2 : 1))..];
        }

        return lines;
    }

    private static bool IsHeader(byte[] line)
    {
        if (line.Length > 0 && line[0] is (byte)' ' or (byte)'\t') return true;
        var colon = line.AsSpan().IndexOf((byte)':');
        // RFC 5322 §2.2: a field's name is printable ASCII without the colon.
        return colon > 0 && line.AsSpan(0, colon).IndexOfAnyExceptInRange((byte)33, (byte)126) < 0;
    }

    /// <summary>Each field with its folded lines.</summary>
    private static List<(string Name, byte[] Text)> Fold(IEnumerable<byte[]> lines)
    {
        var fields = new List<(string Name, byte[] Text)>();
        foreach (var line in lines)
        {
            if (line[0] is (byte)' ' or (byte)'\t')
            {
                if (fields.Count > 0) fields[^1] = (fields[^1].Name, [.. fields[^1].Text, .. "\r\n"u8, .. line]);
                continue;
            }

            fields.Add((Encoding.ASCII.GetString(line, 0, Array.IndexOf(line, (byte)':')), line));
        }

        return fields;
    }

    private static IEnumerable<string> Addresses(string text)
    {
        if (string.IsNullOrWhiteSpace(text)) return [];
        // Folding is the only control that a header may hold; an argument holds none.
        if (text.Replace("\r\n ", " ", StringComparison.Ordinal).Replace("\r\n\t", " ", StringComparison.Ordinal).Any(c => char.IsControl(c) && c != '\t')
            || !InternetAddressList.TryParse(text, out var list)) throw new FormatException($"cannot read the address list `{text.Trim().ReplaceLineEndings(" ")}`");
        return list.Mailboxes.Select(mailbox => mailbox.Address);
    }
}
