namespace Angarium.Grains.Webhooks;

/// <summary>What may be the address of a webhook. Where it leads to is judged when it is posted to, each time: a name can be given another address at any time. Pure.</summary>
internal static class WebhookUrl
{
    public const int Max = 2_000;

    /// <summary>Null = it may be one; else what is wrong.</summary>
    public static string? Mistake(string url, bool allowsPlain)
    {
        // Another alphabet has to be written as the wire has it (RFC 3986 §2): what a person reads would not be what is asked for.
        if (url.Length is 0 or > Max || url.Any(c => c is <= ' ' or >= (char)0x7F)) return $"1 to {Max} characters of ASCII, none of them a space.";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Host.Length == 0 || uri.HostNameType is not (UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6)) return "An address such as https://example.org/events.";
        if (uri.Scheme != Uri.UriSchemeHttps && !(allowsPlain && uri.Scheme == Uri.UriSchemeHttp)) return "It must begin with https://.";
        if (uri.UserInfo.Length > 0) return "It must hold no user name or password: posts are signed.";
        return uri.Fragment.Length > 0 || url.Contains('#', StringComparison.Ordinal) ? "It must have no fragment (#…)." : null;
    }
}
