using Angarium.Contracts.Webhooks;
using Angarium.Grains.Tenants;

namespace Angarium.Grains.Webhooks;

/// <summary>What a tenant's webhooks need of its silo. Immutable; any thread.</summary>
/// <param name="Master">Null = `Keys:Master` is not set.</param>
/// <param name="Options">As they are now.</param>
/// <param name="Post">Has an egress post it; what it could not be asked is thrown.</param>
/// <param name="Changed">A webhook was made or changed here.</param>
internal sealed record WebhookSeams(Func<MasterKey?> Master, Func<WebhooksOptions> Options, Func<WebhookPost, Task<WebhookOutcome>> Post, Action Changed);
