using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Packs;

namespace Angarium.Spool.Verification;

/// <summary>One pack of an open segment file as a store that can only be read. Holds nothing but the file, which its user closes; any thread.</summary>
internal sealed class SegmentView(IStoredFile file, PackName pack, SegmentRow row) : IPackStore
{
    public int MaxCreationsInFlight => 0;

    public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (name != pack) return new(-1);
        return new(offset < 0 || offset >= row.Length ? 0 : file.Read(row.Offset + offset, into.Span[..(int)Math.Min(into.Length, row.Length - offset)]));
    }

    public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken) => throw new NotSupportedException("A segment is only viewed");

    public IAsyncEnumerable<PackListing> ListAsync(CancellationToken cancellationToken) => new[] { new PackListing(pack, row.Length, row.Created) }.ToAsyncEnumerable();

    public Task DeleteAsync(PackName name, CancellationToken cancellationToken) => throw new NotSupportedException("A segment is only viewed");
}
