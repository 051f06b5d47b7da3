using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Angarium.Integration.Harness;

/// <summary>What a sink received with one final dot. <paramref name="Sequence"/> orders arrivals over all connections.</summary>
internal sealed record Received(string Sender, IReadOnlyList<string> Recipients, byte[] Content, DateTimeOffset At, long Sequence)
{
    /// <summary>Where the client came from, and the name that it greeted with.</summary>
    public (string Address, string Name) From { get; init; }

    public string Text => Encoding.Latin1.GetString(Content);

    /// <summary>Value of a header field, or empty.</summary>
    public string Header(string name)
    {
        var text = Text;
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var line = ("\r\n" + (end < 0 ? text : text[..end]).Replace("\r\n\t", " ", StringComparison.Ordinal).Replace("\r\n ", " ", StringComparison.Ordinal)).Split("\r\n").FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase));
        return line is null ? "" : line[(name.Length + 1)..].Trim();
    }
}

/// <summary>
/// A scripted SMTP receiver on loopback, independent of the relay's own code: it answers what the test's rules say and notes what it took, at the moment of the final dot
/// and before it replies. A rule returns the reply line without CRLF; null = the usual one; <see cref="Cut"/> = close the connection without a reply.
/// </summary>
internal sealed class Sink : IDisposable
{
    public const string Cut = "\0cut";

    private readonly Socket listener;
    private readonly ConcurrentDictionary<Socket, bool> open = new();
    private readonly Lock gate = new();
    private readonly List<Received> received = [];
    private readonly ConcurrentDictionary<string, bool> arrived = new();
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long sequence;

