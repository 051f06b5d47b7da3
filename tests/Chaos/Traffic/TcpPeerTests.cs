using System.Net;
using System.Net.Sockets;

namespace Angarium.Chaos.Traffic;

public class TcpPeerTests
{
    [Fact]
    public async Task HasClosed_WithAGoodbyeThatNobodyHasRead_IsSeen()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint, TestContext.Current.CancellationToken);
        using var server = await listener.AcceptSocketAsync(TestContext.Current.CancellationToken);
        Assert.False(TcpPeer.HasClosed(server));
        await client.GetStream().WriteAsync("QUIT\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.False(TcpPeer.HasClosed(server));
        client.Close();
        Assert.True(SpinWait.SpinUntil(() => TcpPeer.HasClosed(server), TimeSpan.FromSeconds(10)));
        Assert.Equal(6, server.Available);
    }

    [Fact]
    public void HasClosed_OwnSocketDisposed_IsSeen()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Dispose();
        Assert.True(TcpPeer.HasClosed(socket));
    }
}
