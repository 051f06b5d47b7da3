using Angarium.Contracts.Tenants;
using Angarium.Grains.Webhooks;

namespace Angarium.Grains.Tenants;

/// <summary>The shell's part for webhooks. On the grain's turns.</summary>
internal sealed partial class TenantGrain : IWebhookOwner
{
    public Task<WebhookResult> Webhooks(string? id)
    {
        ForgetStrangers();
        return _tenant.WebhooksAsync(id, CancellationToken.None);
    }

    public Task<WebhookResult> AddWebhook(WebhookChange draft) => _tenant.AddWebhookAsync(draft, CancellationToken.None);

    public Task<WebhookResult> ChangeWebhook(string id, WebhookChange change) => _tenant.ChangeWebhookAsync(id, change, CancellationToken.None);

    public Task<WebhookResult> RemoveWebhook(string id) => _tenant.RemoveWebhookAsync(id, CancellationToken.None);

    public Task<WebhookResult> RotateWebhookSecret(string id) => _tenant.RotateWebhookSecretAsync(id, CancellationToken.None);

    public Task<WebhookResult> EnableWebhook(string id) => _tenant.EnableWebhookAsync(id, CancellationToken.None);

    public Task<WebhookResult> TestWebhook(string id) => _tenant.TestWebhookAsync(id, CancellationToken.None);

    public Task Disable(string webhook, DateTimeOffset renewed, string reason) => _tenant.DisableWebhookAsync(webhook, renewed, reason, CancellationToken.None);
}
