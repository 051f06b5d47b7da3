using System.Net;
using Angarium.Ingress;
using Angarium.Ingress.Listening;

namespace Angarium.Host.Configuration;

/// <summary>Two listeners of this process that want the same port: said before one of them finds it in use. Pure.</summary>
internal static class ListenerClashes
{
    public static IEnumerable<string> Validate(IReadOnlyDictionary<Type, object> records)
    {
        if (!records.TryGetValue(typeof(RelayOptions), out var relay) || !records.TryGetValue(typeof(IngressOptions), out var ingress)) yield break;
        var listeners = Wanted((RelayOptions)relay, (IngressOptions)ingress).ToArray();
        for (var i = 1; i < listeners.Length; i++)
        {
            foreach (var earlier in listeners.Take(i))
            {
                if (!Clash(earlier.EndPoint, listeners[i].EndPoint)) continue;
                yield return $"{listeners[i].Setting}: `{listeners[i].EndPoint}` is taken by {earlier.Setting} ({earlier.EndPoint}); give each a port of its own.";
                break;
            }
        }
    }

    /// <summary>Every listener that the settings ask for.</summary>
    public static IEnumerable<SmtpListener> Wanted(RelayOptions options, IngressOptions ingress)
    {
        foreach (var (setting, text) in new[] { ("Http:Listen", options.HttpListen), ("Admin:Listen", options.AdminListen), ("Sink:Listen", options.SinkListen) })
            if (RelayOptions.TryParseEndPoint(text, out var endPoint)) yield return new SmtpListener(setting, endPoint, false, false);
        if (!options.Runs("ingress")) yield break;
        foreach (var listener in ingress.Listeners()) yield return listener;
    }

    // [::] is both families; port 0 is any that is free.
    private static bool Clash(IPEndPoint one, IPEndPoint other) => one.Port != 0 && one.Port == other.Port
        && (one.Address.Equals(other.Address) || one.Address.Equals(IPAddress.IPv6Any) || other.Address.Equals(IPAddress.IPv6Any)
            || one.AddressFamily == other.AddressFamily && (one.Address.Equals(IPAddress.Any) || other.Address.Equals(IPAddress.Any)));
}
