using Prometheus;

namespace Angarium.Grains.Notices;

/// <summary>Metrics of notices. Any thread.</summary>
internal static class NoticeInstruments
{
    public static readonly Counter Notices = Metrics.CreateCounter("angarium_notices_total", "Notices to senders made durable: failed, expired, relayed, delayed.", "kind");
}
