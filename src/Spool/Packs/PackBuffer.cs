using System.Buffers;

namespace Angarium.Spool.Packs;

/// <summary>
/// One pooled buffer holding the head of one pack, shared by the writer, the cache and the sessions that read from it; it goes back to the pool when the last lets
/// go. Any thread. A holder that forgets to release costs the pool an array, nothing else.
/// </summary>
internal sealed class PackBuffer
{
    private int _holders = 1;

    private PackBuffer(byte[] array) => Array = array;

    public byte[] Array { get; }

    public int Length { get; set; }

    public ReadOnlyMemory<byte> Memory => Array.AsMemory(0, Length);

    public static PackBuffer Rent(int size) => new(ArrayPool<byte>.Shared.Rent(size));

    /// <summary>False when the last holder has already let go.</summary>
    public bool TryHold()
    {
        for (var seen = Volatile.Read(ref _holders); seen > 0;)
        {
            var before = Interlocked.CompareExchange(ref _holders, seen + 1, seen);
            if (before == seen) return true;
            seen = before;
        }

        return false;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0) ArrayPool<byte>.Shared.Return(Array);
    }
}
