using System.Collections.Concurrent;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Webhooks;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Grains.Webhooks;
using Angarium.Mail;
using Angarium.Mail.Tenants;
using Angarium.Spool.Ledger;
using Angarium.TestKit.Peers;
using Angarium.Unit.Spool;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>A silo's webhooks as a whole: those of its share, as they are made, changed and taken away.</summary>
public sealed class WebhooksServiceTests : ISilos, IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 0, 0, 0, TimeSpan.Zero));
    private readonly LockedDocuments _documents = new();
    private readonly MasterKey _master = new(new byte[32]);
    private readonly GrowingLedger _ledger;
    private readonly WebhookHints _hints = new();
    private readonly ConcurrentQueue<string> _posts = new();
    private readonly string _tenant = TenantName.NewTenant();
    private readonly WebhookOffice _office;
    private readonly WebhooksService _service;
    private volatile bool _isMine = true;

    public WebhooksServiceTests()
    {
        _ledger = new GrowingLedger
        {
            Now = StoreTime.FromDateTimeOffset(_time.GetUtcNow()), Piece = 64 << 10,
            Summary = _ => new EnvelopeSummary { Message = new MessageId(new RecipientKey(9, 1, 0)), ReversePath = "a@b.test", Recipient = "c@d.test", Tenant = _tenant, Accepted = new StoreTime(1_000) },
        };
        var seams = new WebhookSeams(() => _master, () => new WebhooksOptions(), PostAsync, _hints.Changed);
        _office = new WebhookOffice(_documents, _ledger, new PlainClock(_time), _time, seams, (_, _, _, _) => Task.CompletedTask, TimeSpan.Zero);
        _service = new WebhooksService(_office, _documents, this, _hints, new FixedSettings<WebhooksOptions>(new WebhooksOptions()), _time, NullLogger<WebhooksService>.Instance);
    }

    public string Own => "-";

    public bool? IsAlive(string silo) => true;

    public bool IsMine(ulong item) => _isMine;

    public async ValueTask InitializeAsync() => await _service.StartAsync(default);

    public async ValueTask DisposeAsync()
    {
        await _service.StopAsync(default);
        _service.Dispose();
        _office.Dispose();
        _master.Dispose();
    }

    [Fact]
    public async Task Webhook_MadeChangedAndTakenAway_IsHeardOfAtOnce()
    {
        await StoreAsync("https://x.test/1");
        _hints.Changed();
        await PostedAsync("https://x.test/1", seconds: 10);
        await StoreAsync("https://x.test/2");
        _hints.Changed();
        await PostedAsync("https://x.test/2", seconds: 10);
        await StoreAsync(null);
        _hints.Changed();
        for (var i = 0; i < 20; i++) await StepAsync();
        var before = _posts.Count;
        _ledger.Append(1, 5);
        for (var i = 0; i < 20; i++) await StepAsync();
        Assert.Equal(before, _posts.Count);
    }

    [Fact]
    public async Task Webhook_WithoutAHint_IsFoundByTheNextLook()
    {
        await StoreAsync("https://x.test/1");
        await PostedAsync("https://x.test/1", seconds: 60);
    }

    /// <summary>Other silos came or went: nobody waits for half a minute.</summary>
    [Fact]
    public async Task Share_ThatChanges_IsTakenOverWithinSeconds()
    {
        _isMine = false;
        await StoreAsync("https://x.test/1");
        _hints.Changed();
        for (var i = 0; i < 20; i++) await StepAsync();
        Assert.Empty(_posts);
        _isMine = true;
        await PostedAsync("https://x.test/1", seconds: 15);
        _isMine = false;
        for (var i = 0; i < 10; i++) await StepAsync();
        var before = _posts.Count;
        _ledger.Append(1, 5);
        for (var i = 0; i < 10; i++) await StepAsync();
        Assert.Equal(before, _posts.Count);
    }

    /// <summary>The tenant's document with one webhook, or none.</summary>
    private async Task StoreAsync(string? url)
    {
        if (await _documents.ReadAsync(WebhookMarker.Prefix + _tenant, default) is null) await WebhookMarker.MakeAsync(_documents, _tenant, default);
        var record = new TenantRecord { Id = _tenant, Name = "x", Webhooks = url is null ? [] : [new TenantWebhook { Id = "w", Url = url, Created = _time.Start, Renewed = _time.Start, Secret = WebhookRequest.NewSecret(_tenant, "w", _master).Sealed }] };
        await _documents.WriteAsync("tenants/" + _tenant, record.ToJson(), (await _documents.ReadAsync("tenants/" + _tenant, default))?.Tag, default);
    }

    /// <summary>Something new is recorded, and posted there within so much of the test's time.</summary>
    private async Task PostedAsync(string url, int seconds)
    {
        var began = _time.GetUtcNow();
        while (!_posts.Contains(url))
        {
            Assert.True(_time.GetUtcNow() - began < TimeSpan.FromSeconds(seconds), $"nothing came to {url}");
            _ledger.Now = StoreTime.FromDateTimeOffset(_time.GetUtcNow());
            _ledger.Append(1, 1);
            await StepAsync();
        }
    }

    private Task<WebhookOutcome> PostAsync(WebhookPost post)
    {
        _posts.Enqueue(post.Url);
        return Task.FromResult(new WebhookOutcome { End = WebhookEnd.Answered, Status = 200 });
    }

    private async Task StepAsync()
    {
        _time.Advance(TimeSpan.FromMilliseconds(250));
        // The service runs on other threads: they get a moment.
        await Task.Delay(20);
    }
}
