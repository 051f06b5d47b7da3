using System.Net;

namespace Angarium.Egress.Routing;

/// <summary>Reads one value of `Dns:Servers`. Pure.</summary>
internal static class DnsServer
{
    /// <summary>`ip` or `ip:port`; an IPv6 address with a port stands in brackets.</summary>
    public static bool TryParse(string text, out IPEndPoint server)
    {
        var parsed = IPEndPoint.TryParse(text, out var endPoint);
        server = endPoint is null ? new IPEndPoint(IPAddress.None, 0) : endPoint.Port == 0 ? new IPEndPoint(endPoint.Address, 53) : endPoint;
        return parsed;
    }
}
