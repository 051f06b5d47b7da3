namespace Angarium.Mail.Commands;

/// <summary>The verbs that are known, whether or not they are offered.</summary>
public enum SmtpVerb : byte
{
    Unknown, Helo, Ehlo, Mail, Rcpt, Data, Bdat, Rset, Noop, Quit, Vrfy, Expn, Help, StartTls, Auth,
}
