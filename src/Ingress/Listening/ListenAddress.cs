using System.Net;

namespace Angarium.Ingress.Listening;

/// <summary>Reads a listener such as `[::]:25`. Pure. The port must be there: an address alone is a mistake, not port 0.</summary>
internal static class ListenAddress
{
    public static bool TryParse(string text, out IPEndPoint endpoint)
    {
        endpoint = null!;
        var colon = text.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None, null, out var port)) return false;
        var host = text.AsSpan(0, colon);
        if (host.Contains(':') && (host[0] != '[' || host[^1] != ']')) return false;
        if (!IPAddress.TryParse(host, out var address)) return false;
        endpoint = new IPEndPoint(address, port);
        return true;
    }
}
