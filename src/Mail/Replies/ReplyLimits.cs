namespace Angarium.Mail.Replies;

/// <summary>What a peer's reply may grow to before it is no reply.</summary>
public sealed record ReplyLimits
{
    public static readonly ReplyLimits Default = new();

    /// <summary>Octets of a line that are kept; RFC 5321 §4.5.3.1.5 allows 512 with CRLF.</summary>
    public int KeptLine { get; init; } = 512;

    /// <summary>Octets of a line beyond which the peer is broken.</summary>
    public int MaxLine { get; init; } = 4096;

    public int MaxLines { get; init; } = 100;

    /// <summary>Octets of text that are kept over all lines.</summary>
    public int KeptText { get; init; } = 8192;
}
