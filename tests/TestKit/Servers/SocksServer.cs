using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Angarium.TestKit.Servers;

/// <summary>A SOCKS5 proxy (RFC 1928, RFC 1929) that connects to what it is asked for, or answers as the test wants. Only addresses: a name is a failure of the test.</summary>
public sealed class SocksServer : IDisposable
{
    private readonly TcpListener listener;
    private readonly CancellationTokenSource stop = new();
    private readonly Task loop;
    private readonly ConcurrentQueue<IPEndPoint> asked = new();
    private readonly ConcurrentQueue<string> logins = new();

    /// <param name="port">0 = any.</param>
    /// <param name="from">Where it connects from: its address is the source.</param>
    /// <param name="at">Where it listens; null = on loopback.</param>
    public SocksServer(int port = 0, IPAddress? from = null, IPAddress? at = null)
    {
        From = from;
        listener = new TcpListener(at ?? IPAddress.Loopback, port);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Address = $"socks5://{listener.LocalEndpoint}";
        loop = ServeAsync();
    }

    public int Port { get; }

    /// <summary>Also once it is gone.</summary>
    public string Address { get; }

    public IPAddress? From { get; }

    /// <summary>Null = it asks for none; `user password`.</summary>
    public string? Login { get; init; }

    /// <summary>The reply's code for a target; 0 = connect.</summary>
    public Func<IPEndPoint, byte> Answer { get; set; } = static _ => 0;

    /// <summary>What it was asked for, in order.</summary>
    public IPEndPoint[] Asked => [.. asked];

    /// <summary>What was tried as a login.</summary>
    public string[] Logins => [.. logins];

    public void Dispose()
    {
        if (stop.IsCancellationRequested) return;
        stop.Cancel();
        listener.Dispose();
        loop.Wait(TimeSpan.FromSeconds(10));
    }

    private async Task ServeAsync()
    {
        var running = new List<Task>();
        try
        {
            while (true) running.Add(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Its end.
        }

        await Task.WhenAll(running);
    }

    private async Task ServeAsync(TcpClient accepted)
    {
        using var client = accepted;
        try
        {
            var stream = client.GetStream();
            var methods = await ReadAsync(stream, (await ReadAsync(stream, 2))[1]);
            byte wanted = (byte)(Login is null ? 0 : 2);
            await stream.WriteAsync(new byte[] { 5, methods.Contains(wanted) ? wanted : (byte)0xFF }, stop.Token);
            if (!methods.Contains(wanted)) return;
            if (Login is not null)
            {
                var user = await ReadAsync(stream, (await ReadAsync(stream, 2))[1]);
                var password = await ReadAsync(stream, (await ReadAsync(stream, 1))[0]);
                var login = $"{Encoding.UTF8.GetString(user)} {Encoding.UTF8.GetString(password)}";
                logins.Enqueue(login);
                await stream.WriteAsync(new byte[] { 1, (byte)(login == Login ? 0 : 1) }, stop.Token);
                if (login != Login) return;
            }

            var request = await ReadAsync(stream, 4);
            if (request is not [5, 1, 0, 1 or 4]) throw new InvalidDataException(Convert.ToHexString(request));
            var address = new IPAddress(await ReadAsync(stream, request[3] == 1 ? 4 : 16));
            var target = new IPEndPoint(address, BinaryPrimitives.ReadUInt16BigEndian(await ReadAsync(stream, 2)));
            asked.Enqueue(target);
            var code = Answer(target);
            using var onward = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (From is not null) onward.Bind(new IPEndPoint(From, 0));
            if (code == 0) await onward.ConnectAsync(target, stop.Token);
            await stream.WriteAsync(new byte[] { 5, code, 0, 1, 0, 0, 0, 0, 0, 0 }, stop.Token);
            if (code != 0) return;
            await using var there = new NetworkStream(onward, ownsSocket: false);
            await Task.WhenAll(CopyAsync(stream, there, onward), CopyAsync(there, stream, client.Client));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // One of the two is gone, or the test is over.
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, Socket end)
    {
        await from.CopyToAsync(to, stop.Token);
        end.Shutdown(SocketShutdown.Send);
    }

    private async Task<byte[]> ReadAsync(NetworkStream stream, int count)
    {
        var octets = new byte[count];
        await stream.ReadExactlyAsync(octets, stop.Token);
        return octets;
    }
}
