using System.Net.Sockets;
using System.Text;

namespace Angarium.Host.Sendmail;

/// <summary>
/// One transaction with the relay's own listener: just enough of an SMTP client for one message from this machine. One thread; gives up after a minute of
/// silence.
/// </summary>
internal sealed class SmtpSubmission(Stream stream) : IDisposable
{
    private const int MaxLine = 4_096;
    private const int MaxLines = 100;
    private readonly StreamReader _reader = new(stream, Encoding.UTF8);

    /// <summary>The last reply, for a person.</summary>
    public string Said { get; private set; } = "";

    public static async Task<SmtpSubmission> ConnectAsync(string host, int port, CancellationToken cancellationToken)
    {
        var client = new TcpClient { NoDelay = true };
        try
        {
            await client.ConnectAsync(host, port, cancellationToken);
            return new SmtpSubmission(client.GetStream());
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>The code that decided: that of the final dot, or the first refusal.</summary>
    public async Task<int> SendAsync(string hostname, string sender, OutgoingMessage message, SendmailArguments arguments, CancellationToken cancellationToken)
    {
        var code = await ReplyAsync(cancellationToken);
        if (code / 100 != 2) return code;
        code = await CommandAsync($"EHLO {hostname}", cancellationToken);
        if (code / 100 != 2) return code;
        var offers = Said;
        bool Offers(string keyword) => offers.Contains(keyword, StringComparison.OrdinalIgnoreCase);

        var utf8 = !Ascii.IsValid(sender) || message.Recipients.Any(recipient => !Ascii.IsValid(recipient)) ? " SMTPUTF8" : "";
        var eightBit = message.IsEightBit && Offers("8BITMIME") ? " BODY=8BITMIME" : "";
        var dsn = Offers("DSN");
        var ret = dsn && arguments.Return is { } full ? $" RET={full}" : "";
        var id = dsn && arguments.EnvelopeId is { } envelope ? $" ENVID={Xtext(envelope)}" : "";
        code = await CommandAsync($"MAIL FROM:<{sender}> SIZE={message.Content.Length}{eightBit}{utf8}{ret}{id}", cancellationToken);
        if (code / 100 != 2) return code;
        foreach (var recipient in message.Recipients)
        {
            code = await CommandAsync($"RCPT TO:<{recipient}>{(dsn && arguments.Notify is { } notify ? $" NOTIFY={notify}" : "")}", cancellationToken);
            // All or none: half a message sent is worse than a clear refusal.
            if (code / 100 != 2) return code;
        }

        code = await CommandAsync("DATA", cancellationToken);
        if (code / 100 != 3) return code;
        await stream.WriteAsync(Stuff(message.Content), cancellationToken);
        await stream.WriteAsync(".\r\n"u8.ToArray(), cancellationToken);
        code = await ReplyAsync(cancellationToken);
        await stream.WriteAsync("QUIT\r\n"u8.ToArray(), cancellationToken);
        return code;
    }

    public void Dispose()
    {
        _reader.Dispose();
        stream.Dispose();
    }

    private async Task<int> CommandAsync(string line, CancellationToken cancellationToken)
    {
        if (line.AsSpan().IndexOfAnyInRange('\0', '\u001f') >= 0) throw new FormatException("an address or option holds a control character");
        await stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\r\n"), cancellationToken);
        return await ReplyAsync(cancellationToken);
    }

    private async Task<int> ReplyAsync(CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        for (var lines = 0; lines < MaxLines; lines++)
        {
            var line = await _reader.ReadLineAsync(cancellationToken) ?? throw new IOException("the relay closed the connection");
            if (line.Length is < 3 or > MaxLine || !int.TryParse(line.AsSpan(0, 3), out var code)) throw new IOException("the relay's reply is not SMTP");
            text.Append(line).Append('\n');
            if (line.Length > 3 && line[3] == '-') continue;
            Said = text.ToString().Trim();
            return code;
        }

        throw new IOException("the relay's reply is too long");
    }

    /// <summary>RFC 5321 §4.5.2: a leading dot is doubled.</summary>
    private static byte[] Stuff(byte[] content)
    {
        using var stuffed = new MemoryStream(content.Length + 64);
        var rest = content.AsSpan();
        while (!rest.IsEmpty)
        {
            if (rest[0] == '.') stuffed.WriteByte((byte)'.');
            var end = rest.IndexOf("\r\n"u8);
            var line = end < 0 ? rest : rest[..(end + 2)];
            stuffed.Write(line);
            rest = rest[line.Length..];
        }

        return stuffed.ToArray();
    }

    /// <summary>RFC 3461 §4: printable ASCII without `+` and `=`, all else as `+XX`.</summary>
    private static string Xtext(string text) =>
        string.Concat(Encoding.UTF8.GetBytes(text).Select(octet => octet is >= 33 and <= 126 and not (byte)'+' and not (byte)'=' ? ((char)octet).ToString() : $"+{octet:X2}"));
}
