using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Angarium.Host.Sink;

/// <summary>
/// The bundled sink's side of SMTP: takes whatever it is given and keeps it in the <see cref="SinkStore"/>. For development only: it knows no TLS and refuses
/// no recipient. One session a connection, on the pool; a session between two messages ends with 421 as the process stops, or egress, which keeps
/// connections and stops after the sink, would hold it up. Nothing survives the process.
/// </summary>
internal sealed class SinkConnectionHandler(SinkStore store, string hostname) : ConnectionHandler
{
    private const int MaxLine = 4_096;
    private const int MaxContent = 64 << 20;
    private const int MaxRecipients = 1_000;
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(5);

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        await using var wake = closing.Register(connection.Transport.Input.CancelPendingRead);
        try
        {
            await new Session(store, hostname, connection.Transport, ended, closing).RunAsync();
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ConnectionResetException)
        {
            // The client went away, or was silent for too long: there is nobody to tell.
        }
    }

    private sealed class Session(SinkStore store, string hostname, IDuplexPipe pipe, CancellationTokenSource ended, CancellationToken closing)
    {
        private static readonly byte[] s_endOfData = "\r\n.\r\n"u8.ToArray();
        private string _client = "";
        private string? _reversePath;
        private List<string> _recipients = [];

        public async Task RunAsync()
        {
            Reply($"220 {hostname} ESMTP Angarium sink");
            while (await TakeLineAsync() is { } line)
            {
                if (!(line.Equals("DATA", StringComparison.OrdinalIgnoreCase) ? await TakeContentAsync() : Answer(line))) break;
            }

            await pipe.Output.FlushAsync(ended.Token);
        }

        /// <summary>The next command; null = the client went, or sent no end of line. Replies wait until all that has arrived is answered.</summary>
        private async ValueTask<string?> TakeLineAsync()
        {
            while (true)
            {
                if (closing.IsCancellationRequested && _reversePath is null)
                {
                    Reply($"421 4.3.2 {hostname} is stopping");
                    return null;
                }

                if (!pipe.Input.TryRead(out var read)) read = await ReadAsync();
                var buffer = read.Buffer;
                var complete = TryTakeLine(ref buffer, out var line);
                pipe.Input.AdvanceTo(buffer.Start, complete ? buffer.Start : buffer.End);
                if (complete) return line;
                if (read.IsCompleted) return null;
                if (buffer.Length <= MaxLine) continue;
                Reply("500 5.5.2 Line too long");
                return null;
            }
        }

        private async ValueTask<ReadResult> ReadAsync()
        {
            await pipe.Output.FlushAsync(ended.Token);
            ended.CancelAfter(s_idle);
            return await pipe.Input.ReadAsync(ended.Token);
        }

        private static bool TryTakeLine(ref ReadOnlySequence<byte> buffer, out string line)
        {
            var end = buffer.PositionOf((byte)'\n');
            if (end is null)
            {
                line = "";
                return false;
            }

            line = Encoding.UTF8.GetString(buffer.Slice(0, end.Value)).TrimEnd('\r');
            buffer = buffer.Slice(buffer.GetPosition(1, end.Value));
            return true;
        }

        /// <summary>False = the session ends.</summary>
        private bool Answer(string line)
        {
            var verb = line.Length >= 4 ? line[..4].ToUpperInvariant() : "";
            switch (verb)
            {
                case "EHLO":
                    (_client, _reversePath, _recipients) = (line[4..].Trim(), null, []);
                    Reply($"250-{hostname}\r\n250-PIPELINING\r\n250-SIZE {MaxContent}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES");
                    break;
                case "HELO":
                    (_client, _reversePath, _recipients) = (line[4..].Trim(), null, []);
                    Reply($"250 {hostname}");
                    break;
                case "MAIL":
                    (_reversePath, _recipients) = (PathOf(line), []);
                    Reply(_reversePath is null ? "501 5.5.4 MAIL FROM:<address>" : "250 2.1.0 Ok");
                    break;
                case "RCPT":
                    var recipient = PathOf(line);
                    if (_reversePath is null) Reply("503 5.5.1 MAIL first");
                    else if (string.IsNullOrEmpty(recipient)) Reply("501 5.5.4 RCPT TO:<address>");
                    else if (_recipients.Count == MaxRecipients) Reply("452 4.5.3 Too many recipients");
                    else
                    {
                        _recipients.Add(recipient);
                        Reply("250 2.1.5 Ok");
                    }

                    break;
                case "RSET":
                    (_reversePath, _recipients) = (null, []);
                    Reply("250 2.0.0 Ok");
                    break;
                case "NOOP":
                    Reply("250 2.0.0 Ok");
                    break;
                case "VRFY":
                    Reply("252 2.0.0 The sink takes everything");
                    break;
                case "QUIT":
                    Reply("221 2.0.0 Bye");
                    return false;
                default:
                    Reply("502 5.5.1 Not implemented");
                    break;
            }

            return true;
        }

        /// <summary>Reads to CRLF.CRLF (RFC 5321 §4.1.1.4) and keeps the message. False = too large, or the client went.</summary>
        private async Task<bool> TakeContentAsync()
        {
            if (_recipients.Count == 0)
            {
                Reply("503 5.5.1 RCPT first");
                return true;
            }

            Reply("354 End data with <CR><LF>.<CR><LF>");
            var content = new ArrayBufferWriter<byte>();
            // The CRLF of the DATA line counts as the first of the five octets: an empty message is ".CRLF".
            content.Write("\r\n"u8);
            while (true)
            {
                var read = await ReadAsync();
                var from = Math.Max(0, content.WrittenCount - (s_endOfData.Length - 1));
                var before = content.WrittenCount;
                foreach (var segment in read.Buffer) content.Write(segment.Span);
                var end = content.WrittenSpan[from..].IndexOf(s_endOfData);
                if (end >= 0)
                {
                    pipe.Input.AdvanceTo(read.Buffer.GetPosition(from + end + s_endOfData.Length - before));
                    var message = store.Add(_client, _reversePath!, _recipients, Unstuff(content.WrittenSpan[2..(from + end + 2)]));
                    (_reversePath, _recipients) = (null, []);
                    Reply($"250 2.0.0 Ok: kept as {message.Id}");
                    return true;
                }

                pipe.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return false;
                if (content.WrittenCount <= MaxContent) continue;
                Reply("552 5.3.4 Too large");
                return false;
            }
        }

        /// <summary>RFC 5321 §4.5.2: a dot that begins a line of more than one octet goes.</summary>
        private static byte[] Unstuff(ReadOnlySpan<byte> stuffed)
        {
            var plain = new byte[stuffed.Length];
            var at = 0;
            while (!stuffed.IsEmpty)
            {
                if (stuffed[0] == '.') stuffed = stuffed[1..];
                var end = stuffed.IndexOf("\r\n"u8);
                var line = end < 0 ? stuffed : stuffed[..(end + 2)];
                line.CopyTo(plain.AsSpan(at));
                at += line.Length;
                stuffed = stuffed[line.Length..];
            }

            return plain[..at];
        }

        /// <summary>What stands between the first `&lt;` and the last `&gt;` before the parameters; null = nothing of the kind.</summary>
        private static string? PathOf(string line)
        {
            var open = line.IndexOf('<', StringComparison.Ordinal);
            var close = open < 0 ? -1 : line.IndexOf('>', open);
            return close < 0 ? null : line[(open + 1)..close];
        }

        private void Reply(string text)
        {
            Encoding.UTF8.GetBytes(text, pipe.Output);
            pipe.Output.Write("\r\n"u8);
        }
    }
}
