using System.Buffers.Text;
using System.Text;
using Angarium.Mail.Addresses;
using Angarium.Mail.Sasl;
using Angarium.Mail.Status;

namespace Angarium.Mail.Commands;

/// <summary>
/// The command grammar of RFC 5321 §4.1 over the octets of one line without its CRLF. Total: every line is a command or has a refusal; nothing throws and
/// nothing is allocated but what the command keeps. Pure; any thread.
/// </summary>
public static class SmtpCommandParser
{
    /// <summary>RFC 5321 §4.5.3.1.4: 512 octets with CRLF, for a verb without extensions that lengthen it.</summary>
    public const int MaxLine = 512;

    /// <summary>
    /// MAIL grows by 26 for SIZE (RFC 1870 §3), 17 for BODY (RFC 6152 §2), 10 for SMTPUTF8 (RFC 6531 §3.1), and 9 + 107 for RET and ENVID (RFC 3461 §4). The 500 of AUTH= (RFC 4954 §3) come in
    /// where it is taken: nothing longer than RCPT is read.
    /// </summary>
    public const int MaxMailLine = MaxLine + 26 + 17 + 10 + 9 + 107;

    /// <summary>RFC 4954 §4: what a mechanism needs. PLAIN with the greatest parts of RFC 4616 §2 takes 1,035 octets; the others are shorter.</summary>
    public const int MaxAuthLine = MaxRcptLine;

    private const int MaxMechanism = 20;

    /// <summary>RFC 4954 §3.</summary>
    private const int MaxAuthor = 500;

    /// <summary>RCPT grows by 28 for NOTIFY and 507 for ORCPT (RFC 3461 §4). The longest of all: a reader may give up beyond it.</summary>
    public const int MaxRcptLine = MaxLine + 28 + 507;

    private const long MaxCountedSize = 1_000_000_000_000_000_000;

    public static ParsedCommand Parse(ReadOnlySpan<byte> line)
    {
        // RFC 5321 §4.1.1: white space before the line end is tolerated.
        var text = line.TrimEnd(" \t"u8);
        var space = text.IndexOf((byte)' ');
        var verb = VerbOf(space < 0 ? text : text[..space]);
        var limit = verb switch { SmtpVerb.Mail => MaxMailLine, SmtpVerb.Rcpt => MaxRcptLine, SmtpVerb.Auth => MaxAuthLine, _ => MaxLine };
        if (line.Length > limit - 2) return new(verb, CommandReplies.LineTooLong);
        var arguments = space < 0 ? default : text[(space + 1)..].TrimStart((byte)' ');
        if (verb == SmtpVerb.Unknown) return new(verb, CommandReplies.Unrecognised);
        if (arguments.ContainsAnyInRange<byte>(0, 31) || arguments.Contains((byte)127)) return new(verb, CommandReplies.BadArguments);
        return verb switch
        {
            SmtpVerb.Ehlo or SmtpVerb.Helo => Hello(verb, arguments),
            SmtpVerb.Mail => Mail(arguments),
            SmtpVerb.Rcpt => Rcpt(arguments),
            SmtpVerb.Bdat => Bdat(arguments),
            SmtpVerb.Data => Bare(SmtpCommand.Data, arguments),
            SmtpVerb.Rset => Bare(SmtpCommand.Rset, arguments),
            SmtpVerb.Quit => Bare(SmtpCommand.Quit, arguments),
            SmtpVerb.StartTls => Bare(SmtpCommand.StartTls, arguments),
            // RFC 5321 §4.1.1.9, §4.1.1.8: the string of NOOP and HELP is ignored.
            SmtpVerb.Noop => new(SmtpCommand.Noop),
            SmtpVerb.Help => new(SmtpCommand.Help),
            SmtpVerb.Vrfy => arguments.IsEmpty ? new(verb, CommandReplies.BadArguments) : new(SmtpCommand.Vrfy),
            SmtpVerb.Expn => arguments.IsEmpty ? new(verb, CommandReplies.BadArguments) : new(SmtpCommand.Expn),
            _ => Auth(arguments),
        };
    }

