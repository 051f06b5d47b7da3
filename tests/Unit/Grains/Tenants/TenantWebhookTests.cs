using System.Text;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Contracts.Webhooks;
using Angarium.Grains;
using Angarium.Grains.Tenants;
using Angarium.Grains.Webhooks;
using Angarium.Mail.Tenants;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Tenants;

/// <summary>A tenant's webhooks over documents in memory: made, changed, disabled and taken away.</summary>
public sealed class TenantWebhookTests : IRecordSource, IDisposable
{
    private readonly MemoryDocuments _documents = new();
    private readonly MasterKey _master = new(new byte[32]);
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 0, 0, 0, TimeSpan.Zero));
    private readonly string _id = TenantName.NewTenant();
    private readonly List<WebhookPost> _posts = [];
    private MasterKey? _used;
    private int _hints;

    public TenantWebhookTests() => _used = _master;

    public Task<IReadOnlyList<string>?> TextAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>?>([]);

    public Task<IReadOnlyList<string>?> MailHostsAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>?>([]);

    public void Dispose() => _master.Dispose();

    [Fact]
    public async Task Add_ShowsItsSecretOnce_AndStoresNoneInTheClear()
    {
        var tenant = await CreatedAsync();
        var made = Done(await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/x", Events = ["delivered", "failed", "delivered"] }, default));
        Assert.StartsWith("whsec_", made.Secret, StringComparison.Ordinal);
        var webhook = Assert.Single(made.Webhooks);
        Assert.Equal(("https://example.org/x", _time.GetUtcNow()), (webhook.Url, webhook.Created));
        Assert.Null(webhook.DisabledSince);
        Assert.Equal(["delivered", "failed"], webhook.Events);
        Assert.Equal(1, _hints);
        // Silos find it, and another activation reads it.
        Assert.Equal([WebhookMarker.Prefix + _id], await _documents.ListAsync(WebhookMarker.Prefix, default));
        Assert.Equal(webhook.Id, Assert.Single(Done(await (await OpenAsync()).WebhooksAsync(null, default)).Webhooks).Id);
        Assert.Null(Done(await tenant.WebhooksAsync(webhook.Id, default)).Secret);
        foreach (var name in await _documents.ListAsync("", default))
            Assert.DoesNotContain(made.Secret!, Encoding.UTF8.GetString((await _documents.ReadAsync(name, default))!.Content.Span), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://example.org/", null, "url")]
    [InlineData("https://user@example.org/", null, "url")]
    [InlineData(null, null, "url")]
    [InlineData("https://example.org/", "opened", "events")]
    [InlineData("https://example.org/", "", "events")]
    public async Task Add_WhatCannotBe_NamesTheField(string? url, string? type, string field)
    {
        var tenant = await CreatedAsync();
        var problem = (await tenant.AddWebhookAsync(new WebhookChange { Url = url, Events = type is null ? null : [type] }, default)).Problem!;
        Assert.Equal((ProblemKind.Invalid, field), (problem.Kind, problem.Field));
        Assert.Equal(0, _hints);
    }

    [Fact]
    public async Task Add_WithoutAMasterKey_IsUnavailable()
    {
        var tenant = await CreatedAsync();
        _used = null;
        Assert.Equal(ProblemKind.Unavailable, (await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Add_BeyondTheBound_IsFull()
    {
        var tenant = await CreatedAsync();
        for (var i = 0; i < TenantRecord.MaxWebhooks; i++) Done(await tenant.AddWebhookAsync(new WebhookChange { Url = $"https://example.org/{i}" }, default));
        Assert.Equal(ProblemKind.Full, (await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Change_ItsAddress_RenewsIt_AndItsTypesDoNot()
    {
        var tenant = await CreatedAsync();
        var id = Done(await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/1" }, default)).Webhooks[0].Id;
        var made = await DefinitionAsync(id);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(["failed"], Done(await tenant.ChangeWebhookAsync(id, new WebhookChange { Events = ["failed"] }, default)).Webhooks[0].Events);
        Assert.Equal(made.Renewed, (await DefinitionAsync(id)).Renewed);
        Assert.Equal("https://example.org/2", Done(await tenant.ChangeWebhookAsync(id, new WebhookChange { Url = "https://example.org/2" }, default)).Webhooks[0].Url);
        var changed = await DefinitionAsync(id);
        Assert.Equal((_time.GetUtcNow(), made.Created), (changed.Renewed, changed.Created));
        Assert.Equal("url", (await tenant.ChangeWebhookAsync(id, new WebhookChange { Url = "x" }, default)).Problem?.Field);
        Assert.Equal(ProblemKind.NotFound, (await tenant.ChangeWebhookAsync("other", new WebhookChange { Events = [] }, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Rotate_TheOldSecret_SignsForADay()
    {
        var tenant = await CreatedAsync();
        var made = Done(await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default));
        var rotated = Done(await tenant.RotateWebhookSecretAsync(made.Webhooks[0].Id, default));
        Assert.NotEqual(made.Secret, rotated.Secret);
        Assert.Equal(_time.GetUtcNow().AddHours(24), rotated.Webhooks[0].OldSecretUntil);
        Done(await tenant.TestWebhookAsync(made.Webhooks[0].Id, default));
        Assert.Equal(2, Signatures());
        _time.Advance(TimeSpan.FromHours(24));
        Done(await tenant.TestWebhookAsync(made.Webhooks[0].Id, default));
        Assert.Equal(1, Signatures());
        Assert.Null(Done(await tenant.WebhooksAsync(null, default)).Webhooks[0].OldSecretUntil);

        int Signatures() => _posts[^1].Headers.Single(h => h.Name == "Angarium-Signature").Value.Split(',').Length;
    }

    [Fact]
    public async Task Disable_WhatItIsNoMore_ChangesNothing()
    {
        var tenant = await CreatedAsync();
        var id = Done(await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default)).Webhooks[0].Id;
        var renewed = (await DefinitionAsync(id)).Renewed;
        Assert.False(await tenant.DisableWebhookAsync(id, renewed.AddSeconds(-1), "old", default));
        Assert.True(await tenant.DisableWebhookAsync(id, renewed, "status 500", default));
        Assert.False(await tenant.DisableWebhookAsync(id, renewed, "again", default));
        var shown = Done(await tenant.WebhooksAsync(id, default)).Webhooks[0];
        Assert.Equal((_time.GetUtcNow(), "status 500"), (shown.DisabledSince!.Value, shown.DisabledReason!));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(Done(await tenant.EnableWebhookAsync(id, default)).Webhooks[0].DisabledSince);
        Assert.False(await tenant.DisableWebhookAsync(id, renewed, "late", default));
    }

    [Fact]
    public async Task Remove_AndDelete_LeaveNothingBehind()
    {
        var tenant = await CreatedAsync();
        string[] ids = [.. await Task.WhenAll(Enumerable.Range(0, 2).Select(async i => Done(await tenant.AddWebhookAsync(new WebhookChange { Url = $"https://example.org/{i}" }, default)).Webhooks[0].Id))];
        foreach (var id in ids) await _documents.WriteAsync(WebhookState.Name(_id, id), new WebhookState { Cursor = Angarium.Spool.Ledger.LedgerCursor.From(default).ToString(), Standing = new WebhookStanding { Tries = 3 } }.ToJson(), null, default);
        Assert.Equal(ProblemKind.NotFound, (await tenant.RemoveWebhookAsync("other", default)).Problem?.Kind);
        Done(await tenant.RemoveWebhookAsync(ids[0], default));
        Assert.Equal([WebhookState.Name(_id, ids[1])], await _documents.ListAsync("posted/", default));
        Assert.Null((await tenant.DeleteAsync(null, default)).Problem);
        Assert.Empty(await _documents.ListAsync("posted/", default));
        Assert.Empty(await _documents.ListAsync(WebhookMarker.Prefix, default));
        Assert.Equal(ProblemKind.NotFound, (await tenant.WebhooksAsync(null, default)).Problem?.Kind);
        Assert.Equal(ProblemKind.NotFound, (await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Show_HowItStands_AsLongAsItIsTheSame()
    {
        var tenant = await CreatedAsync();
        var id = Done(await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default)).Webhooks[0].Id;
        var (standing, _) = new WebhookStanding { Renewed = (await DefinitionAsync(id)).Renewed }.Judge(new WebhookOutcome { End = WebhookEnd.Answered, Status = 503 }, _time.GetUtcNow(), new WebhooksOptions(), 0.5);
        await _documents.WriteAsync(WebhookState.Name(_id, id), new WebhookState { Cursor = Angarium.Spool.Ledger.LedgerCursor.From(default).ToString(), Standing = standing }.ToJson(), null, default);
        var shown = Done(await tenant.WebhooksAsync(id, default)).Webhooks[0];
        Assert.Equal((1, "status 503", _time.GetUtcNow(), _time.GetUtcNow().AddMinutes(1)), (shown.Tries, shown.Last!, shown.FailingSince!.Value, shown.NextTry!.Value));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(0, Done(await tenant.EnableWebhookAsync(id, default)).Webhooks[0].Tries);
    }

    [Fact]
    public async Task Test_PostsOneEvent_AndTellsWhatCameOfIt()
    {
        var tenant = await CreatedAsync();
        var id = Done(await tenant.AddWebhookAsync(new WebhookChange { Url = "https://example.org/" }, default)).Webhooks[0].Id;
        Assert.True(Done(await tenant.TestWebhookAsync(id, default)).Outcome!.IsTaken);
        var post = Assert.Single(_posts);
        Assert.Equal(("https://example.org/", _id), (post.Url, post.Tenant));
        Assert.Contains("\"type\":\"test\"", Encoding.UTF8.GetString(post.Body), StringComparison.Ordinal);
        Assert.Equal(ProblemKind.NotFound, (await tenant.TestWebhookAsync("other", default)).Problem?.Kind);
    }

    private async Task<TenantWebhook> DefinitionAsync(string webhook) => TenantRecord.Parse((await _documents.ReadAsync("tenants/" + _id, default))!.Content, _id).Webhooks.Single(w => w.Id == webhook);

    private async Task<Tenant> OpenAsync()
    {
        var seams = new WebhookSeams(() => _used, () => new WebhooksOptions(), post =>
        {
            _posts.Add(post);
            return Task.FromResult(new WebhookOutcome { End = WebhookEnd.Answered, Status = 200 });
        }, () => _hints++);
        var tenant = new Tenant(_id, _documents, new DkimKeys(_documents, () => _used), this, () => new TenantsOptions(), new byte[32], _time, seams);
        await tenant.LoadAsync(default);
        return tenant;
    }

    private async Task<Tenant> CreatedAsync()
    {
        var tenant = await OpenAsync();
        Assert.Null((await tenant.CreateAsync(new TenantDraft { Name = "Acme" }, default)).Problem);
        return tenant;
    }

    private static WebhookResult Done(WebhookResult result)
    {
        Assert.Null(result.Problem);
        return result;
    }
}
