using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>
/// The packs just committed, whole, for their first attempts: bounded in octets, oldest out first. Any thread, under its own lock. Nothing survives a crash, nothing depends
/// on it: with size 0 every read goes to the store.
/// </summary>
internal sealed class PackCache(long capacity)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<PackName, PackBuffer> _packs = [];
    private readonly Queue<PackName> _order = [];
    private long _bytes;

    public void Add(PackName name, PackBuffer buffer)
    {
        lock (_gate)
        {
            if (buffer.Array.Length > capacity || !buffer.TryHold()) return;
            if (!_packs.TryAdd(name, buffer))
            {
                buffer.Release();
                return;
            }

            _order.Enqueue(name);
            _bytes += buffer.Array.Length;
            while (_bytes > capacity && _order.TryDequeue(out var oldest))
            {
                if (!_packs.Remove(oldest, out var evicted)) continue;
                _bytes -= evicted.Array.Length;
                evicted.Release();
            }
        }
    }

    /// <summary>The pack's buffer, held for the caller, who releases it; null = not here.</summary>
    public PackBuffer? Hold(PackName name)
    {
        lock (_gate) return _packs.TryGetValue(name, out var buffer) && buffer.TryHold() ? buffer : null;
    }
}
