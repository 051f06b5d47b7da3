using System.Runtime.CompilerServices;
using Angarium.Contracts.Tenants;
using Angarium.Contracts.Webhooks;
using Angarium.Grains.Webhooks;
using Angarium.Mail.Tenants;
using Angarium.Spool.Events;

namespace Angarium.Grains.Tenants;

/// <summary>A tenant's webhooks: made, changed and shown. What is posted to them is the business of <see cref="WebhookCourier"/>.</summary>
internal sealed partial class Tenant
{
    private static readonly TimeSpan s_oldSecretLasts = TimeSpan.FromHours(24);

    private static WebhookResult NoMasterForWebhooks => Wrong(ProblemKind.Unavailable, "", "Keys:Master is not set on the silos: no secret can be stored.");

    /// <param name="webhook">Null = all.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<WebhookResult> WebhooksAsync(string? webhook, CancellationToken cancellationToken)
    {
        var shown = Record?.Webhooks.Where(w => webhook is null || w.Id == webhook).ToArray();
        if (shown is null || (webhook is not null && shown.Length == 0)) return Wrong(NotFound("id"));
        return new WebhookResult { Webhooks = await Task.WhenAll(shown.Select(w => ViewAsync(w, cancellationToken))) };
    }

    public async Task<WebhookResult> AddWebhookAsync(WebhookChange draft, CancellationToken cancellationToken)
    {
        if (Mistake(draft) is { } mistake) return mistake;
        if (draft.Url is null) return Wrong(ProblemKind.Invalid, "url", "An address such as https://example.org/events.");
        if (Record is null) return Wrong(NotFound());
        if (webhooks?.Master() is not { } master) return NoMasterForWebhooks;
        var webhook = TenantName.NewPart();
        var (secret, sealedSecret) = WebhookRequest.NewSecret(id, webhook, master);
        // What silos find it by comes first: a webhook that nobody knows of would be silent for ever.
        await WebhookMarker.MakeAsync(documents, id, cancellationToken);
        var result = await ChangeAsync(record => record.Webhooks.Length >= TenantRecord.MaxWebhooks ? (null, Full("url", TenantRecord.MaxWebhooks)) : (record with
        {
            Webhooks = [.. record.Webhooks, new TenantWebhook { Id = webhook, Url = draft.Url, Events = Distinct(draft.Events), Created = Now, Renewed = Now, Secret = sealedSecret }],
        }, null), cancellationToken, webhook);
        return await ToldAsync(result, webhook, secret, cancellationToken);
    }

    public async Task<WebhookResult> ChangeWebhookAsync(string webhook, WebhookChange change, CancellationToken cancellationToken) => Mistake(change) ?? await ToldAsync(
        await ChangeWebhookAsync(webhook, w => w with { Url = change.Url ?? w.Url, Events = change.Events is null ? w.Events : Distinct(change.Events), Renewed = change.Url is null || change.Url == w.Url ? w.Renewed : Now }, cancellationToken),
        webhook, null, cancellationToken);

    public async Task<WebhookResult> RotateWebhookSecretAsync(string webhook, CancellationToken cancellationToken)
    {
        if (webhooks?.Master() is not { } master) return NoMasterForWebhooks;
        var (secret, sealedSecret) = WebhookRequest.NewSecret(id, webhook, master);
        return await ToldAsync(await ChangeWebhookAsync(webhook, w => w with { Secret = sealedSecret, OldSecret = w.Secret, OldSecretUntil = Now + s_oldSecretLasts }, cancellationToken), webhook, secret, cancellationToken);
    }

    public async Task<WebhookResult> EnableWebhookAsync(string webhook, CancellationToken cancellationToken) =>
        await ToldAsync(await ChangeWebhookAsync(webhook, w => w with { Renewed = Now, DisabledSince = null, DisabledReason = null }, cancellationToken), webhook, null, cancellationToken);

    /// <summary>True = it is disabled now; false = it is gone or no longer what it was.</summary>
    public async Task<bool> DisableWebhookAsync(string webhook, DateTimeOffset renewed, string reason, CancellationToken cancellationToken)
    {
        var isSo = false;
        await ChangeWebhookAsync(webhook, w =>
        {
            isSo = w.Renewed == renewed && w.DisabledSince is null;
            return isSo ? w with { DisabledSince = Now, DisabledReason = reason } : w;
        }, cancellationToken, () => isSo);
        if (isSo) webhooks?.Changed();
        return isSo;
    }

