using Angarium.Contracts.Webhooks;

namespace Angarium.Grains.Webhooks;

/// <summary>Has egress post what silos have signed. Key: 0. Silos only.</summary>
[Alias("angarium.IWebhookBroker")]
public interface IWebhookBroker : IGrainWithIntegerKey
{
    /// <summary>Returns when it is known what became of the post. Nothing of it is kept: a call that fails is to be made again.</summary>
    [Alias("Post"), ResponseTimeout("00:01:10")]
    Task<WebhookOutcome> Post(WebhookPost post);
}
