namespace Angarium.Mail.Content;

/// <summary>What content may be. Octets count as on the wire after dots were removed, line ends included unless said.</summary>
public sealed record ContentLimits
{
    public static readonly ContentLimits Default = new();

    /// <summary>The whole content.</summary>
    public long MaxOctets { get; init; } = 26_214_400;

    /// <summary>RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1: a line without its CRLF.</summary>
    public int MaxLine { get; init; } = 998;

    /// <summary>The header section with the empty line that ends it.</summary>
    public int MaxHeader { get; init; } = 100 * 1024;

    /// <summary>RFC 5321 §6.3: Received fields beyond which it is a loop.</summary>
    public int MaxHops { get; init; } = 50;
}
