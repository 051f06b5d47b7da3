using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>
/// The seam of the spool: packs are created whole, read by range, listed and deleted, never changed (design rules 1, 2, 5).
/// One contract suite runs against every provider. Calls may come from any thread, several at a time.
/// </summary>
public interface IPackStore
{
    /// <summary>How many creations of one writer may be in flight at a time: 1 where they are flushed in order, more where each is a request.</summary>
    int MaxCreationsInFlight { get; }

    /// <summary>
    /// Creates the pack durably, or says why not. Create-only: an existing pack is <see cref="PackCreation.Exists"/> and stays as it was.
    /// <see cref="PackCreation.Unknown"/>: it may or may not be there; the caller repeats name and bytes (design rule 3).
    /// </summary>
    Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken);

    /// <summary>Reads up to <paramref name="into"/>.Length octets at <paramref name="offset"/>; the count is short only at the pack's end; -1 = there is no such pack.</summary>
    /// <exception cref="IOException">The store could not be read now.</exception>
    ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken);

    /// <summary>Every pack that existed when the listing began and was not deleted since, of both kinds, in no particular order.</summary>
    IAsyncEnumerable<PackListing> ListAsync(CancellationToken cancellationToken);

    /// <summary>Deletes the pack, if it is there. Only the ledger justifies this (design rule 5): callers are the sweep and the cleaner.</summary>
    Task DeleteAsync(PackName name, CancellationToken cancellationToken);
}

/// <summary>What became of a creation.</summary>
public enum PackCreation
{
    /// <summary>Durable.</summary>
    Created,

    /// <summary>A pack of that name is there already.</summary>
    Exists,

    /// <summary>Nothing was written, or its fate is unknown: try the same name and bytes again.</summary>
    Unknown,

    /// <summary>There is no room. Nothing was acknowledged.</summary>
    Full,
}

/// <summary>One row of a listing. <paramref name="Created"/> is the store's own time of creation.</summary>
/// <param name="Unit">What gives its room back only when all its packs are deleted; default = the pack alone.</param>
public readonly record struct PackListing(PackName Name, long Length, StoreTime Created, SpaceUnit Unit = default);

/// <summary>A segment of the disk: its number among those of its kind and writer, and the octets of all packs that were ever put into it.</summary>
public readonly record struct SpaceUnit(uint Number, long Packed);

/// <summary>
/// The bytes of a pack to create: <paramref name="Head"/> (header, table of contents, entries), then, for a large message alone in its pack, the content
/// gathered in a scratch file. The store never keeps a reference after CreateAsync has returned.
/// </summary>
public sealed record PackImage(ReadOnlyMemory<byte> Head, ScratchContent? Tail)
{
    public long Length => Head.Length + (Tail?.Length ?? 0);
}