    private static SmtpVerb VerbOf(ReadOnlySpan<byte> word)
    {
        if (word.Length == 8) return Is(word, "STARTTLS"u8) ? SmtpVerb.StartTls : SmtpVerb.Unknown;
        if (word.Length != 4) return SmtpVerb.Unknown;
        return Is(word, "MAIL"u8) ? SmtpVerb.Mail : Is(word, "RCPT"u8) ? SmtpVerb.Rcpt : Is(word, "DATA"u8) ? SmtpVerb.Data
            : Is(word, "BDAT"u8) ? SmtpVerb.Bdat : Is(word, "EHLO"u8) ? SmtpVerb.Ehlo : Is(word, "HELO"u8) ? SmtpVerb.Helo
            : Is(word, "QUIT"u8) ? SmtpVerb.Quit : Is(word, "RSET"u8) ? SmtpVerb.Rset : Is(word, "NOOP"u8) ? SmtpVerb.Noop
            : Is(word, "VRFY"u8) ? SmtpVerb.Vrfy : Is(word, "EXPN"u8) ? SmtpVerb.Expn : Is(word, "HELP"u8) ? SmtpVerb.Help
            : Is(word, "AUTH"u8) ? SmtpVerb.Auth : SmtpVerb.Unknown;
    }

    private static ParsedCommand Bare(SmtpCommand command, ReadOnlySpan<byte> arguments) =>
        arguments.IsEmpty ? new(command) : new(command.Verb, CommandReplies.NoArguments);

    private static ParsedCommand Hello(SmtpVerb verb, ReadOnlySpan<byte> name)
    {
        // RFC 5321 §4.1.4: no refusal because the name does not verify; so only what cannot be a name at all is refused.
        if (name.Length is 0 or > QueueDomain.MaxLength || name.Contains((byte)' ') || !Ascii.IsValid(name)) return new(verb, CommandReplies.HelloNeedsName);
        return new(new HelloCommand(verb, Encoding.ASCII.GetString(name)));
    }

    private static ParsedCommand Bdat(ReadOnlySpan<byte> arguments)
    {
        // RFC 3030 §2: chunk-size is 1*DIGIT.
        if (!Utf8Parser.TryParse(arguments, out ulong size, out var used) || used > 19 || size > (ulong)MaxCountedSize) return new(SmtpVerb.Bdat, CommandReplies.BadArguments);
        var rest = arguments[used..];
        if (rest.IsEmpty) return new(new BdatCommand((long)size, false));
        return rest[0] == (byte)' ' && Is(rest.Trim((byte)' '), "LAST"u8) ? new(new BdatCommand((long)size, true)) : new(SmtpVerb.Bdat, CommandReplies.BadArguments);
    }

