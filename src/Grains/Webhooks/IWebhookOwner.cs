namespace Angarium.Grains.Webhooks;

/// <summary>What the silos' webhooks tell their tenant. Key: the tenant's id. Silos only.</summary>
[Alias("angarium.IWebhookOwner")]
public interface IWebhookOwner : IGrainWithStringKey
{
    /// <summary>Disables a webhook that is still what it was. Harmless when repeated.</summary>
    /// <param name="webhook">Its id.</param>
    /// <param name="renewed">Of the definition that failed.</param>
    /// <param name="reason">For people.</param>
    [Alias("Disable")]
    Task Disable(string webhook, DateTimeOffset renewed, string reason);
}
