using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Angarium.TestKit.Servers;

/// <summary>As much of the protocol of Redis (RESP2) as a test needs to look at a server behind the back of what it tests. One command at a time.</summary>
public sealed class RespConnection : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TcpClient _client;
    private readonly StreamReader _reader;

    private RespConnection(TcpClient client)
    {
        _client = client;
        // Latin-1 maps octets to characters one to one, so that lengths fit and keys with hashes in them can be compared.
        _reader = new StreamReader(client.GetStream(), Encoding.Latin1);
    }

    public static async Task<RespConnection> OpenAsync(IPEndPoint server)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(server).WaitAsync(Patience);
        return new RespConnection(client);
    }

    /// <returns>A string, a long, an array of these, or null.</returns>
    public async Task<object?> SendAsync(params string[] words)
    {
        var command = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{words.Length}\r\n");
        foreach (var word in words) command.Append(CultureInfo.InvariantCulture, $"${word.Length}\r\n{word}\r\n");
        await _client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(command.ToString())).AsTask().WaitAsync(Patience);
        return await ReadAsync().WaitAsync(Patience);
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return default;
    }

    private async Task<object?> ReadAsync()
    {
        var line = await _reader.ReadLineAsync() ?? throw new IOException("Redis closed the connection");
        var rest = line[1..];
        switch (line[0])
        {
            case '+': return rest;
            case '-': throw new InvalidOperationException(rest);
            case ':': return long.Parse(rest, CultureInfo.InvariantCulture);
            case '$' when rest == "-1" : return null;
            case '$':
                var text = new char[int.Parse(rest, CultureInfo.InvariantCulture) + 2];
                if (await _reader.ReadBlockAsync(text) != text.Length) throw new IOException("Redis closed the connection");
                return new string(text, 0, text.Length - 2);
            case '*' when rest == "-1": return null;
            case '*':
                var items = new object?[int.Parse(rest, CultureInfo.InvariantCulture)];
                for (var i = 0; i < items.Length; i++) items[i] = await ReadAsync();
                return items;
            default: throw new InvalidDataException($"not RESP: {line}");
        }
    }
}
