using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Angarium.Integration.Harness;

/// <summary>A bare SMTP client over a socket: sends octets exactly as told and reads whole replies. Independent of the relay's own code.</summary>
internal sealed class Client : IDisposable
{
    private readonly TcpClient socket;
    private StreamReader reader = null!;
    private Stream stream = null!;

    private Client(TcpClient socket) => this.socket = socket;

    /// <param name="port">Of the relay.</param>
    /// <param name="host">Of the relay.</param>
    /// <param name="from">Local address: any of 127/8 tells one client from another.</param>
    public static async Task<Client> ConnectAsync(int port, string host = "127.0.0.1", string from = "127.0.0.1")
    {
        var client = new Client(new TcpClient(new IPEndPoint(IPAddress.Parse(from), 0)));
        await client.socket.ConnectAsync(host, port);
        client.socket.NoDelay = true;
        client.stream = client.socket.GetStream();
        client.reader = new StreamReader(client.stream, Encoding.Latin1);
        return client;
    }

    /// <summary>One reply, its lines joined by LF; empty = the server closed.</summary>
    public async Task<string> ReplyAsync(double seconds = 60)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var lines = new List<string>();
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            lines.Add(line);
            if (line.Length < 4 || line[3] != '-') break;
        }

        return string.Join('\n', lines);
    }

    public async Task SendAsync(string octets) => await stream.WriteAsync(Encoding.Latin1.GetBytes(octets));

    public async Task SendAsync(byte[] octets) => await stream.WriteAsync(octets);

    public async Task<string> CommandAsync(string line)
    {
        await SendAsync(line + "\r\n");
        return await ReplyAsync();
    }

    /// <summary>STARTTLS, whatever the certificate is.</summary>
    public async Task StartTlsAsync(string host)
    {
        var reply = await CommandAsync("STARTTLS");
        if (!reply.StartsWith("220", StringComparison.Ordinal)) throw new IOException(reply);
        await TlsAsync(host);
    }

    /// <summary>TLS from here on, whatever the certificate is.</summary>
    public async Task TlsAsync(string host)
    {
        var tls = new SslStream(stream, leaveInnerStreamOpen: false, static (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync(host);
        stream = tls;
        reader = new StreamReader(stream, Encoding.Latin1);
    }

    /// <summary>A whole transaction in one go; the reply to the final dot, or the first refusal; empty = the connection ended before an answer.</summary>
    public async Task<string> TransactionAsync(string sender, IEnumerable<string> recipients, string content)
    {
        foreach (var command in (string[])[$"MAIL FROM:<{sender}>", .. recipients.Select(r => $"RCPT TO:<{r}>"), "DATA"])
        {
            var reply = await CommandAsync(command);
            if (reply.Length == 0 || reply[0] is not ('2' or '3')) return reply;
        }

        await SendAsync(content.Replace("\r\n.", "\r\n..", StringComparison.Ordinal) + "\r\n.\r\n");
        return await ReplyAsync();
    }

    public void Dispose() => socket.Dispose();
}
