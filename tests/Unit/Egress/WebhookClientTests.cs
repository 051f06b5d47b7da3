using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Angarium.Contracts.Webhooks;
using Angarium.Egress.Routing;
using Angarium.Egress.Webhooks;

namespace Angarium.Unit.Egress;

/// <summary>Posts to servers of every kind: whatever they do is an outcome, nothing is followed, and nothing private is reached.</summary>
public sealed class WebhookClientTests
{
    private static readonly FakeNames s_dns = new();

    private static WebhookPost Post(string url, double seconds = 20) => new() { Tenant = "t", Url = url, Body = "{\"a\":1}"u8.ToArray(), Headers = [new("Angarium-Signature", "v1=00")], Timeout = TimeSpan.FromSeconds(seconds) };

    private static WebhookClient Client(bool allowPrivate = true) => new(new WebhookAddresses(s_dns, allowPrivate, () => new HashSet<IPAddress> { IPAddress.Parse("8.8.4.4") }), allowPrivate, TimeProvider.System);

    [Fact]
    public async Task Post_ToAServer_IsWhatItWasToldToBe()
    {
        using var server = new Server("HTTP/1.1 204 No Content\r\n\r\n");
        using var client = Client();
        var outcome = await client.PostAsync(Post($"{server.Url}/hook?x=1"), default);
        Assert.Equal((WebhookEnd.Answered, 204, true), (outcome.End, outcome.Status, outcome.IsTaken));
        var request = Assert.Single(server.Requests);
        Assert.StartsWith("POST /hook?x=1 HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("\r\nContent-Type: application/json\r\n", request, StringComparison.Ordinal);
        Assert.Contains("\r\nAngarium-Signature: v1=00\r\n", request, StringComparison.Ordinal);
        Assert.Contains("\r\nUser-Agent: Angarium-Webhook/1\r\n", request, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n{\"a\":1}", request, StringComparison.Ordinal);
        foreach (var none in new[] { "Cookie", "Authorization", "traceparent", "Accept-Encoding" }) Assert.DoesNotContain(none, request, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task Post_ARedirect_IsNotFollowed(int status)
    {
        using var other = new Server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        using var server = new Server($"HTTP/1.1 {status} Elsewhere\r\nLocation: {other.Url}/\r\nContent-Length: 0\r\n\r\n");
        using var client = Client();
        var outcome = await client.PostAsync(Post(server.Url), default);
        Assert.Equal((WebhookEnd.Answered, status, false), (outcome.End, outcome.Status, outcome.IsTaken));
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task Post_ACookieThatWasSet_IsNotSentBack()
    {
        using var server = new Server("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
        using var client = Client();
        for (var i = 0; i < 2; i++) Assert.True((await client.PostAsync(Post(server.Url), default)).IsTaken);
        Assert.DoesNotContain("cookie", string.Concat(server.Requests), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Post_ToAPrivateAddress_IsRefused_AndNobodyIsConnectedTo()
    {
        using var server = new Server("HTTP/1.1 200 OK\r\n\r\n");
        using var client = Client(allowPrivate: false);
        foreach (var host in new[] { "127.0.0.1", "localhost", "private.test", "[::1]", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]" })
        {
            var outcome = await client.PostAsync(Post($"https://{host}:{server.Port}/"), default);
            Assert.True(outcome.End is WebhookEnd.Refused or WebhookEnd.Unreachable && !outcome.IsTaken, $"{host}: {outcome}");
        }

        var plain = await client.PostAsync(Post($"http://public.test:{server.Port}/"), default);
        Assert.Equal(WebhookEnd.Refused, plain.End);
        Assert.Equal(0, server.Connections);
    }

    [Fact]
    public async Task Post_NoAnswer_EndsInTime()
    {
        using var server = new Server(null);
        using var client = Client();
        var outcome = await client.PostAsync(Post(server.Url, seconds: 0.3), default);
        Assert.Equal(WebhookEnd.Timeout, outcome.End);
        Assert.InRange(outcome.Took, TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Post_Stopped_SaysNothingOfTheWebhook()
    {
        using var server = new Server(null);
        using var client = Client();
        using var stop = new CancellationTokenSource();
        var posting = client.PostAsync(Post(server.Url), stop.Token);
        await server.AskedAsync();
        await stop.CancelAsync();
        Assert.Equal(WebhookEnd.NotPosted, (await posting).End);
    }

    /// <summary>Only the status counts, and little is read to get it.</summary>
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nx", true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense", true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", true)]
    [InlineData("HTTP/1.0 200\r\n\r\n", true)]
    [InlineData("", false)]
    [InlineData("nonsense\r\n\r\n", false)]
    [InlineData("HTTP/1.1 20", false)]
    [InlineData("220 mail.example ESMTP\r\n", false)]
    public async Task Post_WhateverComesBack_IsAnOutcome(string answer, bool isTaken)
    {
        using var server = new Server(answer, closes: true);
        using var client = Client();
        var outcome = await client.PostAsync(Post(server.Url), default);
        Assert.Equal((isTaken ? WebhookEnd.Answered : WebhookEnd.Unreachable, isTaken), (outcome.End, outcome.IsTaken));
    }

    [Fact]
    public async Task Post_AnEndlessHeader_IsBrokenOff()
    {
        using var server = new Server("HTTP/1.1 200 OK\r\nX-Long: " + new string('x', 1 << 20) + "\r\n\r\n");
        using var client = Client();
        Assert.Equal(WebhookEnd.Unreachable, (await client.PostAsync(Post(server.Url), default)).End);
    }

    [Fact]
    public async Task Post_NobodyListens_IsUnreachable()
    {
        var server = new Server(null);
        server.Dispose();
        using var client = Client();
        var outcome = await client.PostAsync(Post(server.Url), default);
        Assert.Equal((WebhookEnd.Unreachable, "it could not be connected to"), (outcome.End, outcome.Detail));
    }

    [Fact]
    public async Task Post_ACertificateThatNobodyVouchesFor_IsNotTrusted()
    {
        using var key = RSA.Create(2048);
        using var made = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
        using var server = new Server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", certificate: certificate);
        using var client = Client();
        var outcome = await client.PostAsync(Post($"https://localhost:{server.Port}/"), default);
        Assert.Equal((WebhookEnd.Unreachable, "it has no certificate that is trusted for its name"), (outcome.End, outcome.Detail));
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("10.1.2.3")]
    [InlineData("100.64.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("172.31.0.1")]
    [InlineData("192.168.1.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("8.8.4.4")]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    [InlineData("[::1]")]
    [InlineData("[::]")]
    [InlineData("[fe80::1]")]
    [InlineData("[fc00::1]")]
    [InlineData("[ff02::1]")]
    [InlineData("[::ffff:8.8.8.8]")]
    [InlineData("[64:ff9b::808:808]")]
    [InlineData("[2002:7f00:1::]")]
    [InlineData("private.test")]
    [InlineData("own.test")]
    [InlineData("alias.test")]
    public async Task Find_WhatIsNotPublic_IsForbidden(string host)
    {
        var addresses = new WebhookAddresses(s_dns, false, () => new HashSet<IPAddress> { IPAddress.Parse("8.8.4.4") });
        Assert.True((await Assert.ThrowsAsync<NoWebhookAddressException>(() => addresses.FindAsync(host, default))).IsForbidden);
        Assert.NotEmpty(await new WebhookAddresses(s_dns, true, () => new HashSet<IPAddress>()).FindAsync(host, default));
    }

    [Fact]
    public async Task Find_OfMany_IsThePublicOnes()
    {
        var addresses = new WebhookAddresses(s_dns, false, () => new HashSet<IPAddress>());
        Assert.Equal([IPAddress.Parse("8.8.8.8"), IPAddress.Parse("2001:4860:4860::8888")], await addresses.FindAsync("mixed.test", default));
        Assert.Equal(WebhookAddresses.Most, (await addresses.FindAsync("many.test", default)).Count);
        foreach (var host in new[] { "none.test", "trouble.test", "not a name", "loop.test" })
            Assert.False((await Assert.ThrowsAsync<NoWebhookAddressException>(() => addresses.FindAsync(host, default))).IsForbidden);
    }

    private sealed class FakeNames : IDnsSource
    {
        public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken) => Task.FromResult((name, kind) switch
        {
            ("private.test", DnsKind.A) => Of("10.0.0.1"),
            ("private.test", DnsKind.Aaaa) => Of("fd00::1"),
            ("own.test", DnsKind.A) => Of("8.8.4.4"),
            ("alias.test", _) => new DnsAnswer { Alias = "private.test" },
            ("loop.test", _) => new DnsAnswer { Alias = "loop.test" },
            ("mixed.test", DnsKind.A) => Of("127.0.0.1", "8.8.8.8"),
            ("mixed.test", DnsKind.Aaaa) => Of("::1", "2001:4860:4860::8888"),
            ("public.test", DnsKind.A) => Of("8.8.8.8"),
            ("many.test", DnsKind.A) => Of([.. Enumerable.Range(1, 30).Select(i => $"8.8.8.{i}")]),
            ("trouble.test", _) => DnsAnswer.Trouble("no"),
            _ => new DnsAnswer(),
        });

        public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<IPAddress>>(name == "localhost" ? [IPAddress.Loopback] : []);

        private static DnsAnswer Of(params string[] addresses) => new() { Addresses = [.. addresses.Select(IPAddress.Parse)] };
    }

    /// <summary>Gives every request the same octets.</summary>
    private sealed class Server : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly byte[]? _answer;
        private readonly bool _closes;
        private readonly X509Certificate2? _certificate;
        private int _connections;

        public Server(string? answer, bool closes = false, X509Certificate2? certificate = null)
        {
            (_answer, _closes, _certificate) = (answer is null ? null : Encoding.ASCII.GetBytes(answer), closes, certificate);
            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _ = AcceptAsync();
        }

        public int Port { get; }

        public string Url => $"http://127.0.0.1:{Port}";

        public int Connections => Volatile.Read(ref _connections);

        public ConcurrentQueue<string> Requests { get; } = new();

        public Task AskedAsync() => _asked.Task.WaitAsync(TimeSpan.FromSeconds(20));

        public void Dispose() => _listener.Stop();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var client = await _listener.AcceptTcpClientAsync();
                    Interlocked.Increment(ref _connections);
                    _ = ServeAsync(client);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using var connection = client;
            try
            {
                Stream stream = client.GetStream();
                if (_certificate is not null)
                {
                    var tls = new SslStream(stream);
                    await tls.AuthenticateAsServerAsync(_certificate);
                    stream = tls;
                }

                var buffer = new byte[64 << 10];
                while (true)
                {
                    var text = "";
                    while (!text.EndsWith("{\"a\":1}", StringComparison.Ordinal))
                    {
                        var got = await stream.ReadAsync(buffer);
                        if (got == 0) return;
                        text += Encoding.ASCII.GetString(buffer, 0, got);
                    }

                    Requests.Enqueue(text);
                    _asked.TrySetResult();
                    if (_answer is not null) await stream.WriteAsync(_answer);
                    else if (await stream.ReadAsync(buffer) == 0) return;
                    if (_closes) return;
                }
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
            {
                // The client went away.
            }
        }
    }
}
