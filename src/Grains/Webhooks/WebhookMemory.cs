namespace Angarium.Grains.Webhooks;

/// <summary>
/// The octets of events that a silo's webhooks may hold together. Whoever holds little gets some while there is any; whoever holds much gets none long before that (each may have an eighth of what is
/// left), so that slow webhooks never take the place of quick ones. Any thread.
/// </summary>
internal sealed class WebhookMemory(long most)
{
    private const int Share = 8;

    private long _used;

    public bool HasRoom => Volatile.Read(ref _used) < most;

    /// <param name="size">What is asked for.</param>
    /// <param name="held">What the same webhook holds already.</param>
    public bool TryTake(long size, long held)
    {
        if (held + size > (most - Volatile.Read(ref _used)) / Share) return false;
        Take(size);
        return true;
    }

    /// <summary>What has its own bound: it counts, whatever is left.</summary>
    public void Take(long size) => Interlocked.Add(ref _used, size);

    public void Give(long size) => Interlocked.Add(ref _used, -size);
}
