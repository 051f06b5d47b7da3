using Microsoft.Win32.SafeHandles;

namespace Angarium.Spool.Packs;

/// <summary>
/// Content over the in-memory bound, gathered in an unlinked scratch file: nothing of it survives the process. Owned by the transaction
/// that writes it; readable by range from any thread once writing has ended.
/// </summary>
public sealed class ScratchContent(SafeFileHandle handle, long length) : IDisposable
{
    public long Length { get; } = length;

    public ValueTask<int> ReadAsync(long offset, Memory<byte> into, CancellationToken cancellationToken) =>
        RandomAccess.ReadAsync(handle, into, offset, cancellationToken);

    public void Dispose() => handle.Dispose();
}
