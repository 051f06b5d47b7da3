namespace Angarium.Mail.Status;

/// <summary>The enhanced status codes that the project itself gives, by the meaning that RFC 3463 §3 (or the RFC named) gives them. Constants.</summary>
public static class MailStatus
{
    // RFC 3463 §2: success.
    public static readonly EnhancedStatus Ok = new(2, 0, 0);
    public static readonly EnhancedStatus SenderOk = new(2, 1, 0);
    public static readonly EnhancedStatus RecipientOk = new(2, 1, 5);

    // RFC 3463 §3.2: addressing.
    public static readonly EnhancedStatus BadMailbox = new(5, 1, 1);
    public static readonly EnhancedStatus BadRecipientSyntax = new(5, 1, 3);
    public static readonly EnhancedStatus BadSenderSyntax = new(5, 1, 7);

    // RFC 3463 §3.4: the mail system.
    public static readonly EnhancedStatus SystemTrouble = new(4, 3, 0);
    public static readonly EnhancedStatus SystemFull = new(4, 3, 1);
    public static readonly EnhancedStatus NotAccepting = new(4, 3, 2);
    public static readonly EnhancedStatus MessageTooBig = new(5, 3, 4);

    // RFC 3463 §3.5: network and routing.
    public static readonly EnhancedStatus BadConnection = new(4, 4, 2);
    public static readonly EnhancedStatus RoutingLoop = new(5, 4, 6);
    public static readonly EnhancedStatus Expired = new(4, 4, 7);

    // RFC 3463 §3.6: delivery protocol.
    public static readonly EnhancedStatus ProtocolTrouble = new(5, 5, 0);
    public static readonly EnhancedStatus InvalidCommand = new(5, 5, 1);
    public static readonly EnhancedStatus SyntaxError = new(5, 5, 2);
    public static readonly EnhancedStatus TooManyRecipients = new(4, 5, 3);
    public static readonly EnhancedStatus InvalidArguments = new(5, 5, 4);

    // RFC 3463 §3.7: content.
    public static readonly EnhancedStatus BadContent = new(5, 6, 0);

    /// <summary>RFC 6531 §3.5, registered by RFC 6531 §4.2: non-ASCII addresses not permitted for that sender or recipient.</summary>
    public static readonly EnhancedStatus NonAsciiAddress = new(5, 6, 7);

    // RFC 3463 §3.8: security and policy.
    public static readonly EnhancedStatus NotAuthorised = new(5, 7, 1);
}
