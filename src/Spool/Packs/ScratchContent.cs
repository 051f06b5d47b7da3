using Microsoft.Win32.SafeHandles;

namespace Angarium.Spool.Packs;

/// <summary>
/// Content over the in-memory bound, gathered in an unlinked scratch file: nothing of it survives the process. Owned by the transaction
/// that writes it; readable by range from any thread once writing has ended.
/// </summary>
public sealed class ScratchContent(SafeFileHandle handle, long length, ulong hash, bool isEightBit) : IDisposable
{
    public long Length { get; } = length;

    /// <summary>Checksum of all of it, taken while it was gathered: the writer need not read it twice.</summary>
    public ulong Hash { get; } = hash;

    /// <summary>Whether any octet is above 127.</summary>
    public bool IsEightBit { get; } = isEightBit;

    public ValueTask<int> ReadAsync(long offset, Memory<byte> into, CancellationToken cancellationToken) =>
        RandomAccess.ReadAsync(handle, into, offset, cancellationToken);

    public void Dispose() => handle.Dispose();
}
