using System.Net.Sockets;
using System.Text;

namespace Angarium.Chaos.Processes;

/// <summary>How the harness asks whether a process serves. Any thread.</summary>
internal static class Probes
{
    private static readonly HttpClient http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2), PooledConnectionLifetime = TimeSpan.FromSeconds(5) }) { Timeout = TimeSpan.FromSeconds(4) };

    public static async Task<bool> HttpAsync(string address, int port, string path, CancellationToken cancellationToken, bool anyStatus = false)
    {
        using var response = await http.GetAsync(new Uri($"http://{address}:{port}{path}"), cancellationToken);
        return anyStatus || response.IsSuccessStatusCode;
    }

    public static Task<string> TextAsync(string address, int port, string path, CancellationToken cancellationToken) =>
        http.GetStringAsync(new Uri($"http://{address}:{port}{path}"), cancellationToken);

    /// <summary>One inline command to Redis; its whole reply as text.</summary>
    public static async Task<string> RedisAsync(string address, string command, CancellationToken cancellationToken)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(address, 6379, cancellationToken);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"), cancellationToken);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var first = await reader.ReadLineAsync(cancellationToken) ?? "";
        if (first.Length == 0 || first[0] != '$') return first;
        var body = new char[int.Parse(first[1..], System.Globalization.CultureInfo.InvariantCulture)];
        await reader.ReadBlockAsync(body, cancellationToken);
        return new string(body);
    }

    /// <summary>One question over UDP; any answer will do.</summary>
    public static async Task<bool> DnsAsync(string address, CancellationToken cancellationToken)
    {
        using var udp = new UdpClient();
        udp.Connect(address, 53);
        await udp.SendAsync(new byte[] { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, (byte)'t', (byte)'e', (byte)'s', (byte)'t', 0, 0, 15, 0, 1 }, cancellationToken);
        await udp.ReceiveAsync(cancellationToken);
        return true;
    }
}
