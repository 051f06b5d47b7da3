using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;

namespace Angarium.Chaos.Traffic;

/// <summary>What the sink reads in the content it took: whose message it is, whether it is whole, whom a notice speaks of. Pure.</summary>
internal static partial class Message
{
    private const int HeaderOctets = 8192;

    public static ulong Sum(ReadOnlySpan<byte> octets) => XxHash3.HashToUInt64(octets);

    /// <summary>The number (0 = not one of ours), the relay's id in the topmost Received field, and whether the body is the one that was sent.</summary>
    public static (long Number, string Id, bool IsIntact) Read(ReadOnlySpan<byte> content)
    {
        var end = content.IndexOf("\r\n\r\n"u8);
        var header = Encoding.Latin1.GetString(content[..Math.Min(end < 0 ? content.Length : end + 2, HeaderOctets)]);
        var id = Received().Match(header) is { Success: true } received ? received.Groups[1].Value : "";
        if (Mark().Match(header) is not { Success: true } mark) return (0, id, true);
        var sum = ulong.Parse(mark.Groups[2].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return (long.Parse(mark.Groups[1].Value, CultureInfo.InvariantCulture), id, end >= 0 && Sum(content[(end + 4)..]) == sum);
    }

    public static IReadOnlyList<string> FailedRecipients(ReadOnlySpan<byte> notice) =>
        FinalRecipient().Matches(Encoding.Latin1.GetString(notice)).Select(m => m.Groups[1].Value).ToList();

    [GeneratedRegex(@"^\s+id ([a-z2-7]{23})", RegexOptions.Multiline)]
    private static partial Regex Received();

    [GeneratedRegex(@"^X-Chaos: (\d+)\r\nX-Sum: ([0-9a-f]{16})", RegexOptions.Multiline)]
    private static partial Regex Mark();

    // RFC 3464 §2.3.2, with the action that makes it a failure (§2.3.3): a delay notice names recipients too.
    [GeneratedRegex(@"^Final-Recipient: *rfc822; *(\S+?)\r\nAction: *failed", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex FinalRecipient();
}
