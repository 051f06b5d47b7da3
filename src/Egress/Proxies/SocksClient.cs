using System.Buffers.Binary;
using System.Net.Sockets;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;

namespace Angarium.Egress.Proxies;

/// <summary>
/// Opens connections through a SOCKS5 proxy (RFC 1928), with its user name and password if it asks for them (RFC 1929). It is always asked for an address, never for a name: which hosts take a domain's mail, and
/// which addresses may be connected to, stays ours. What is read is bounded by the protocol (262 octets at most) and never beyond the reply: the receiver's greeting follows it. No state.
/// </summary>
internal static class SocksClient
{
    private const byte Version = 5, NoLogin = 0, Password = 2, NoneAcceptable = 0xFF, Connect = 1, Ipv4 = 1, Name = 3, Ipv6 = 4;

    /// <summary>A connection to the target.</summary>
    /// <exception cref="AttemptException">With <see cref="AttemptFault.NoProxy"/>: the proxy is to blame, and no host of the destination; else the proxy says, or seems to say, that the target cannot be reached.</exception>
    public static async Task<Socket> ConnectAsync(SocksProxy proxy, RouteEndPoint target, CancellationToken limit)
    {
        var socket = await OpenAsync(proxy, limit);
        try
        {
            await AskAsync(socket, proxy, target, limit);
            return socket;
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or OperationCanceledException)
        {
            socket.Dispose();
            // It was asked, so it lives; and it is the way from there on that takes its time, or ends. Unless it has died of something else meanwhile, which no host is to blame for.
            if (e is OperationCanceledException) throw new AttemptException(AttemptFault.Timeout, $"{target}: no connection through {proxy} in time", e);
            (await OpenAsync(proxy, limit)).Dispose();
            throw new AttemptException(AttemptFault.Unreachable, $"{target}: {proxy} ended the connection without an answer", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A connection to the proxy, which takes us, and is asked for nothing yet.</summary>
    /// <exception cref="AttemptException">With <see cref="AttemptFault.NoProxy"/>.</exception>
    public static async Task<Socket> OpenAsync(SocksProxy proxy, CancellationToken limit)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(proxy.Host, proxy.Port, limit);
            await GreetAsync(socket, proxy, limit);
            return socket;
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or OperationCanceledException or InvalidDataException)
        {
            socket.Dispose();
            throw Failed(proxy, e switch
            {
                OperationCanceledException => "no answer in time",
                EndOfStreamException => "it closed the connection",
                SocketException failed => failed.SocketErrorCode == SocketError.ConnectionRefused ? "connection refused" : failed.Message,
                _ => e.Message,
            }, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // RFC 1928 §3.
    private static async Task GreetAsync(Socket socket, SocksProxy proxy, CancellationToken limit)
    {
        var login = proxy.LoginFile is { } file ? SocksProxy.ReadLogin(file) : ((byte[] User, byte[] Password)?)null;
        await SendAsync(socket, login is null ? [Version, 1, NoLogin] : [Version, 2, NoLogin, Password], limit);
        var chosen = await ReadAsync(socket, 2, limit);
        if (chosen[0] != Version) throw new InvalidDataException("it does not speak SOCKS5");
        if (chosen[1] == NoneAcceptable) throw new InvalidDataException(login is null ? "it wants a login; name a file with user name and password in Egress:ProxyPassword" : "it takes neither no login nor user name and password");
        if (chosen[1] == NoLogin) return;
        if (chosen[1] != Password || login is not { } words) throw new InvalidDataException("it chose a way to log in that it was not offered");
        // RFC 1929 §2.
        await SendAsync(socket, [1, (byte)words.User.Length, .. words.User, (byte)words.Password.Length, .. words.Password], limit);
        if ((await ReadAsync(socket, 2, limit))[1] != 0) throw new InvalidDataException("it refused the login");
    }

    // RFC 1928 §4, §6.
    private static async Task AskAsync(Socket socket, SocksProxy proxy, RouteEndPoint target, CancellationToken limit)
    {
        var address = target.Address.GetAddressBytes();
        byte[] request = [Version, Connect, 0, address.Length == 4 ? Ipv4 : Ipv6, .. address, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(request.Length - 2), (ushort)target.Port);
        await SendAsync(socket, request, limit);
        var reply = await ReadAsync(socket, 4, limit);
        if (reply[0] != Version) throw Failed(proxy, "it does not speak SOCKS5");
        if (reply[1] == 7) throw Failed(proxy, "it does not know CONNECT");
        if (reply[1] != 0) throw new AttemptException(AttemptFault.Unreachable, $"{target}: {proxy} says: {Words(reply[1])}");
        // Where it connects from, which nobody needs to know.
        var bound = reply[3] switch
        {
            Ipv4 => 4,
            Ipv6 => 16,
            Name => (await ReadAsync(socket, 1, limit))[0],
            _ => throw Failed(proxy, "its reply is not one of SOCKS5"),
        };
        await ReadAsync(socket, bound + 2, limit);
    }

    private static AttemptException Failed(SocksProxy proxy, string reason, Exception? cause = null) => new(AttemptFault.NoProxy, $"{proxy}: {reason}", cause);

    private static string Words(byte reply) => reply switch
    {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        8 => "addresses of this family are not supported",
        _ => $"failure {reply}",
    };

    private static async Task SendAsync(Socket socket, byte[] octets, CancellationToken limit)
    {
        for (var sent = 0; sent < octets.Length;) sent += await socket.SendAsync(octets.AsMemory(sent), SocketFlags.None, limit);
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count, CancellationToken limit)
    {
        var octets = new byte[count];
        for (var read = 0; read < count;)
        {
            var more = await socket.ReceiveAsync(octets.AsMemory(read), SocketFlags.None, limit);
            if (more == 0) throw new EndOfStreamException();
            read += more;
        }

        return octets;
    }
}
