using System.Globalization;

namespace Angarium.Egress.Sessions;

/// <summary>What a receiver offers in its reply to EHLO (RFC 5321 §4.1.1.1). A value; unknown keywords are ignored.</summary>
internal sealed record PeerExtensions
{
    public bool Pipelining { get; init; }

    public bool EightBitMime { get; init; }

    public bool SmtpUtf8 { get; init; }

    public bool Dsn { get; init; }

    public bool StartTls { get; init; }

    public bool Size { get; init; }

    /// <summary>RFC 1870 §4: 0 = no limit is told.</summary>
    public long MaxSize { get; init; }

    public bool AuthPlain { get; init; }

    public bool AuthLogin { get; init; }

    /// <summary>HELO: none.</summary>
    public static PeerExtensions None { get; } = new();

    /// <param name="text">The reply's text; the first line is the greeting.</param>
    public static PeerExtensions Parse(string text)
    {
        var found = new PeerExtensions();
        var first = true;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan()[range].Trim();
            if (first)
            {
                first = false;
                continue;
            }

            var space = line.IndexOf(' ');
            var keyword = space < 0 ? line : line[..space];
            var rest = space < 0 ? "" : line[(space + 1)..];
            if (Is(keyword, "PIPELINING")) found = found with { Pipelining = true };
            else if (Is(keyword, "8BITMIME")) found = found with { EightBitMime = true };
            else if (Is(keyword, "SMTPUTF8")) found = found with { SmtpUtf8 = true };
            else if (Is(keyword, "DSN")) found = found with { Dsn = true };
            else if (Is(keyword, "STARTTLS")) found = found with { StartTls = true };
            else if (Is(keyword, "SIZE"))
            {
                found = found with { Size = true, MaxSize = long.TryParse(rest.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : 0 };
            }
            else if (Is(keyword, "AUTH"))
            {
                foreach (var method in rest.Split(' '))
                {
                    if (Is(rest[method], "PLAIN")) found = found with { AuthPlain = true };
                    else if (Is(rest[method], "LOGIN")) found = found with { AuthLogin = true };
                }
            }
        }

        return found;
    }

    private static bool Is(ReadOnlySpan<char> keyword, string name) => keyword.Equals(name, StringComparison.OrdinalIgnoreCase);
}
