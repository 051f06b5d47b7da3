using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Angarium.TestKit.Peers;

/// <summary>A receiver on loopback whose every word the test says itself, connection by connection. Each wait is bounded.</summary>
public sealed class LivePeer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);

    public LivePeer() => listener.Start();

    public IPEndPoint EndPoint => (IPEndPoint)listener.LocalEndpoint;

    /// <summary>Somebody has connected and was not accepted yet.</summary>
    public bool IsCalled => listener.Pending();

    public async Task<LiveConnection> AcceptAsync() => new(await listener.AcceptTcpClientAsync().WaitAsync(LiveConnection.Limit));

    /// <summary>Accepted and greeted up to the client's readiness for MAIL.</summary>
    public async Task<LiveConnection> GreetAsync(params string[] extensions)
    {
        var connection = await AcceptAsync();
        await connection.SayAsync("220 peer.test");
        await connection.HelloAsync(extensions);
        return connection;
    }

    public void Dispose() => listener.Dispose();
}

/// <summary>One connection of a <see cref="LivePeer"/>.</summary>
public sealed class LiveConnection(TcpClient client) : IDisposable
{
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private Stream stream = client.GetStream();
    private readonly List<byte> unread = [];

    /// <summary>Where the client connects from.</summary>
    public IPAddress From { get; } = ((IPEndPoint)client.Client.RemoteEndPoint!).Address;

    /// <summary>Everything that the client sent, as octets.</summary>
    public StringBuilder Heard { get; } = new();

    public async Task HelloAsync(params string[] extensions)
    {
        await HearAsync("EHLO relay.test");
        string[] lines = ["peer.test", .. extensions];
        await SayAsync([.. lines.Select((line, i) => (i == lines.Length - 1 ? "250 " : "250-") + line)]);
    }

    public async Task SayAsync(params string[] lines) => await stream.WriteAsync(Encoding.Latin1.GetBytes(string.Concat(lines.Select(line => line + "\r\n")))).AsTask().WaitAsync(Limit);

    /// <summary>The client's next line; null = it is gone.</summary>
    public async Task<string?> LineAsync()
    {
        var buffer = new byte[4096];
        while (true)
        {
            var end = unread.IndexOf((byte)'\n');
            if (end > 0 && unread[end - 1] == '\r')
            {
                var line = Encoding.Latin1.GetString([.. unread.Take(end - 1)]);
                unread.RemoveRange(0, end + 1);
                return line;
            }

            int read;
            try
            {
                read = await stream.ReadAsync(buffer).AsTask().WaitAsync(Limit);
            }
            catch (IOException)
            {
                return null;
            }

            if (read == 0) return null;
            Heard.Append(Encoding.Latin1.GetString(buffer, 0, read));
            unread.AddRange(buffer.AsSpan(0, read));
        }
    }

    /// <summary>Waits for octets, whatever they are, and forgets them.</summary>
    public async Task HearAnythingAsync() => await stream.ReadAsync(new byte[4096]).AsTask().WaitAsync(Limit);

    /// <summary>The client's next line, which starts so.</summary>
    public async Task<string> HearAsync(string prefix)
    {
        var line = await LineAsync();
        return line is not null && line.StartsWith(prefix, StringComparison.Ordinal) ? line : throw new InvalidDataException($"wanted `{prefix}`, heard `{line ?? "the end"}`");
    }

    /// <summary>MAIL, RCPT and DATA taken, one recipient.</summary>
    public async Task EnvelopeAsync()
    {
        await HearAsync("MAIL FROM:");
        await SayAsync("250 2.1.0 Ok");
        await HearAsync("RCPT TO:");
        await SayAsync("250 2.1.5 Ok");
        await HearAsync("DATA");
    }

    /// <summary>The content, up to and without the dot.</summary>
    public async Task<string> ContentAsync()
    {
        var content = new StringBuilder();
        while (await LineAsync() is { } line && line != ".") content.Append(line).Append("\r\n");
        return content.ToString();
    }

    /// <summary>Everything to the end of the connection.</summary>
    public async Task DrainAsync()
    {
        while (await LineAsync() is not null) { }
    }

    public async Task StartTlsAsync(X509Certificate2 certificate)
    {
        var secure = new SslStream(stream);
        // The certificate alone is sent: nothing is looked up or downloaded beside it.
        await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true) }).WaitAsync(Limit);
        stream = secure;
    }

    public void Cut() => client.Client.Close(0);

    public void Dispose() => client.Dispose();
}
