using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Angarium.Mail.Addresses;

namespace Angarium.Contracts.Routing;

/// <summary>
/// The host that takes the mail of an inbound domain, as its tenant names it: `host`, `host:port`, `192.0.2.1:25`, `[2001:db8::1]:25`. The name of its site says all of it, so that egress, which
/// reads no documents, goes by its order alone. A value; pure.
/// </summary>
/// <param name="Host">A-label in lower case, or an address (IPv6 in brackets).</param>
/// <param name="Address">Set for addresses.</param>
/// <param name="Port">From 1.</param>
/// <param name="IsPrivate">An administrator named it: it may lead to addresses that are not public.</param>
public sealed record InboundRoute(string Host, IPAddress? Address, int Port, bool IsPrivate)
{
    private const int DefaultPort = 25;

    private const string PublicSite = "inbound:", PrivateSite = "inbound-private:";

    /// <summary>See <see cref="SiteRoute.Site"/>.</summary>
    public string Site => (IsPrivate ? PrivateSite : PublicSite) + this;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    public static bool TryParse(string text, bool isPrivate, [NotNullWhen(true)] out InboundRoute? route)
    {
        route = null;
        var port = DefaultPort;
        var host = text;
        // The colons of an IPv6 address stand in brackets.
        if (text.LastIndexOf(':') is var colon && colon > text.LastIndexOf(']'))
        {
            host = text[..colon];
            if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65_535) return false;
        }

        if (!QueueDomain.TryParse(AsDomain(host), out var domain)) return false;
        route = domain.TryGetAddress(out var address)
            ? new InboundRoute(address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString(), address, port, isPrivate)
            : new InboundRoute(domain.Value, null, port, isPrivate);
        return true;
    }

    /// <summary>The route that a site is named after; null = it is another kind of site.</summary>
    public static InboundRoute? OfSite(string site)
    {
        var isPrivate = site.StartsWith(PrivateSite, StringComparison.Ordinal);
        if (!isPrivate && !site.StartsWith(PublicSite, StringComparison.Ordinal)) return null;
        return TryParse(site[(isPrivate ? PrivateSite : PublicSite).Length..], isPrivate, out var route) ? route : null;
    }

    // RFC 5321 §4.1.3 writes addresses with brackets and a tag; people do not.
    private static string AsDomain(string host) => host switch
    {
        ['[', .. var rest] when rest.Contains(':', StringComparison.Ordinal) && !rest.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase) => "[IPv6:" + rest,
        _ when host.Length > 0 && host.All(c => char.IsAsciiDigit(c) || c == '.') => $"[{host}]",
        _ => host,
    };
}
