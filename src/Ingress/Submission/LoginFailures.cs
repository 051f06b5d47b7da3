using System.Net;
using System.Net.Sockets;
using Angarium.Mail;

namespace Angarium.Ingress.Submission;

/// <summary>
/// Failed logins by network (an IPv4 /24, an IPv6 /48): each is answered later than the one before, and beyond a number the network may try no more until its failures are forgotten, one every
/// ten seconds. Any thread; bounded; gone with the process.
/// </summary>
internal sealed class LoginFailures(TimeProvider time)
{
    public static readonly Reply TooMany = new(421, new EnhancedStatus(4, 7, 0), "Too many failed logins from your network, try again later");

    /// <summary>Failures within ten seconds each that a network may have before it is refused.</summary>
    public const int Most = 60;

    private const int MostNetworks = 100_000;
    private const int Free = 3;
    private static readonly TimeSpan s_forgets = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(8);

    private readonly Dictionary<IPAddress, (double Failures, long At)> _networks = [];

    public bool MayTry(IPAddress client)
    {
        lock (_networks) return Count(Network(client)) < Most;
    }

    /// <summary>Counts one; the answer is how long its reply waits.</summary>
    public TimeSpan Failed(IPAddress client)
    {
        var network = Network(client);
        double failures;
        lock (_networks)
        {
            if (_networks.Count >= MostNetworks) Prune();
            failures = Count(network) + 1;
            _networks[network] = (failures, time.GetTimestamp());
        }

        if (failures <= Free) return TimeSpan.FromSeconds(1);
        var wait = TimeSpan.FromSeconds(Math.Pow(2, Math.Min(failures - Free, 10)));
        return wait < s_longest ? wait : s_longest;
    }

    private double Count(IPAddress network) => _networks.TryGetValue(network, out var known) ? Math.Max(0, known.Failures - time.GetElapsedTime(known.At) / s_forgets) : 0;

    /// <summary>Forgets what has been forgiven; when that is nothing, everybody: memory is bounded, and who fails on goes on being counted.</summary>
    private void Prune()
    {
        foreach (var network in _networks.Keys.Where(network => Count(network) < 1).ToList()) _networks.Remove(network);
        if (_networks.Count >= MostNetworks) _networks.Clear();
    }

    private static IPAddress Network(IPAddress client)
    {
        if (client.IsIPv4MappedToIPv6) client = client.MapToIPv4();
        Span<byte> octets = stackalloc byte[16];
        client.TryWriteBytes(octets, out var length);
        octets = octets[..length];
        octets[(client.AddressFamily == AddressFamily.InterNetwork ? 3 : 6)..].Clear();
        return new IPAddress(octets);
    }
}
