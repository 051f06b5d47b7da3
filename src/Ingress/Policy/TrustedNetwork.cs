using System.Net;
using System.Net.Sockets;

namespace Angarium.Ingress.Policy;

/// <summary>A network that may relay, and the tenant its mail belongs to. Pure value.</summary>
internal readonly record struct TrustedNetwork(IPNetwork Network, string Tenant)
{
    /// <summary>Reads `10.1.0.0/16`, `10.1.0.0/16=acme`, or a single address. IPv4-mapped networks are IPv4: that is how clients are compared.</summary>
    public static bool TryParse(string text, out TrustedNetwork network, out string error)
    {
        network = default;
        error = "";
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        var tenant = equals < 0 ? "default" : text[(equals + 1)..].Trim();
        var cidr = (equals < 0 ? text : text[..equals]).Trim();
        if (!IsTenant(tenant))
        {
            error = "has no valid tenant (1 to 64 letters, digits, '.', '_' or '-')";
            return false;
        }

        if (!TryParseCidr(cidr, out var parsed, out error)) return false;
        network = new TrustedNetwork(parsed, tenant);
        return true;
    }

    /// <summary>The network alone.</summary>
    public static bool TryParseCidr(string cidr, out IPNetwork network, out string error)
    {
        network = default;
        error = "";
        var slash = cidr.IndexOf('/', StringComparison.Ordinal);
        if (!IPAddress.TryParse(slash < 0 ? cidr : cidr[..slash], out var address))
        {
            error = "is not an address";
            return false;
        }

        var width = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        var length = width;
        if (slash >= 0 && (!int.TryParse(cidr.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out length) || length > width))
        {
            error = $"has no prefix length of 0 to {width}";
            return false;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            if (length < 96)
            {
                error = "covers more than the IPv4-mapped addresses";
                return false;
            }

            (address, length) = (address.MapToIPv4(), length - 96);
        }

        // Bits below the prefix are a slip more often than not: a typing error must not trust a network nobody meant.
        if (!IPNetwork.TryParse($"{address}/{length}", out var parsed) || !parsed.BaseAddress.Equals(address))
        {
            error = $"has bits set below its prefix: {parsed.BaseAddress}/{length} or {address}/{(address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)}?";
            return false;
        }

        network = parsed;
        return true;
    }

    private static bool IsTenant(string text)
    {
        if (text.Length is 0 or > 64) return false;
        foreach (var c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')) return false;
        return true;
    }
}
