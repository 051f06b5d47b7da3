using Angarium.Mail.Status;

namespace Angarium.Mail.Content;

/// <summary>What is wrong with content. The first two break the framing: the end cannot be trusted any more, so the connection closes after the reply.</summary>
public enum ContentViolation : byte
{
    None, BareCarriageReturn, BareLineFeed, LineTooLong, HeaderTooLong, TooLarge, Loop,
}

/// <summary>The replies to violations.</summary>
public static class ContentViolations
{
    // RFC 5321 §2.3.8: CR and LF only together; §4.1.1.4: nothing but CRLF.CRLF ends the data. Whoever is lenient here lets a second message be smuggled in.
    private static readonly Reply BareCr = new(550, MailStatus.BadContent, "Bare CR in content");
    private static readonly Reply BareLf = new(550, MailStatus.BadContent, "Bare LF in content");
    // RFC 5321 §4.2.5: 554 after the data when the transaction failed for a reason that has no code of its own (500 would speak of a command line).
    private static readonly Reply Line = new(554, MailStatus.BadContent, "Line too long");
    private static readonly Reply Header = new(554, MailStatus.BadContent, "Header section too long");
    private static readonly Reply Size = new(552, MailStatus.MessageTooBig, "Message too big");
    private static readonly Reply Hops = new(554, MailStatus.RoutingLoop, "Too many Received fields: mail loop");

    /// <summary>RFC 5321 §4.5.2 leaves no way to find the end of content with such ends in it: reply, then close.</summary>
    public static bool BreaksFraming(this ContentViolation violation) => violation is ContentViolation.BareCarriageReturn or ContentViolation.BareLineFeed;

    public static Reply Reply(this ContentViolation violation) => violation switch
    {
        ContentViolation.BareCarriageReturn => BareCr,
        ContentViolation.BareLineFeed => BareLf,
        ContentViolation.LineTooLong => Line,
        ContentViolation.HeaderTooLong => Header,
        ContentViolation.TooLarge => Size,
        ContentViolation.Loop => Hops,
        _ => throw new ArgumentOutOfRangeException(nameof(violation)),
    };
}
