using System.Net.Sockets;
using System.Text;

namespace Angarium.Chaos.Traffic;

/// <summary>One connection to the sink, in one task: octets are buffered, replies go out when no more input is at hand. Independent of the relay's own code.</summary>
internal sealed class SinkSession(Sink sink, Func<Site> behaviour, string peer, Socket socket, NetworkStream stream)
{
    private const int MaxContent = 64 * 1024 * 1024;
    private readonly StringBuilder replies = new();
    private readonly List<string> recipients = [];
    private byte[] buffer = new byte[16 * 1024];
    private int start, end;
    private string sender = "";
    private DateTimeOffset began;

    /// <summary>As it behaves just now.</summary>
    private Site Site => behaviour();

    public async Task RunAsync()
    {
        if (sink.Draw("busy", Site.Busy))
        {
            Say("421 4.3.2 busy");
            await FlushAsync();
            return;
        }

        Say($"220 {Site.Name}.test ESMTP");
        while (await LineAsync() is { } line)
        {
            switch (line.Split(' ', ':')[0].ToUpperInvariant())
            {
                case "EHLO":
                    foreach (var extension in (string[])[Site.Name + ".test", "PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8"]) Say("250-" + extension);
                    Say("250 ENHANCEDSTATUSCODES");
                    break;
                case "HELO" or "RSET" or "NOOP":
                    recipients.Clear();
                    Say("250 2.0.0 Ok");
                    break;
                case "MAIL":
                    began = DateTimeOffset.UtcNow;
                    sender = Path(line);
                    recipients.Clear();
                    Say("250 2.1.0 Ok");
                    break;
                case "RCPT":
                    Say(Recipient(Path(line)));
                    break;
                case "DATA" when recipients.Count == 0:
                    Say("554 5.5.1 no valid recipients");
                    break;
                case "DATA":
                    Say("354 go on");
                    if (await ContentAsync() is not { } content || !await DotAsync(content)) return;
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

    private string Recipient(string address)
    {
        // For good: nobody is refused here who was ever taken.
        if (address[0] == 'x') return "550 5.1.1 no such user";
        sink.Attempt(address);
        if (sink.Draw("defer", Site.Deferred)) return "451 4.3.0 later";
        recipients.Add(address);
        return "250 2.1.5 Ok";
    }

    /// <summary>False = the connection ends here.</summary>
    private async Task<bool> DotAsync(byte[] content)
    {
        var dot = DateTimeOffset.UtcNow;
        if (sink.Draw("cut before", Site.CutBefore)) return false;
        if (recipients.TrueForAll(r => r[0] == 'y'))
        {
            Say("550 5.6.0 not that");
            return true;
        }

        var number = sink.Take(peer, sender, recipients, content, began, dot);
        if (sink.Draw("cut after", Site.CutAfter)) return false;
        // A receiver that is still scanning: the whole session waits, and so does whoever holds it.
        if (sink.Draw("slow", Site.Slow)) await Task.Delay(TimeSpan.FromSeconds(1) + ((Site.Slowest - TimeSpan.FromSeconds(1)) * sink.World.Chance("how slow", number)));
        Say("250 2.0.0 Ok");
        await FlushAsync();
        if (socket.Poll(0, SelectMode.SelectRead) && socket.Available == 0) return false;
        sink.Answered(number);
        return true;
    }

    private static string Path(string line)
    {
        int open = line.IndexOf('<', StringComparison.Ordinal), close = line.IndexOf('>', StringComparison.Ordinal);
        return open >= 0 && close > open ? line[(open + 1)..close] : "";
    }

    private void Say(string line) => replies.Append(line).Append("\r\n");

    private async Task FlushAsync()
    {
        if (replies.Length == 0) return;
        var octets = Encoding.UTF8.GetBytes(replies.ToString());
        replies.Clear();
        await stream.WriteAsync(octets);
    }

    private async Task<string?> LineAsync()
    {
        var scanned = 0;
        while (true)
        {
            var at = buffer.AsSpan(start + scanned, end - start - scanned).IndexOf((byte)'\n');
            if (at >= 0)
            {
                var line = Encoding.UTF8.GetString(buffer, start, scanned + at).TrimEnd('\r');
                start += scanned + at + 1;
                return line;
            }

            scanned = end - start;
            if (!await FillAsync()) return null;
        }
    }

    /// <summary>Content up to the final dot, its dots unstuffed (RFC 5321 §4.5.2); null = the connection ended first.</summary>
    private async Task<byte[]?> ContentAsync()
    {
        var scanned = 0;
        while (true)
        {
            var held = buffer.AsSpan(start, end - start);
            if (held.StartsWith(".\r\n"u8))
            {
                start += 3;
                return [];
            }

            var at = held[scanned..].IndexOf("\r\n.\r\n"u8);
            if (at >= 0)
            {
                var content = Unstuff(held[..(scanned + at + 2)]);
                start += scanned + at + 5;
                return content;
            }

            scanned = Math.Max(0, held.Length - 4);
            if (held.Length > MaxContent || !await FillAsync()) return null;
        }
    }

    private static byte[] Unstuff(ReadOnlySpan<byte> content)
    {
        var result = new byte[content.Length];
        var length = 0;
        while (!content.IsEmpty)
        {
            var line = content[..(content.IndexOf((byte)'\n') + 1)];
            content = content[line.Length..];
            if (line[0] == '.') line = line[1..];
            line.CopyTo(result.AsSpan(length));
            length += line.Length;
        }

        return result[..length];
    }

    private async Task<bool> FillAsync()
    {
        await FlushAsync();
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
        }

        if (end == buffer.Length) Array.Resize(ref buffer, buffer.Length * 2);
        var read = await stream.ReadAsync(buffer.AsMemory(end));
        end += read;
        return read > 0;
    }
}
