using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Angarium.Api.Problems;
using Angarium.Grains.Tenants;
using Angarium.Grains.Webhooks;
using Angarium.Mail;
using Angarium.Spool.Events;
using Angarium.Spool.Ledger;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>What is posted: the feed's events, under an id that is theirs, signed so that anybody with the secret can tell.</summary>
public sealed class WebhookRequestTests : IDisposable
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 28, 1, 2, 3, TimeSpan.Zero);

    private readonly MasterKey _master = new(new byte[32]);

    public void Dispose() => _master.Dispose();

    /// <summary>As `printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test` says.</summary>
    [Fact]
    public void Signature_IsHmacOfTimeAndBody() =>
        Assert.Equal("v1=" + Convert.ToHexStringLower(HMACSHA256.HashData("whsec_test"u8, "1700000000.{}"u8)), WebhookRequest.Signature("whsec_test"u8.ToArray(), "1700000000", "{}"u8));

    [Fact]
    public void Sign_AfterARotation_SignsWithBothForADay()
    {
        var (old, sealedOld) = WebhookRequest.NewSecret("t1", "w1", _master);
        var (secret, sealedSecret) = WebhookRequest.NewSecret("t1", "w1", _master);
        Assert.StartsWith("whsec_", secret, StringComparison.Ordinal);
        Assert.NotEqual(old, secret);
        var webhook = new TenantWebhook { Id = "w1", Url = "https://example.org/", Secret = sealedSecret, OldSecret = sealedOld, OldSecretUntil = s_now.AddHours(24) };
        var batch = new WebhookBatch("b1", "{}"u8.ToArray());
        var post = WebhookRequest.Sign("t1", webhook, batch, s_now, _master, TimeSpan.FromSeconds(10), isSlow: false);
        var headers = post.Headers.ToDictionary(h => h.Name, h => h.Value);
        var signed = Encoding.UTF8.GetBytes($"{s_now.ToUnixTimeSeconds()}.{{}}");
        string Of(string with) => "v1=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(with), signed));
        Assert.Equal(("w1", "b1", $"{s_now.ToUnixTimeSeconds()}", $"{Of(secret)},{Of(old)}"), (headers["Angarium-Webhook-Id"], headers["Angarium-Batch-Id"], headers["Angarium-Timestamp"], headers["Angarium-Signature"]));
        var later = WebhookRequest.Sign("t1", webhook, batch, s_now.AddHours(24), _master, TimeSpan.FromSeconds(10), isSlow: false);
        Assert.DoesNotContain(',', later.Headers.Single(h => h.Name == "Angarium-Signature").Value);
        // What is in a log, whoever writes it.
        Assert.DoesNotContain("example.org", post.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Sign_WithAnotherTenantsSecret_IsImpossible()
    {
        var (_, stolen) = WebhookRequest.NewSecret("t1", "w1", _master);
        var webhook = new TenantWebhook { Id = "w1", Url = "https://example.org/", Secret = stolen };
        Assert.Throws<InvalidDataException>(() => WebhookRequest.Sign("t2", webhook, new WebhookBatch("b", []), s_now, _master, default, isSlow: false));
        Assert.Throws<InvalidDataException>(() => WebhookRequest.Sign("t1", webhook with { Id = "w2" }, new WebhookBatch("b", []), s_now, _master, default, isSlow: false));
    }

    [Fact]
    public void Batch_ItsEvents_AreThoseOfTheFeedToTheOctet()
    {
        var record = new PlacedRecord(new LedgerStream(7, 2), 512, 3, new LedgerRecord
        {
            Key = new RecipientKey(1, 2, 3), Kind = LedgerKind.Delivered, Time = new StoreTime(1_800_000_000_123), Attempt = 1, Remote = "mx.example <&>", Tls = "TLS 1.3",
            Reply = new Reply(250, new EnhancedStatus(2, 0, 0), "Zoë said \"ok\" + more"),
            Summary = new EnvelopeSummary { Message = new MessageId(new RecipientKey(1, 2, 0)), ReversePath = "a@b.test", Recipient = "\u00fc@c.test", Tenant = "t1", Accepted = new StoreTime(1_800_000_000_000), Size = 17 },
        });
        EventLine[] lines = [.. EventLine.Of(record)];
        Assert.Equal(["accepted", "delivered"], lines.Select(l => l.Type));
        Assert.Equal(EventBody.Of(record).Select(one => JsonSerializer.Serialize(one, Body.Json)), lines.Select(l => Encoding.UTF8.GetString(l.Json)));
        var batch = WebhookBatch.Of("t1", "w1", lines, s_now);
        using var parsed = JsonDocument.Parse(batch.Body);
        Assert.Equal((batch.Id, "w1", "t1", s_now), (parsed.RootElement.GetProperty("id").GetString(), parsed.RootElement.GetProperty("webhook").GetString(), parsed.RootElement.GetProperty("tenant").GetString(), parsed.RootElement.GetProperty("time").GetDateTimeOffset()));
        Assert.Equal(lines.Select(l => Encoding.UTF8.GetString(l.Json)), parsed.RootElement.GetProperty("events").EnumerateArray().Select(e => e.GetRawText()));
        // The same events have the same id, at any time; others another.
        Assert.Equal(batch.Id, WebhookBatch.Of("t1", "w1", lines, s_now.AddDays(1)).Id);
        Assert.NotEqual(batch.Id, WebhookBatch.Of("t1", "w1", lines[..1], s_now).Id);
        Assert.NotEqual(batch.Id, WebhookBatch.Of("t1", "w2", lines, s_now).Id);
    }

    [Theory]
    [InlineData("https://example.org/events?a=b")]
    [InlineData("https://example.org:8443/")]
    [InlineData("https://[2001:4860::1]/x")]
    [InlineData("https://203.0.113.1")]
    public void Url_Proper_IsTaken(string url)
    {
        Assert.Null(WebhookUrl.Mistake(url, allowsPlain: false));
        Assert.Null(WebhookUrl.Mistake("http" + url[5..], allowsPlain: true));
        Assert.NotNull(WebhookUrl.Mistake("http" + url[5..], allowsPlain: false));
    }

    [Theory]
    [InlineData("")]
    [InlineData("example.org")]
    [InlineData("/events")]
    [InlineData("https://")]
    [InlineData("https:///x")]
    [InlineData("https://user@example.org/")]
    [InlineData("https://user:pw@example.org/")]
    [InlineData("https://example.org/#a")]
    [InlineData("https://example.org/#")]
    [InlineData("https://example.org/a b")]
    [InlineData("https://example.org/\r\nX: y")]
    [InlineData("https://ex\u00e4mple.org/")]
    [InlineData("ftp://example.org/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://example.org/")]
    [InlineData("javascript:alert(1)")]
    public void Url_Improper_IsNot(string url) => Assert.NotNull(WebhookUrl.Mistake(url, allowsPlain: true));

    [Fact]
    public void Url_TooLong_IsNot()
    {
        var url = "https://example.org/" + new string('a', WebhookUrl.Max - 20);
        Assert.Null(WebhookUrl.Mistake(url, allowsPlain: false));
        Assert.NotNull(WebhookUrl.Mistake(url + "a", allowsPlain: false));
    }
}
