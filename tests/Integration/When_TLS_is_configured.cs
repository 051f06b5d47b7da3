using System.Security.Cryptography.X509Certificates;
using Angarium.Integration.Harness;
using MailKit.Security;
using MimeKit;

namespace Angarium.Integration;

/// <summary>Certificates made by openssl, as people make them; validated by the clients that people use.</summary>
public sealed class When_TLS_is_configured : IAsyncLifetime
{
    private readonly Sink sink = new();
    private readonly int implicitPort = Ports.Free();
    private Relay relay = null!;

    public async ValueTask InitializeAsync()
    {
        relay = new Relay(new() { ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Ingress:Smtps:Listen"] = $"127.0.0.1:{implicitPort}" });
        await CertifyAsync("first");
        relay.Set("Tls:Certificate", PathOf("cert.pem"));
        relay.Set("Tls:Key", PathOf("key.pem"));
        await relay.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Should_take_mail_over_STARTTLS_and_implicit_TLS(bool implicitTls)
    {
        using var client = new MailKit.Net.Smtp.SmtpClient { ServerCertificateValidationCallback = (_, certificate, _, _) => certificate!.Subject.Contains("first", StringComparison.Ordinal) };
        await client.ConnectAsync("127.0.0.1", implicitTls ? implicitPort : relay.SmtpPort, implicitTls ? SecureSocketOptions.SslOnConnect : SecureSocketOptions.StartTls);
        Assert.True(client.IsSecure);
        using var message = new MimeMessage { Subject = "over TLS", Body = new TextPart("plain") { Text = "x" } };
        message.From.Add(MailboxAddress.Parse("a@sender.test"));
        message.To.Add(MailboxAddress.Parse("b@one.test"));
        await client.SendAsync(message);
        await client.DisconnectAsync(true);
        var got = Assert.Single(await sink.CountAsync(1));
        // RFC 3848: the protocol of the trace field says that TLS was used.
        Assert.Contains("ESMTPS", got.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_not_let_what_came_before_TLS_survive_it()
    {
        using var client = await Client.ConnectAsync(relay.SmtpPort);
        await client.ReplyAsync();
        Assert.Contains("STARTTLS", await client.CommandAsync("EHLO client.test"), StringComparison.Ordinal);
        // The class of CVE-2011-0411: a command in the same packet as STARTTLS.
        await client.SendAsync("STARTTLS\r\nMAIL FROM:<injected@attacker.test>\r\n");
        var reply = await client.ReplyAsync();
        Assert.True(reply.Length == 0 || reply.StartsWith("554", StringComparison.Ordinal), reply);
        Assert.Equal("", await client.ReplyAsync());
    }

    [Fact]
    public async Task Should_take_over_a_renewed_certificate_and_keep_the_old_when_the_new_is_bad()
    {
        Assert.Contains("first", await SubjectAsync(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(PathOf("cert.pem"), "not a certificate");
        await relay.Process!.LineAsync(l => l.Contains("cert.pem cannot be used, the old one stays", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "line about the bad certificate");
        Assert.Contains("first", await SubjectAsync(), StringComparison.Ordinal);

        await CertifyAsync("second");
        for (var tries = 0; !(await SubjectAsync()).Contains("second", StringComparison.Ordinal); tries++)
        {
            Assert.True(tries < 300, "the renewed certificate was never taken over");
            await Task.Delay(100);
        }
    }

    private string PathOf(string name) => Path.Combine(relay.Folder, name);

    private async Task CertifyAsync(string name)
    {
        var (code, output) = await Child.RunAsync("openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", $"/CN={name}.relay.test", "-addext", "subjectAltName=DNS:relay.test",
                "-keyout", PathOf("key.new"), "-out", PathOf("cert.new")], TimeSpan.FromSeconds(30));
        Assert.True(code == 0, output);
        File.Move(PathOf("key.new"), PathOf("key.pem"), overwrite: true);
        File.Move(PathOf("cert.new"), PathOf("cert.pem"), overwrite: true);
    }

    private async Task<string> SubjectAsync()
    {
        using var client = new MailKit.Net.Smtp.SmtpClient();
        var subject = "";
        client.ServerCertificateValidationCallback = (_, certificate, _, _) =>
        {
            subject = new X509Certificate2(certificate!).Subject;
            return true;
        };
        await client.ConnectAsync("127.0.0.1", relay.SmtpPort, SecureSocketOptions.StartTls);
        await client.DisconnectAsync(true);
        return subject;
    }
}
