using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.TestKit.Peers;

namespace Angarium.Unit.Egress;

/// <summary>TLS and logins towards receivers: hoped for, required, implicit, refused, tampered with. No credential ever leaves without a validated certificate.</summary>
public sealed class TlsOutwardTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("angarium-tls-").FullName;
    private readonly X509Certificate2 certificate = Issue("localhost");

    public void Dispose()
    {
        certificate.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task StartTls_Offered_IsUsedAlthoughNobodyVouchesForTheCertificate()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(hop: $"localhost:{peer.EndPoint.Port}");
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync("STARTTLS", "AUTH PLAIN");
        await connection.HearAsync("STARTTLS");
        await connection.SayAsync("220 go");
        await connection.StartTlsAsync(certificate);
        // RFC 3207 §4.2: what was learned before is forgotten; the peer is asked again.
        await connection.HelloAsync();
        await TakeAsync(connection);
        var outcome = await world.OutcomeAsync();
        Assert.Equal(OutcomeKind.Delivered, outcome.Kind);
        Assert.EndsWith(" unvalidated", outcome.Tls, StringComparison.Ordinal);
    }

    /// <summary>A peer's certificate says where its issuer's is to be had: an address of the peer's choice, that nobody has checked.</summary>
    [Fact]
    public async Task StartTls_CertificateNamesAnAddressOfItsIssuer_NobodyCallsThere()
    {
        using var issuer = new TcpListener(IPAddress.Loopback, 0);
        issuer.Start();
        using var leaf = IssueBy($"http://127.0.0.1:{((IPEndPoint)issuer.LocalEndpoint).Port}/issuer.crt");
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(hop: $"localhost:{peer.EndPoint.Port}");
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync("STARTTLS");
        await connection.HearAsync("STARTTLS");
        await connection.SayAsync("220 go");
        await connection.StartTlsAsync(leaf);
        await connection.HelloAsync();
        await TakeAsync(connection);
        Assert.Equal(OutcomeKind.Delivered, (await world.OutcomeAsync()).Kind);
        Assert.False(issuer.Pending());
    }

    /// <summary>RFC 7435: TLS that was only hoped for must not cost the delivery.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task StartTls_Fails_TheMessageGoesInPlaintextOnANewConnection(bool injected)
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(hop: $"localhost:{peer.EndPoint.Port}");
        world.Mail("a@example.net");
        await world.StartAsync();
        using (var first = await peer.GreetAsync("STARTTLS"))
        {
            await first.HearAsync("STARTTLS");
            await first.SayAsync(injected ? ["220 go", "250 AUTH PLAIN"] : ["220 go"]);
            if (!injected)
            {
                await first.HearAnythingAsync();
                await first.SayAsync("this is no TLS");
            }

            await first.DrainAsync();
            Assert.DoesNotContain("MAIL", first.Heard.ToString(), StringComparison.Ordinal);
        }

        if (injected)
        {
            // Somebody tampers with the connection: no second one without protection against him would be better, and the host is let alone.
            Assert.Contains("plaintext after its reply to STARTTLS", (await world.ReportAsync(SessionEvent.ConnectFailed)).Reply!.Text, StringComparison.Ordinal);
            return;
        }

        using var second = await peer.GreetAsync("STARTTLS");
        await TakeAsync(second);
        var outcome = await world.OutcomeAsync();
        Assert.Equal((OutcomeKind.Delivered, null), (outcome.Kind, outcome.Tls));
    }

    /// <summary>A route that requires TLS sends nothing when there is none, or none to trust; no message is touched.</summary>
    [Theory]
    [InlineData("not offered", "does not offer the TLS")]
    [InlineData("not trusted", "the certificate is not trusted")]
    [InlineData("another name", "the certificate is not trusted")]
    [InlineData("stripped", "does not offer the TLS")]
    public async Task Required_WithoutTrust_SendsNothing(string how, string words)
    {
        using var peer = new LivePeer();
        using var other = Issue("other.test");
        var hop = $"smtp://localhost:{peer.EndPoint.Port}?tls=required" + (how == "another name" ? "&ca=" + Write("ca.pem", other.ExportCertificatePem()) : "");
        await using var world = new WorkerUnderTest(hop: hop);
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync(how == "not offered" ? [] : ["STARTTLS"]);
        if (how == "stripped")
        {
            await connection.HearAsync("STARTTLS");
            await connection.SayAsync("454 4.7.0 TLS not available");
        }
        else if (how != "not offered")
        {
            await connection.HearAsync("STARTTLS");
            await connection.SayAsync("220 go");
            var handshake = connection.StartTlsAsync(how == "another name" ? other : certificate);
            await Task.WhenAny(handshake);
        }

        var failed = await world.ReportAsync(SessionEvent.ConnectFailed);
        Assert.Contains(words, failed.Reply!.Text, StringComparison.Ordinal);
        Assert.Equal(451, failed.Reply.Code);
        Assert.Empty(world.Exchanges);
        Assert.DoesNotContain("MAIL", connection.Heard.ToString(), StringComparison.Ordinal);
    }

    /// <summary>A smart host: TLS from the first octet or after STARTTLS, a certificate that a named authority vouches for, and the login of a file (RFC 4616; AUTH LOGIN for old ones).</summary>
    [Theory]
    [InlineData(true, "AUTH PLAIN LOGIN")]
    [InlineData(false, "AUTH PLAIN")]
    [InlineData(false, "AUTH LOGIN")]
    public async Task SmartHost_Trusted_IsLoggedInTo(bool isImplicit, string mechanisms)
    {
        using var peer = new LivePeer();
        var hop = $"{(isImplicit ? "smtps" : "smtp")}://localhost:{peer.EndPoint.Port}?login={Write("login", "us er\npäss word\n")}&ca={Write("ca.pem", certificate.ExportCertificatePem())}";
        await using var world = new WorkerUnderTest(hop: hop);
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.AcceptAsync();
        if (isImplicit)
        {
            await connection.StartTlsAsync(certificate);
            await connection.SayAsync("220 peer.test");
        }
        else
        {
            await connection.SayAsync("220 peer.test");
            await connection.HelloAsync("STARTTLS");
            await connection.HearAsync("STARTTLS");
            await connection.SayAsync("220 go");
            await connection.StartTlsAsync(certificate);
        }

        await connection.HelloAsync(mechanisms);
        if (mechanisms == "AUTH LOGIN")
        {
            await connection.HearAsync("AUTH LOGIN");
            await connection.SayAsync("334 VXNlcm5hbWU6");
            Assert.Equal("us er", Decode(await connection.LineAsync()));
            await connection.SayAsync("334 UGFzc3dvcmQ6");
            Assert.Equal("päss word", Decode(await connection.LineAsync()));
        }
        else
        {
            Assert.Equal("\0us er\0päss word", Decode((await connection.HearAsync("AUTH PLAIN "))[11..]));
        }

        await connection.SayAsync("235 2.7.0 welcome");
        await TakeAsync(connection);
        var outcome = await world.OutcomeAsync();
        Assert.Equal(OutcomeKind.Delivered, outcome.Kind);
        Assert.EndsWith(" validated", outcome.Tls, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("535 5.7.8 wrong password", "5.7.8 wrong password")]
    [InlineData("454 4.7.0 later", "4.7.0 later")]
    [InlineData(null, "offers neither AUTH PLAIN nor LOGIN")]
    public async Task SmartHost_RefusesTheLogin_RestsAndNoMessageIsTouched(string? reply, string words)
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(hop: $"smtps://localhost:{peer.EndPoint.Port}?login={Write("login", "user\nsecret\n")}&ca={Write("ca.pem", certificate.ExportCertificatePem())}");
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.AcceptAsync();
        await connection.StartTlsAsync(certificate);
        await connection.SayAsync("220 peer.test");
        await connection.HelloAsync(reply is null ? [] : ["AUTH PLAIN"]);
        if (reply is not null)
        {
            await connection.HearAsync("AUTH PLAIN ");
            await connection.SayAsync(reply);
        }

        var failed = await world.ReportAsync(SessionEvent.ConnectFailed);
        Assert.Equal(451, failed.Reply!.Code / 100 == 4 ? 451 : failed.Reply.Code);
        Assert.Contains(words, failed.Reply.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failed.Reply.ToString(), StringComparison.Ordinal);
        Assert.Empty(world.Exchanges);
    }

    private static async Task TakeAsync(LiveConnection connection)
    {
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await connection.SayAsync("250 2.0.0 kept");
    }

    private static string Decode(string? base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64!));

    private string Write(string name, string text)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static X509Certificate2 IssueBy(string issuersAddress)
    {
        using var issuer = Issue("issuer.test");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(null, [issuersAddress]));
        using var certificate = request.Create(issuer, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1), [1, 2, 3]);
        return certificate.CopyWithPrivateKey(key);
    }

    private static X509Certificate2 Issue(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
    }
}
