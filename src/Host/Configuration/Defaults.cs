using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Angarium.Host.Configuration;

/// <summary>The defaults that no record can hold: those of Development, and the machine's name. Any thread.</summary>
internal static class Defaults
{
    private static readonly Lazy<string> s_machineName = new(FindMachineName);

    /// <summary>Development: everything on loopback, and the next hop is the bundled sink, so nothing ever leaves the machine.</summary>
    public static IReadOnlyDictionary<string, string> Development { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["Ingress:Smtp:Listen"] = "127.0.0.1:2525",
        ["Ingress:TrustedNetworks"] = "127.0.0.0/8,::1/128",
        ["Http:Listen"] = "127.0.0.1:8080",
        ["Admin:Listen"] = "127.0.0.1:9464",
        ["Sink:Listen"] = "127.0.0.1:2600",
        ["Egress:NextHop"] = "127.0.0.1:2600",
        ["Egress:Webhooks:AllowPrivate"] = "true",
    };

    public static string MachineName => s_machineName.Value;

    public static void Apply(SettingValues values, bool development)
    {
        values.SetDefault("Hostname", MachineName);
        if (!development) return;
        // A sink that was moved takes the next hop with it.
        if (values["Sink:Listen"]?.Text.Trim() is { Length: > 0 } sink) values.SetDefault("Egress:NextHop", sink);
        foreach (var (name, text) in Development) values.SetDefault(name, text);
    }

    /// <summary>The full name by the resolver (as `hostname -f`), else by the domain that the system knows, else the bare name.</summary>
    private static string FindMachineName()
    {
        var name = Dns.GetHostName();
        if (name.Contains('.', StringComparison.Ordinal)) return name;
        try
        {
            var full = Dns.GetHostEntry(name).HostName;
            if (full.Contains('.', StringComparison.Ordinal) && !IPAddress.TryParse(full, out _)) return full;
        }
        catch (SocketException)
        {
            // A machine whose own name does not resolve still has one.
        }

        var domain = IPGlobalProperties.GetIPGlobalProperties().DomainName;
        return domain is "" or "(none)" ? name : $"{name}.{domain}";
    }
}
