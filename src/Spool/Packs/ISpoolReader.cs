using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>Reads what the writer wrote: tables of contents for the sweep, entries for an attempt (from the cache of what was just committed, when there). Any thread.</summary>
public interface ISpoolReader
{
    /// <exception cref="IOException">The store could not be read now.</exception>
    Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken);

    /// <summary>Reads an entry's envelope and opens its content. Dispose it to release what it holds.</summary>
    /// <exception cref="IOException">The store could not be read now.</exception>
    Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken);
}

/// <summary>What came of reading a pack or an entry.</summary>
public enum SpoolReadStatus
{
    Found,

    /// <summary>There is no such pack. Never an outcome: the entry goes back to the sweep (design rule 5).</summary>
    NotFound,

    /// <summary>It is there but fails its checksum: our own 4yz with an alarm (design rule 13).</summary>
    Corrupt,
}

/// <summary>The answer to a reading; a value only when it was found. Immutable.</summary>
public readonly record struct SpoolRead<T>(SpoolReadStatus Status, T? Value) where T : class;

/// <summary>
/// An entry opened for reading. The checksum of the content covers all of it: a reader sends the final dot only after <see cref="ReadAsync"/> has reached the
/// end (0) without <see cref="InvalidDataException"/>. Used by one session at a time.
/// </summary>
public abstract class SpooledEntry : IDisposable
{
    /// <summary>The envelope with this domain's recipients only; recipient i has key <see cref="Keys"/>[i].</summary>
    public abstract Envelope Envelope { get; }

    public abstract IReadOnlyList<RecipientKey> Keys { get; }

    public abstract MessageId Message { get; }

    /// <summary>The queue domain of its recipients.</summary>
    public abstract string Domain { get; }

    /// <summary>Octets of the content, trace fields included.</summary>
    public abstract long ContentLength { get; }

    /// <summary>Whether any octet of the content is above 127; decided at acceptance.</summary>
    public abstract bool ContentIsEightBit { get; }

    /// <summary>The next part of the content; empty = the end, and the checksum was right. Valid until the next call.</summary>
    /// <exception cref="InvalidDataException">The content fails its checksum.</exception>
    /// <exception cref="IOException">The store could not be read now.</exception>
    public abstract ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken);

    public abstract void Dispose();
}