    public async Task<WebhookResult> RemoveWebhookAsync(string webhook, CancellationToken cancellationToken)
    {
        var result = await ChangeAsync(record => record.Webhooks.All(w => w.Id != webhook) ? (null, NotFound("id")) : (record with { Webhooks = [.. record.Webhooks.Where(w => w.Id != webhook)] }, null), cancellationToken, webhook);
        if (result.Problem is not null) return Wrong(result);
        webhooks?.Changed();
        await documents.DeleteAsync(WebhookState.Name(id, webhook), cancellationToken);
        return new WebhookResult();
    }

    public async Task<WebhookResult> TestWebhookAsync(string webhook, CancellationToken cancellationToken)
    {
        if (Array.Find(Record?.Webhooks ?? [], w => w.Id == webhook) is not { } known) return Wrong(NotFound("id"));
        if (webhooks?.Master() is not { } master) return NoMasterForWebhooks;
        var post = WebhookRequest.Sign(id, known, WebhookBatch.Test(id, webhook, Now), Now, master, webhooks.Options().Timeout, isSlow: known.DisabledSince is not null);
        var shown = await WebhooksAsync(webhook, cancellationToken);
        return shown.Problem is not null ? shown : shown with { Outcome = await webhooks.Post(post) };
    }

    /// <summary>Of a tenant that was deleted: no other webhook can come.</summary>
    private async Task ForgetWebhooksAsync(TenantWebhook[] gone, CancellationToken cancellationToken)
    {
        webhooks?.Changed();
        await WebhookMarker.DeleteAsync(documents, id, cancellationToken);
        foreach (var webhook in gone) await documents.DeleteAsync(WebhookState.Name(id, webhook.Id), cancellationToken);
    }

    private static string[] Distinct(string[]? events) => [.. (events ?? []).Distinct(StringComparer.Ordinal)];

    private static WebhookResult Wrong(TenantResult result) => new() { Problem = result.Problem };

    private static WebhookResult Wrong(ProblemKind kind, string field, string detail) => Wrong(Problem(kind, field, detail));

    private WebhookResult? Mistake(WebhookChange change) =>
        change.Url is { } url && WebhookUrl.Mistake(url, webhooks?.Options().AllowPrivate == true) is { } mistake ? Wrong(ProblemKind.Invalid, "url", mistake)
        : change.Events?.Any(type => type is null || !EventBody.Types.Contains(type)) == true ? Wrong(ProblemKind.Invalid, "events", $"None, for all, or some of {string.Join(", ", EventBody.Types)}.")
        : null;

    private Task<TenantResult> ChangeWebhookAsync(string webhook, Func<TenantWebhook, TenantWebhook> change, CancellationToken cancellationToken, Func<bool>? isTold = null, [CallerMemberName] string action = "") => ChangeAsync(
        record => record.Webhooks.All(w => w.Id != webhook) ? (null, NotFound("id")) : (record with { Webhooks = [.. record.Webhooks.Select(w => w.Id == webhook ? change(w) : w)] }, null), cancellationToken, webhook, isTold, action);

    private async Task<WebhookResult> ToldAsync(TenantResult result, string webhook, string? secret, CancellationToken cancellationToken)
    {
        if (result.Problem is not null) return Wrong(result);
        webhooks?.Changed();
        return await WebhooksAsync(webhook, cancellationToken) with { Secret = secret };
    }

    private async Task<WebhookView> ViewAsync(TenantWebhook webhook, CancellationToken cancellationToken)
    {
        var (state, _) = await WebhookState.ReadAsync(documents, id, webhook.Id, cancellationToken);
        // What was before it was renewed is over.
        var standing = state?.Standing is { } known && known.Renewed == webhook.Renewed ? known : new WebhookStanding { Taken = state?.Standing.Taken };
        return new WebhookView
        {
            Id = webhook.Id, Url = webhook.Url, Events = webhook.Events, Created = webhook.Created, DisabledSince = webhook.DisabledSince, DisabledReason = webhook.DisabledReason,
            OldSecretUntil = webhook.OldSecretUntil > Now ? webhook.OldSecretUntil : null, Taken = standing.Taken, FailingSince = standing.FailingSince, Tries = standing.Tries,
            NextTry = webhook.DisabledSince is null ? standing.NextTry : null, Last = standing.Last,
        };
    }
}
