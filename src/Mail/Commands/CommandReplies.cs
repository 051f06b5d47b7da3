using Angarium.Mail.Status;

namespace Angarium.Mail.Commands;

/// <summary>The refusals that follow from a command line alone. Constants.</summary>
public static class CommandReplies
{
    /// <summary>RFC 5321 §4.2.4: a verb that nobody knows.</summary>
    public static readonly Reply Unrecognised = new(500, MailStatus.SyntaxError, "Command unrecognised");

    public static readonly Reply LineTooLong = new(500, MailStatus.SyntaxError, "Line too long");

    public static readonly Reply BadArguments = new(501, MailStatus.InvalidArguments, "Syntax error in arguments");

    public static readonly Reply NoArguments = new(501, MailStatus.InvalidArguments, "This command takes no arguments");

    public static readonly Reply HelloNeedsName = new(501, MailStatus.InvalidArguments, "Say who you are: a domain or an address literal");

    public static readonly Reply BadSender = new(501, MailStatus.BadSenderSyntax, "Syntax error in reverse-path");

    public static readonly Reply BadRecipient = new(501, MailStatus.BadRecipientSyntax, "Syntax error in forward-path");

    /// <summary>RFC 5321 §4.1.1.11: a parameter that is not implemented.</summary>
    public static readonly Reply UnknownParameter = new(555, MailStatus.InvalidArguments, "Parameter not recognised");

    public static readonly Reply BadParameter = new(501, MailStatus.InvalidArguments, "Bad value of a parameter");

    public static readonly Reply RepeatedParameter = new(501, MailStatus.InvalidArguments, "Parameter given twice");

    /// <summary>RFC 6531 §3.5: an address beyond ASCII in a transaction without SMTPUTF8.</summary>
    public static readonly Reply NeedsSmtpUtf8 = new(553, MailStatus.NonAsciiAddress, "Address needs SMTPUTF8");

    /// <summary>RFC 4954 §4: what cannot be decoded.</summary>
    public static readonly Reply BadBase64 = new(501, MailStatus.SyntaxError, "Cannot decode that");
}
