using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;

namespace Angarium.Grains.Webhooks;

/// <summary>How a tenant is told that a webhook is to be disabled. Any thread; a call that fails is made again.</summary>
internal delegate Task DisableWebhook(string tenant, string webhook, DateTimeOffset renewed, string reason);

/// <summary>What the webhooks of a silo share, and the bounds of all of them together. Any thread.</summary>
internal sealed class WebhookOffice(IDocumentStore documents, ILedgerStore ledger, IStoreClock clock, TimeProvider time, WebhookSeams seams, DisableWebhook disable, TimeSpan skew) : IDisposable
{
    private const long MostWaiting = 64 << 20, MostKept = 32 << 20;

    /// <summary>Webhooks that read for themselves at a time.</summary>
    private const int MostScans = 4;

    public IDocumentStore Documents => documents;

    public IStoreClock Clock => clock;

    public TimeProvider Time => time;

    public WebhookSeams Seams => seams;

    public DisableWebhook Disable => disable;

    /// <summary>What was recorded so long before a webhook was made may be later by another clock.</summary>
    public TimeSpan Skew => skew;

    public LedgerTail Tail { get; } = new(ledger);

    public WebhookFeed Feed { get; } = new(ledger);

    /// <summary>Of events that wait to be posted.</summary>
    public WebhookMemory Waiting { get; } = new(MostWaiting);

    /// <summary>Of batches that were not taken and are to be posted again as they are.</summary>
    public WebhookMemory Kept { get; } = new(MostKept);

    public SemaphoreSlim Scans { get; } = new(MostScans);

    public void Dispose() => Scans.Dispose();
}
