using Angarium.Mail.Addresses;

namespace Angarium.Mail.Commands;

/// <summary>A command as a client gave it, its arguments checked. This type itself stands for the verbs whose arguments nobody keeps. Immutable.</summary>
public record SmtpCommand(SmtpVerb Verb)
{
    internal static readonly SmtpCommand Data = new(SmtpVerb.Data);
    internal static readonly SmtpCommand Rset = new(SmtpVerb.Rset);
    internal static readonly SmtpCommand Noop = new(SmtpVerb.Noop);
    internal static readonly SmtpCommand Quit = new(SmtpVerb.Quit);
    internal static readonly SmtpCommand Vrfy = new(SmtpVerb.Vrfy);
    internal static readonly SmtpCommand Expn = new(SmtpVerb.Expn);
    internal static readonly SmtpCommand Help = new(SmtpVerb.Help);
    internal static readonly SmtpCommand StartTls = new(SmtpVerb.StartTls);
}

/// <summary>EHLO or HELO, RFC 5321 §4.1.1.1.</summary>
/// <param name="Name">What the client calls itself: 1 to 255 printable ASCII characters, not checked further.</param>
public sealed record HelloCommand(SmtpVerb Verb, string Name) : SmtpCommand(Verb)
{
    public bool IsExtended => Verb == SmtpVerb.Ehlo;
}

/// <summary>MAIL, RFC 5321 §4.1.1.2, with SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461).</summary>
public sealed record MailCommand() : SmtpCommand(SmtpVerb.Mail)
{
    /// <summary>Null = the null reverse-path `&lt;&gt;`.</summary>
    public MailAddress? ReversePath { get; init; }

    /// <summary>SIZE= in octets; null = not given. At most 10^18: a size nobody takes, and no sum overflows.</summary>
    public long? Size { get; init; }

    public BodyType Body { get; init; }

    public bool SmtpUtf8 { get; init; }

    public DsnReturn Return { get; init; }

    /// <summary>Still in xtext; null = none.</summary>
    public string? EnvelopeId { get; init; }

    /// <summary>AUTH= was given (RFC 4954 §5): only where AUTH is offered; what it says is not believed.</summary>
    public bool NamesAuthor { get; init; }
}

/// <summary>RCPT, RFC 5321 §4.1.1.3, with NOTIFY and ORCPT (RFC 3461).</summary>
public sealed record RcptCommand() : SmtpCommand(SmtpVerb.Rcpt)
{
    /// <summary>Null = `&lt;postmaster&gt;` without a domain (RFC 5321 §4.5.1): the local one. One beyond ASCII needs a MAIL with SMTPUTF8 before it: the
    /// session's to see, and <see cref="CommandReplies.NeedsSmtpUtf8"/> its refusal.</summary>
    public MailAddress? Address { get; init; }

    public DsnNotify Notify { get; init; }

    /// <summary>As given; null = none.</summary>
    public string? OriginalRecipient { get; init; }
}

/// <summary>BDAT, RFC 3030 §2: so many octets follow the line end at once.</summary>
public sealed record BdatCommand(long Size, bool IsLast) : SmtpCommand(SmtpVerb.Bdat);

/// <summary>AUTH, RFC 4954 §4.</summary>
/// <param name="Mechanism">In upper case; whether it is offered is the session's to see.</param>
/// <param name="Initial">The initial response, decoded; null = none was sent, which is not an empty one.</param>
public sealed record AuthCommand(string Mechanism, byte[]? Initial) : SmtpCommand(SmtpVerb.Auth);
