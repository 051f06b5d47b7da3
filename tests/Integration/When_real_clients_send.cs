using System.Security.Cryptography;
using System.Text;
using Angarium.Integration.Harness;
using MailKit.Security;
using MimeKit;

namespace Angarium.Integration;

/// <summary>One relay, a scripted sink as next hop, and the clients that people use.</summary>
public sealed class When_real_clients_send : IAsyncLifetime
{
    private readonly Sink sink = new();
    private Relay relay = null!;

    public async ValueTask InitializeAsync() => relay = await new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}" }).StartAsync();

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Fact]
    public async Task Should_take_and_deliver_from_swaks()
    {
        var (code, output) = await Child.RunAsync("swaks",
            ["--server", $"127.0.0.1:{relay.SmtpPort}", "--from", "a@sender.test", "--to", "b@one.test,c@two.test", "--header", "Subject: from swaks", "--body", "hello"], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        var queued = output.Split('\n').Single(l => l.Contains("queued as", StringComparison.Ordinal));
        Assert.Matches("250 2.0.0 .*queued as [a-z2-7]{23}", queued);

        var all = await sink.CountAsync(2);
        Assert.Equal(["b@one.test", "c@two.test"], all.SelectMany(r => r.Recipients).Order());
        Assert.All(all, r => Assert.Contains("relay.test", r.Header("Received"), StringComparison.Ordinal));
        // The id that the client was told is the one in the trace field.
        Assert.All(all, r => Assert.Contains(queued[^23..].Trim(), r.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Should_take_and_deliver_from_smtplib()
    {
        const string script = """
            import smtplib, sys
            s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), timeout=30)
            refused = s.sendmail('a@sender.test', ['b@one.test', 'c@one.test'], b'Subject: from smtplib\r\n\r\n.leading dot\r\n..two\r\n')
            assert refused == {}, refused
            s.quit()
            """;
        var (code, output) = await Child.RunAsync("python3", ["-c", script, $"{relay.SmtpPort}"], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        var message = Assert.Single(await sink.CountAsync(1));
        // One message, one domain: one transaction for both recipients.
        Assert.Equal(["b@one.test", "c@one.test"], message.Recipients.Order());
        Assert.EndsWith("\r\n\r\n.leading dot\r\n..two\r\n", message.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_take_and_deliver_from_MailKit()
    {
        using var client = new MailKit.Net.Smtp.SmtpClient();
        await client.ConnectAsync("127.0.0.1", relay.SmtpPort, SecureSocketOptions.None);
        using var message = new MimeMessage();
        message.From.Add(new MailboxAddress("Ä", "a@sender.test"));
        message.To.Add(new MailboxAddress("Ü", "b@one.test"));
        message.Subject = "Grüße aus MailKit";
        message.Body = new Multipart("mixed") { new TextPart("plain") { Text = "ä ö ü ß € 漢字" }, new MimePart("application", "octet-stream") { Content = new MimeContent(new MemoryStream(RandomNumberGenerator.GetBytes(200_000))), ContentTransferEncoding = ContentEncoding.Base64 } };
        await client.SendAsync(message);
        await client.DisconnectAsync(true);

        var got = Assert.Single(await sink.CountAsync(1));
        using var back = await MimeMessage.LoadAsync(new MemoryStream(got.Content));
        Assert.Equal("Grüße aus MailKit", back.Subject);
        Assert.Equal("ä ö ü ß € 漢字", back.TextBody?.TrimEnd());
    }

    [Fact]
    public async Task Should_relay_every_octet_below_the_trace_fields()
    {
        var corpus = new List<byte[]>
        {
            Encoding.ASCII.GetBytes("Subject: dots\r\n\r\n.\u002e\r\n..\r\n...\r\n.a\r\n"),
            Encoding.Latin1.GetBytes("Subject: eight bit\r\n\r\n" + string.Concat(Enumerable.Range(128, 128).Select(i => (char)i)) + "\r\n"),
            Encoding.ASCII.GetBytes("Subject: long line\r\n\r\n" + new string('x', 998) + "\r\n" + new string('.', 998) + "\r\n"),
            Encoding.ASCII.GetBytes("Subject: blank endings\r\n\r\n  \r\n\t\r\n\r\n\r\n\r\n"),
            Encoding.ASCII.GetBytes("Subject: no body\r\n\r\n"),
            Encoding.ASCII.GetBytes("no header at all\r\n"),
            Encoding.ASCII.GetBytes("Subject: folded\r\n and folded\r\n\tagain\r\nX: \r\n\r\nbody\r\n"),
            Encoding.ASCII.GetBytes("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n.\u002e\r\n--b--\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--a--\r\n"),
        };
        var random = new Random(42);
        for (var i = 0; i < 40; i++)
        {
            // Lines of any octets but CR, LF and NUL, many of them beginning with dots.
            using var body = new MemoryStream();
            body.Write(Encoding.ASCII.GetBytes($"Subject: random {i}\r\n\r\n"));
            for (var line = random.Next(1, 400); line > 0; line--)
            {
                var octets = new byte[random.Next(0, 990)];
                random.NextBytes(octets);
                for (var j = 0; j < octets.Length; j++) if (octets[j] is 0 or 10 or 13 || (j < 3 && random.Next(4) == 0)) octets[j] = (byte)'.';
                body.Write(octets);
                body.Write("\r\n"u8);
            }

            corpus.Add(body.ToArray());
        }

        // Over the bound for memory: the scratch file's way.
        using var large = new MemoryStream();
        large.Write("Subject: large\r\n\r\n"u8);
        while (large.Length < 9_000_000) large.Write(Encoding.ASCII.GetBytes("." + Convert.ToBase64String(RandomNumberGenerator.GetBytes(54)) + "\r\n"));
        corpus.Add(large.ToArray());

        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO corpus.test");
        for (var i = 0; i < corpus.Count; i++)
        {
            Assert.StartsWith("250", await client.CommandAsync("MAIL FROM:<a@sender.test> BODY=8BITMIME"));
            Assert.StartsWith("250", await client.CommandAsync($"RCPT TO:<n{i}@one.test>"));
            // Every other message by BDAT, in odd pieces.
            if (i % 2 == 0)
            {
                Assert.StartsWith("354", await client.CommandAsync("DATA"));
                await client.SendAsync(Stuff(corpus[i]));
            }
            else
            {
                for (var at = 0; at < corpus[i].Length;)
                {
                    var piece = Math.Min(random.Next(1, 70_000), corpus[i].Length - at);
                    await client.SendAsync($"BDAT {piece}{(at + piece == corpus[i].Length ? " LAST" : "")}\r\n");
                    await client.SendAsync(corpus[i][at..(at + piece)]);
                    at += piece;
                    if (at < corpus[i].Length) Assert.StartsWith("250", await client.ReplyAsync());
                }
            }

            Assert.StartsWith("250 2.0.0", await client.ReplyAsync());
        }

        var all = await sink.CountAsync(corpus.Count, 120);
        foreach (var got in all)
        {
            var index = int.Parse(got.Recipients[0].AsSpan(1, got.Recipients[0].IndexOf('@', StringComparison.Ordinal) - 1), System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(got.Content.AsSpan().EndsWith(corpus[index]), $"message {index} changed on its way");
            // What was put above it is one Received field, folded.
            var above = Encoding.ASCII.GetString(got.Content, 0, got.Content.Length - corpus[index].Length);
            Assert.StartsWith("Received: ", above);
            Assert.All(above.TrimEnd().Split("\r\n")[1..], l => Assert.True(l[0] is ' ' or '\t', above));
        }
    }

    [Fact]
    public async Task Should_deliver_all_of_ten_thousand_from_smtp_source()
    {
        var (code, output) = await Child.RunAsync("smtp-source",
            ["-s", "20", "-m", "10000", "-l", "4096", "-N", "-f", "a@sender.test", "-t", "b@one.test", $"127.0.0.1:{relay.SmtpPort}"], TimeSpan.FromSeconds(120));
        Assert.True(code == 0, output);
        var all = await sink.CountAsync(10_000, 120);
        // -N numbers the recipients: each arrives once.
        Assert.Equal(10_000, all.SelectMany(r => r.Recipients).Distinct().Count());
        Assert.Equal(10_000, all.Count);
        Assert.Equal(0, await relay.MetricAsync("angarium_possible_duplicates_total"));
    }

    private static byte[] Stuff(byte[] content)
    {
        var text = Encoding.Latin1.GetString(content).Replace("\r\n.", "\r\n..", StringComparison.Ordinal);
        return Encoding.Latin1.GetBytes((text[0] == '.' ? "." : "") + text + ".\r\n");
    }
}
