using System.Net.Sockets;

namespace Angarium.Chaos.Traffic;

/// <summary>What the kernel knows of the other side of a connection, which nobody here may have read yet. No state.</summary>
internal static class TcpPeer
{
    private const int ProtocolTcp = 6, TcpInfo = 11;

    /// <summary>The first octet of the kernel's account of a connection.</summary>
    private const byte Established = 1;

    /// <summary>Whether it has closed, or reset, the connection; what it sent before may still wait to be read.</summary>
    public static bool HasClosed(Socket socket)
    {
        try
        {
            Span<byte> info = stackalloc byte[8];
            return socket.GetRawSocketOption(ProtocolTcp, TcpInfo, info) == 0 || info[0] != Established;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }
}