    private static ParsedCommand Auth(ReadOnlySpan<byte> arguments)
    {
        var space = arguments.IndexOf((byte)' ');
        var mechanism = space < 0 ? arguments : arguments[..space];
        // RFC 4422 §3.1: 1 to 20 letters, digits, hyphens and underscores.
        if (mechanism.Length is 0 or > MaxMechanism) return new(SmtpVerb.Auth, CommandReplies.BadArguments);
        foreach (var c in mechanism)
            if (!char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'-' or (byte)'_')) return new(SmtpVerb.Auth, CommandReplies.BadArguments);
        var name = Encoding.ASCII.GetString(mechanism).ToUpperInvariant();
        if (space < 0) return new(new AuthCommand(name, null));
        var initial = arguments[(space + 1)..];
        return SaslLine.TryDecode(initial, out var octets) ? new(new AuthCommand(name, octets)) : new(SmtpVerb.Auth, CommandReplies.BadBase64);
    }

    private static ParsedCommand Mail(ReadOnlySpan<byte> arguments)
    {
        if (!TryPath(ref arguments, "FROM:"u8, out var path)) return new(SmtpVerb.Mail, CommandReplies.BadSender);
        MailAddress? address = null;
        if (!path.IsEmpty && !TryMailbox(path, out address)) return new(SmtpVerb.Mail, CommandReplies.BadSender);
        long? size = null;
        BodyType? body = null;
        var utf8 = false;
        var ret = DsnReturn.Unspecified;
        string? envelopeId = null;
        var author = false;
        while (NextParameter(ref arguments, out var keyword, out var value, out var hasValue))
        {
            Reply? refusal = null;
            if (Is(keyword, "SIZE"u8))
            {
                // RFC 1870 §3: 1 to 20 digits.
                if (size is not null) refusal = CommandReplies.RepeatedParameter;
                else if (value.Length is 0 or > 20 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9')) refusal = CommandReplies.BadParameter;
                else size = Utf8Parser.TryParse(value, out ulong number, out _) && number < (ulong)MaxCountedSize ? (long)number : MaxCountedSize;
            }
            else if (Is(keyword, "BODY"u8))
            {
                if (body is not null) refusal = CommandReplies.RepeatedParameter;
                else if (Is(value, "7BIT"u8)) body = BodyType.SevenBit;
                else if (Is(value, "8BITMIME"u8)) body = BodyType.EightBitMime;
                else refusal = CommandReplies.BadParameter;
            }
            else if (Is(keyword, "SMTPUTF8"u8))
            {
                if (utf8) refusal = CommandReplies.RepeatedParameter;
                else if (hasValue) refusal = CommandReplies.BadParameter;
                utf8 = true;
            }
            else if (Is(keyword, "RET"u8))
            {
                if (ret != DsnReturn.Unspecified) refusal = CommandReplies.RepeatedParameter;
                else if (!TryText(value, 8, out var word) || !DsnParameters.TryParseReturn(word, out ret)) refusal = CommandReplies.BadParameter;
            }
            else if (Is(keyword, "ENVID"u8))
            {
                if (envelopeId is not null) refusal = CommandReplies.RepeatedParameter;
                else if (!TryText(value, DsnParameters.MaxEnvelopeId, out envelopeId) || !DsnParameters.IsEnvelopeId(envelopeId)) refusal = CommandReplies.BadParameter;
            }
            else if (Is(keyword, "AUTH"u8))
            {
                // RFC 4954 §5: who is said to have sent it first. It is read and not believed, which a server must be able to; nothing is passed on.
                if (author) refusal = CommandReplies.RepeatedParameter;
                else if (!TryText(value, MaxAuthor, out var who) || who != "<>" && Xtext.Decode(who) is null) refusal = CommandReplies.BadParameter;
                author = true;
            }
            else
            {
                refusal = keyword.IsEmpty ? CommandReplies.BadArguments : CommandReplies.UnknownParameter;
            }

            if (refusal is not null) return new(SmtpVerb.Mail, refusal);
        }

        if (address is { IsAscii: false } && !utf8) return new(SmtpVerb.Mail, CommandReplies.NeedsSmtpUtf8);
        return new(new MailCommand { ReversePath = address, Size = size, Body = body ?? BodyType.SevenBit, SmtpUtf8 = utf8, Return = ret, EnvelopeId = envelopeId, NamesAuthor = author });
    }

    private static ParsedCommand Rcpt(ReadOnlySpan<byte> arguments)
    {
        if (!TryPath(ref arguments, "TO:"u8, out var path)) return new(SmtpVerb.Rcpt, CommandReplies.BadRecipient);
        MailAddress? address = null;
        if (!Is(path, "POSTMASTER"u8) && (path.IsEmpty || !TryMailbox(path, out address))) return new(SmtpVerb.Rcpt, CommandReplies.BadRecipient);
        var notify = DsnNotify.Unspecified;
        string? original = null;
        while (NextParameter(ref arguments, out var keyword, out var value, out _))
        {
            Reply? refusal = null;
            if (Is(keyword, "NOTIFY"u8))
            {
                if (notify != DsnNotify.Unspecified) refusal = CommandReplies.RepeatedParameter;
                else if (!TryText(value, 32, out var list) || !DsnParameters.TryParseNotify(list, out notify)) refusal = CommandReplies.BadParameter;
            }
            else if (Is(keyword, "ORCPT"u8))
            {
                if (original is not null) refusal = CommandReplies.RepeatedParameter;
                else if (!TryText(value, DsnParameters.MaxOriginalRecipient, out original) || !DsnParameters.TryParseOriginalRecipient(original, out _, out _)) refusal = CommandReplies.BadParameter;
            }
            else
            {
                refusal = keyword.IsEmpty ? CommandReplies.BadArguments : CommandReplies.UnknownParameter;
            }

            if (refusal is not null) return new(SmtpVerb.Rcpt, refusal);
        }

        return new(new RcptCommand { Address = address, Notify = notify, OriginalRecipient = original });
    }

    // `FROM:<path>` and what follows. A space before the path is not in the grammar, but many send one; and the path must be in angle brackets.
    private static bool TryPath(ref ReadOnlySpan<byte> arguments, ReadOnlySpan<byte> keyword, out ReadOnlySpan<byte> path)
    {
        path = default;
        if (arguments.Length < keyword.Length || !Is(arguments[..keyword.Length], keyword)) return false;
        var text = arguments[keyword.Length..].TrimStart((byte)' ');
        if (text.Length < 2 || text[0] != (byte)'<') return false;
        var quoted = false;
        for (var i = 1; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted && c == (byte)'\\') i++;
            else if (c == (byte)'"') quoted = !quoted;
            else if (!quoted && c == (byte)'>')
            {
                path = text[1..i];
                arguments = text[(i + 1)..];
                return arguments.IsEmpty || arguments[0] == (byte)' ';
            }
        }

        return false;
    }

    private static bool TryMailbox(ReadOnlySpan<byte> path, out MailAddress? address)
    {
        // RFC 5321 §3.6.1, appendix C: a source route `@a,@b:` must be accepted, should be ignored.
        address = null;
        if (path.Length > MailAddress.MaxLength) return false;
        Span<char> hop = stackalloc char[MailAddress.MaxLength];
        while (path is [(byte)'@', ..])
        {
            var end = path[1..].IndexOfAny((byte)',', (byte)':') + 1;
            if (end == 0) return false;
            if (path[1] == (byte)'[')
            {
                var bracket = path.IndexOf((byte)']');
                if (bracket < 0 || bracket + 1 >= path.Length || path[bracket + 1] is not ((byte)',' or (byte)':')) return false;
                end = bracket + 1;
            }

            if (!Encoding.UTF8.TryGetChars(path[1..end], hop, out var length) || !QueueDomain.TryParse(hop[..length], out _)) return false;
            var last = path[end] == (byte)':';
            path = path[(end + 1)..];
            if (last == path is [(byte)'@', ..]) return false;
        }

        return MailAddress.TryParse(path, out address);
    }

    // RFC 5321 §4.1.2: esmtp-keyword is letters, digits and hyphens; esmtp-value has neither `=`, space nor control, and UTF-8 by RFC 6531 §3.3.
    // A malformed parameter comes out with an empty keyword.
    private static bool NextParameter(ref ReadOnlySpan<byte> arguments, out ReadOnlySpan<byte> keyword, out ReadOnlySpan<byte> value, out bool hasValue)
    {
        arguments = arguments.TrimStart((byte)' ');
        keyword = value = default;
        hasValue = false;
        if (arguments.IsEmpty) return false;
        var end = arguments.IndexOf((byte)' ');
        var word = end < 0 ? arguments : arguments[..end];
        arguments = end < 0 ? default : arguments[end..];
        var equals = word.IndexOf((byte)'=');
        hasValue = equals >= 0;
        var name = hasValue ? word[..equals] : word;
        value = hasValue ? word[(equals + 1)..] : default;
        foreach (var c in name)
            if (!char.IsAsciiLetterOrDigit((char)c) && c != (byte)'-') return true;
        if (name is [(byte)'-', ..] || (hasValue && (value.IsEmpty || value.Contains((byte)'=')))) return true;
        keyword = name;
        return true;
    }

    private static bool TryText(ReadOnlySpan<byte> value, int limit, out string text)
    {
        text = "";
        if (value.Length == 0 || value.Length > limit || !System.Text.Unicode.Utf8.IsValid(value)) return false;
        text = Encoding.UTF8.GetString(value);
        return true;
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(text, word);
}