    public Sink(int? port = null, string address = "127.0.0.1", Func<Socket>? create = null)
    {
        Port = port ?? Ports.Free();
        listener = create?.Invoke() ?? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Parse(address), Port));
        listener.Listen(512);
        _ = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Extensions offered in the reply to EHLO.</summary>
    public string[] Extensions { get; init; } = ["PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"];

    public Func<string?>? OnConnect { get; set; }

    public Func<string, string?>? OnRecipient { get; set; }

    /// <summary>Called with what has arrived; a refusal or a cut by this rule is not counted as received.</summary>
    public Func<Received, string?>? OnDot { get; set; }

    /// <summary>Notes the message, then closes without a reply: the ambiguous case.</summary>
    public Func<Received, bool>? CutAfterDot { get; set; }

    public int Connections => connections;

    private int connections;

    public IReadOnlyList<Received> All
    {
        get { lock (gate) return received.ToArray(); }
    }

    /// <summary>Whether a message for this recipient has come, at least once.</summary>
    public bool Has(string recipient) => arrived.ContainsKey(recipient);

    /// <summary>Waits until every one of these recipients has had a message: each is looked at once, however much arrives meanwhile.</summary>
    public Task AllAsync(IReadOnlyList<string> recipients, TimeSpan within)
    {
        var checkedUpTo = 0;
        return UntilAsync(_ =>
        {
            while (checkedUpTo < recipients.Count && Has(recipients[checkedUpTo])) checkedUpTo++;
            return checkedUpTo == recipients.Count;
        }, within, "every acknowledged recipient");
    }

    /// <summary>Waits until what was received satisfies the condition; fails by saying what did arrive.</summary>
    public async Task<IReadOnlyList<Received>> UntilAsync(Func<IReadOnlyList<Received>, bool> condition, TimeSpan within, string what)
    {
        using var limit = new CancellationTokenSource(within);
        while (true)
        {
            Task change;
            IReadOnlyList<Received> now;
            lock (gate)
            {
                now = received.ToArray();
                change = changed.Task;
            }

            if (condition(now)) return now;
            try
            {
                await change.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"sink: no {what} within {within.TotalSeconds} s; {now.Count} received: " +
                    string.Join("; ", now.TakeLast(5).Select(r => $"{r.Sender} → {string.Join(',', r.Recipients)} {r.Header("Subject")}")));
            }
        }
    }

    public Task<IReadOnlyList<Received>> CountAsync(int count, double seconds = 60) =>
        UntilAsync(all => all.Count >= count, TimeSpan.FromSeconds(seconds), $"{count} messages");

    public void Dispose()
    {
        listener.Dispose();
        foreach (var socket in open.Keys) socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The listener was closed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        open[socket] = true;
        Interlocked.Increment(ref connections);
        try
        {
            socket.NoDelay = true;
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            await new Dialogue(this, stream, ((IPEndPoint)socket.RemoteEndPoint!).Address.ToString()).RunAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The relay was killed or closed the connection: what it had not finished was not received.
        }
        finally
        {
            open.TryRemove(socket, out _);
        }
    }

    private Received Note(Received message)
    {
        lock (gate)
        {
            message = message with { Sequence = ++sequence };
            received.Add(message);
            foreach (var recipient in message.Recipients) arrived[recipient] = true;
            var old = changed;
            changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            old.SetResult();
        }

        return message;
    }

    /// <summary>One connection, in one task: buffered lines in, replies flushed when no more input is at hand.</summary>
    private sealed class Dialogue(Sink sink, NetworkStream stream, string client)
    {
        private readonly byte[] buffer = new byte[64 * 1024];
        private readonly StringBuilder replies = new();
        private int start, end;

        public async Task RunAsync()
        {
            var greeting = sink.OnConnect?.Invoke() ?? "220 sink.test ESMTP";
            if (greeting == Cut) return;
            Say(greeting);
            string sender = "", name = "";
            var recipients = new List<string>();
            while (true)
            {
                var line = await LineAsync();
                if (line is null) return;
                var text = Encoding.UTF8.GetString(line).TrimEnd('\r', '\n');
                var verb = text.Split(' ', ':')[0].ToUpperInvariant();
                switch (verb)
                {
                    case "EHLO":
                        name = text[4..].Trim();
                        Say("250-sink.test");
                        for (var i = 0; i < sink.Extensions.Length; i++) Say($"250{(i == sink.Extensions.Length - 1 ? ' ' : '-')}{sink.Extensions[i]}");
                        break;
                    case "HELO" or "RSET" or "NOOP":
                        recipients.Clear();
                        Say("250 2.0.0 Ok");
                        break;
                    case "MAIL":
                        sender = Path(text);
                        recipients.Clear();
                        Say("250 2.1.0 Ok");
                        break;
                    case "RCPT":
                        var reply = sink.OnRecipient?.Invoke(Path(text)) ?? "250 2.1.5 Ok";
                        if (reply == Cut) return;
                        if (reply[0] == '2') recipients.Add(Path(text));
                        Say(reply);
                        break;
                    case "DATA" when recipients.Count == 0:
                        Say("554 5.5.1 no valid recipients");
                        break;
                    case "DATA":
                        Say("354 go on");
                        if (await ContentAsync() is not { } content) return;
                        var message = new Received(sender, recipients.ToArray(), content, DateTimeOffset.UtcNow, 0) { From = (client, name) };
                        recipients.Clear();
                        var verdict = sink.OnDot?.Invoke(message);
                        if (verdict == Cut) return;
                        if (verdict is null || verdict[0] == '2')
                        {
                            sink.Note(message);
                            if (sink.CutAfterDot?.Invoke(message) == true) return;
                        }

                        Say(verdict ?? "250 2.0.0 Ok");
                        break;
                    case "QUIT":
                        Say("221 2.0.0 Bye");
                        await FlushAsync();
                        return;
                    default:
                        Say("500 5.5.2 what?");
                        break;
                }
            }
        }

        private static string Path(string text)
        {
            int open = text.IndexOf('<', StringComparison.Ordinal), close = text.IndexOf('>', StringComparison.Ordinal);
            return open >= 0 && close > open ? text[(open + 1)..close] : "";
        }

        private void Say(string line) => replies.Append(line).Append("\r\n");

        private async Task FlushAsync()
        {
            if (replies.Length == 0) return;
            var bytes = Encoding.UTF8.GetBytes(replies.ToString());
            replies.Clear();
            await stream.WriteAsync(bytes);
        }

        private async Task<byte[]?> LineAsync()
        {
            using var line = new MemoryStream();
            while (true)
            {
                var at = Array.IndexOf(buffer, (byte)'\n', start, end - start);
                if (at >= 0)
                {
                    line.Write(buffer, start, at + 1 - start);
                    start = at + 1;
                    return line.ToArray();
                }

                line.Write(buffer, start, end - start);
                await FlushAsync();
                start = 0;
                end = await stream.ReadAsync(buffer);
                if (end == 0) return null;
            }
        }

        private async Task<byte[]?> ContentAsync()
        {
            using var content = new MemoryStream();
            while (await LineAsync() is { } line)
            {
                if (line is [(byte)'.', (byte)'\r', (byte)'\n']) return content.ToArray();
                content.Write(line[0] == '.' ? line.AsSpan(1) : line);
            }

            return null;
        }
    }
}
