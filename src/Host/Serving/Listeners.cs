using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Angarium.Host.Serving;

/// <summary>
/// The TCP listeners of this process by the setting that names each: what the ready line shows, and who is to blame when one cannot be opened. Filled while
/// Kestrel is configured, read once it runs.
/// </summary>
internal sealed class Listeners
{
    private readonly List<(string Setting, ListenOptions Options)> _all = [];

    /// <summary>The endpoints as bound: with the port that was free where 0 was asked.</summary>
    public IEnumerable<(string Setting, IPEndPoint EndPoint)> Bound => _all.Where(one => one.Options.IPEndPoint is not null).Select(one => (one.Setting, one.Options.IPEndPoint!));

    public IPEndPoint? Find(string setting) => Bound.FirstOrDefault(one => one.Setting == setting).EndPoint;

    public void Add(string setting, ListenOptions options) => _all.Add((setting, options));

    public void Listen(KestrelServerOptions kestrel, string setting, IPEndPoint endPoint, Action<ListenOptions> configure) => kestrel.Listen(Usable(endPoint), options =>
    {
        Add(setting, options);
        configure(options);
    });

    /// <summary>Tries every address before anything is started, so that the line about one that cannot be had names its setting.</summary>
    /// <exception cref="StartException">One cannot be opened.</exception>
    public static void Probe(IEnumerable<(string Setting, IPEndPoint EndPoint)> wanted)
    {
        foreach (var (setting, asked) in wanted)
        {
            var endPoint = Usable(asked);
            using var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                if (endPoint.Address.Equals(IPAddress.IPv6Any)) socket.DualMode = true;
                socket.Bind(endPoint);
                socket.Listen(1);
            }
            catch (SocketException e)
            {
                throw new StartException(Explain(setting, endPoint, e.SocketErrorCode), e);
            }
        }
    }

    /// <summary>An address that a person can connect to: the loopback instead of "any".</summary>
    public static IPEndPoint Reachable(IPEndPoint endPoint) =>
        endPoint.Address.Equals(IPAddress.IPv6Any) || endPoint.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, endPoint.Port) : endPoint;

    /// <summary>On a machine without IPv6, `[::]` means every IPv4 address.</summary>
    private static IPEndPoint Usable(IPEndPoint endPoint) =>
        endPoint.Address.Equals(IPAddress.IPv6Any) && !Socket.OSSupportsIPv6 ? new IPEndPoint(IPAddress.Any, endPoint.Port) : endPoint;

    private static string Explain(string setting, IPEndPoint endPoint, SocketError error) => error switch
    {
        SocketError.AddressAlreadyInUse => $"{setting}: {endPoint} is in use by another process; stop that one or set another port.",
        SocketError.AccessDenied => $"{setting}: {endPoint} may not be opened by this user; ports below 1024 need CAP_NET_BIND_SERVICE, or set a higher port.",
        SocketError.AddressNotAvailable => $"{setting}: {endPoint.Address} is not an address of this machine; `[::]` means all of them.",
        _ => $"{setting}: {endPoint} cannot be opened ({error}).",
    };
}
