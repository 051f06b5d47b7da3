using System.Net.Http.Headers;
using System.Text;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Odd messages through the whole relay, over SMTP and HTTP: what arrives is what was sent below what was put on top, and others' verifiers find both signatures good.</summary>
public sealed class When_messages_are_signed : IAsyncLifetime
{
    private const string Head = "From: \"Acme, Inc.\" <me@acme.test>\r\nTo: you@elsewhere.test\r\nDate: Sat, 28 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@acme.test>\r\n";

    private static readonly (string Name, byte[] Content)[] s_corpus =
    [
        .. new (string Name, string Content)[]
        {
            ("plain", Head + "Subject: hello\r\n\r\nbody\r\n"),
            ("folded", "From:\r\n \"Acme,\r\n\t Inc.\"\r\n  <me@acme.test>\r\nTO:you@elsewhere.test\r\nSubject:  many   spaces \t and\r\n\t  folds  \r\nDate: Sat, 28 Nov 2026 00:00:00 +0000\r\nmessage-id:<1@acme.test>\r\nX-Empty:\r\nX-Space: \r\n\r\nbody\r\n"),
            ("no body", Head + "Subject: hello\r\n\r\n"),
            ("no body and no end of the header", Head + "Subject: hello\r\n"),
            ("empty lines at the end", Head + "Subject: hello\r\n\r\nbody\r\n\r\n\r\n\r\n"),
            ("nothing but empty lines", Head + "\r\n\r\n\r\n\r\n"),
            ("spaces at the ends of lines", Head + "\r\n  leading \t and   inner  \t\r\n \t \r\nlast\t \r\n \r\n"),
            ("dots", Head + "\r\n.\r\n..\r\n.leading\r\nend.\r\n"),
            ("no end of line", Head + "\r\nbody without an end"),
            ("fields that come twice", Head + "Received: from a by b; Sat, 28 Nov 2026 00:00:00 +0000\r\nReceived: from c by a; Fri, 27 Nov 2026 00:00:00 +0000\r\nSubject: one\r\nSubject: two\r\nX-A: 1\r\nX-A: 2\r\n\r\nbody\r\n"),
            ("signed by another", "DKIM-Signature: v=1; a=rsa-sha256; d=other.test; s=a; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n" + Head + "\r\nbody\r\n"),
            ("nothing but From", "From: me@acme.test\r\n\r\nbody\r\n"),
            ("8-bit header and body", Head + "Subject: Gr\u00C3\u00BC\u00C3\u009Fe\r\n\r\n\u00E9\u00FF\u0080 \u00C3\u00A9\r\n"),
            ("control characters", Head + "Subject: \u0001\u007F\r\n\r\n\u0001\u0002\t\u001B[0m\r\n"),
            ("long lines", Head + "X-Long: " + new string('x', 900) + "\r\n\r\n" + new string('y', 998) + "\r\n"),
            ("many fields", Head + string.Concat(Enumerable.Range(0, 500).Select(i => $"X-Field-{i}: {i}\r\n")) + "\r\nbody\r\n"),
        }.Select(one => (one.Name, Encoding.Latin1.GetBytes(one.Content))),
        ("10 MiB", Large()),
    ];

    private Tenancy all = null!;
    private Onboarded tenant = null!;

    public async ValueTask InitializeAsync()
    {
        all = await Tenancy.StartAsync();
        tenant = await all.VerifiedAsync("acme.test");
    }

    public ValueTask DisposeAsync() => all.DisposeAsync();

    [Fact]
    public async Task Should_verify_after_the_whole_way_over_SMTP()
    {
        using var client = await Client.ConnectAsync(all.SubmissionPort);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.test");
        await client.StartTlsAsync("relay.test");
        await client.CommandAsync("EHLO client.test");
        Assert.StartsWith("235", await client.CommandAsync("AUTH PLAIN " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0{tenant.User}\0{tenant.Password}"))), StringComparison.Ordinal);
        foreach (var (name, content) in s_corpus)
        {
            // The end of its last line is part of the final dot.
            var text = Encoding.Latin1.GetString(content);
            var reply = await client.TransactionAsync("me@acme.test", ["you@elsewhere.test"], text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text);
            Assert.True(reply.StartsWith("250", StringComparison.Ordinal), $"{name}: {reply}");
            await VerifyAsync(name, text.EndsWith("\r\n", StringComparison.Ordinal) ? content : [.. content, .. "\r\n"u8]);
        }
    }

    [Fact]
    public async Task Should_verify_after_the_whole_way_over_HTTP()
    {
        using var http = all.HttpOf(tenant.Key);
        foreach (var (name, content) in s_corpus.Where(one => one.Content[^1] == '\n'))
        {
            using var body = new ByteArrayContent(content);
            body.Headers.ContentType = new MediaTypeHeaderValue("message/rfc822");
            using var sent = await http.PostAsync(new Uri("/v1/messages?from=me@acme.test&to=you@elsewhere.test", UriKind.Relative), body);
            Assert.True((int)sent.StatusCode == 202, $"{name}: {await sent.Content.ReadAsStringAsync()}");
            await VerifyAsync(name, content);
        }
    }

    private int taken;

    private async Task VerifyAsync(string name, byte[] content)
    {
        var got = (await all.Sink.CountAsync(++taken))[^1].Content;
        Assert.True(got.AsSpan().EndsWith(content), $"{name}: what was sent is not what arrived");
        var foreign = Encoding.Latin1.GetString(content).Split("d=other.test").Length - 1;
        Assert.Equal((name, (foreign + 2, 2)), (name, await DkimVerifier.VerifyAsync(got, tenant.Zone)));
        if (foreign == 0) Assert.Equal((name, null), (name, await DkimVerifier.OpenDkimAsync(got, tenant.Zone)));
    }

    private static byte[] Large()
    {
        var line = Encoding.ASCII.GetBytes(new string('z', 76) + "\r\n");
        var content = new byte[(10 << 20) / line.Length * line.Length];
        for (var at = 0; at < content.Length; at += line.Length) line.CopyTo(content, at);
        return [.. Encoding.ASCII.GetBytes(Head + "Subject: large\r\n\r\n"), .. content];
    }
}
