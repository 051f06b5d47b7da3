using System.Net;
using System.Net.Sockets;

namespace Angarium.Integration.Harness;

/// <summary>Loopback ports that nothing listens on. Taken from below the ephemeral range, so that no outgoing connection of the machine takes one meanwhile.</summary>
internal static class Ports
{
    private static int next = 10_000 + Random.Shared.Next(0, 18_000);

    public static int Free()
    {
        while (true)
        {
            var port = 10_000 + (Interlocked.Increment(ref next) % 20_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: the next one.
            }
        }
    }
}
