using Angarium.Mail;
using Angarium.Mail.Commands;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Sessions;

/// <summary>Where a session stands (RFC 5321 §4.1.4). A bit each: the grammar's rows name several.</summary>
[Flags]
internal enum SessionState : byte
{
    /// <summary>No EHLO or HELO yet, or none since STARTTLS.</summary>
    Start = 1,
    Greeted = 2,

    /// <summary>MAIL was accepted, no RCPT yet.</summary>
    Mail = 4,

    /// <summary>At least one RCPT was accepted.</summary>
    Recipients = 8,

    /// <summary>Between the chunks of a message (RFC 3030).</summary>
    Chunks = 16,

    Any = Start | Greeted | Mail | Recipients | Chunks,
    Ready = Greeted | Mail | Recipients | Chunks,
}

/// <summary>One row of the grammar.</summary>
/// <param name="Allowed">The states in which the command is accepted.</param>
/// <param name="Next">The state after it was carried out; null = as before, or as its handler says.</param>
/// <param name="IsLast">RFC 2920 §3.1: it must be the last of a group; octets behind it were sent too early.</param>
/// <param name="OutOfOrder">The reply in any other state.</param>
internal sealed record GrammarRule(SessionState Allowed, SessionState? Next, bool IsLast, Reply OutOfOrder);

/// <summary>The server's command grammar as a table. Constant. Guards that need more than the state are in the handlers of <see cref="SmtpSession"/>.</summary>
internal static class SmtpGrammar
{
    public static readonly Reply HelloFirst = new(503, MailStatus.InvalidCommand, "Send EHLO first");
    public static readonly Reply MailFirst = new(503, MailStatus.InvalidCommand, "Send MAIL first");
    public static readonly Reply Nested = new(503, MailStatus.InvalidCommand, "A transaction is open already");
    /// <summary>RFC 4954 §4: not during a transaction.</summary>
    public static readonly Reply NoAuthNow = new(503, MailStatus.InvalidCommand, "Not during a transaction");
    public static readonly Reply InChunks = new(503, MailStatus.InvalidCommand, "Not between the chunks of a message");
    public static readonly Reply NotOffered = new(502, MailStatus.InvalidCommand, "Command not implemented");

    private static readonly GrammarRule[] Rules = Build();

    public static GrammarRule For(SmtpVerb verb) => Rules[(int)verb];

    /// <summary>Why the command is refused in this state: the row's own reply, unless there was no EHLO at all or chunks are being sent.</summary>
    public static Reply OutOfOrder(GrammarRule rule, SessionState state) => state switch
    {
        SessionState.Start => HelloFirst,
        SessionState.Chunks => InChunks,
        _ => rule.OutOfOrder,
    };

    private static GrammarRule[] Build()
    {
        var rules = new GrammarRule[Enum.GetValues<SmtpVerb>().Length];
        Array.Fill(rules, new GrammarRule(SessionState.Any, null, false, NotOffered));
        // verb                          allowed in                                        then                      last   else
        rules[(int)SmtpVerb.Ehlo] = new(SessionState.Any, SessionState.Greeted, true, NotOffered);
        rules[(int)SmtpVerb.Helo] = new(SessionState.Any, SessionState.Greeted, true, NotOffered);
        rules[(int)SmtpVerb.StartTls] = new(SessionState.Greeted, SessionState.Start, true, Nested);
        rules[(int)SmtpVerb.Auth] = new(SessionState.Greeted, null, true, NoAuthNow);
        rules[(int)SmtpVerb.Mail] = new(SessionState.Greeted, SessionState.Mail, false, Nested);
        rules[(int)SmtpVerb.Rcpt] = new(SessionState.Mail | SessionState.Recipients, SessionState.Recipients, false, MailFirst);
        rules[(int)SmtpVerb.Data] = new(SessionState.Mail | SessionState.Recipients, null, true, MailFirst);
        rules[(int)SmtpVerb.Bdat] = new(SessionState.Mail | SessionState.Recipients | SessionState.Chunks, null, false, MailFirst);
        rules[(int)SmtpVerb.Rset] = new(SessionState.Any, null, false, NotOffered);
        rules[(int)SmtpVerb.Noop] = new(SessionState.Any, null, true, NotOffered);
        rules[(int)SmtpVerb.Vrfy] = new(SessionState.Any, null, true, NotOffered);
        rules[(int)SmtpVerb.Expn] = new(SessionState.Any, null, true, NotOffered);
        rules[(int)SmtpVerb.Help] = new(SessionState.Any, null, false, NotOffered);
        rules[(int)SmtpVerb.Quit] = new(SessionState.Any, null, false, NotOffered);
        return rules;
    }
}
