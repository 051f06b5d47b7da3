namespace Angarium.Ingress.Content;

/// <summary>Bounds what all connections together gather: octets in memory and octets in scratch files. Any thread; lock-free.</summary>
internal sealed class GatherBudget(long memory, long scratch)
{
    private long _memory, _scratch;

    public long Memory => Volatile.Read(ref _memory);

    public long Scratch => Volatile.Read(ref _scratch);

    /// <summary>Four fifths of the memory are taken: large messages gather on disk, so that the rest is left to begin others with.</summary>
    public bool IsTight => Memory > memory / 5 * 4;

    /// <summary>Nothing is left to begin many more with.</summary>
    public bool IsFull => Memory > memory / 16 * 15;

    public bool TryTakeMemory(long octets) => TryTake(ref _memory, memory, octets);

    public bool TryTakeScratch(long octets) => TryTake(ref _scratch, scratch, octets);

    public void ReturnMemory(long octets) => Interlocked.Add(ref _memory, -octets);

    public void ReturnScratch(long octets) => Interlocked.Add(ref _scratch, -octets);

    private static bool TryTake(ref long taken, long bound, long octets)
    {
        if (Interlocked.Add(ref taken, octets) <= bound) return true;
        Interlocked.Add(ref taken, -octets);
        return false;
    }
}
