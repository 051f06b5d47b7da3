using System.Buffers;
using Angarium.Mail;
using Angarium.Spool.Codec;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Packs;

/// <summary>
/// Reads tables of contents and entries, from the cache of what was just committed or by range from the store; judges all of it by its checksums. Holds no state; any thread.
/// </summary>
internal sealed partial class SpoolReader(IPackStore store, PackCache cache, ILogger logger) : ISpoolReader
{
    /// <summary>Most packs' header and table fit: one read.</summary>
    public const int FirstTableRead = 64 << 10;

    /// <summary>An entry up to this size is one read; a larger one is streamed.</summary>
    public const int Window = 256 << 10;

    public async Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken)
    {
        if (cache.Hold(name) is { } held)
        {
            try
            {
                return PackDecoder.TryReadHeader(held.Memory.Span, out var header) && header.Name == name ? Table(name, header, held.Memory) : Corrupt<PackToc>(name, 0);
            }
            finally
            {
                held.Release();
            }
        }

        var buffer = ArrayPool<byte>.Shared.Rent(FirstTableRead);
        try
        {
            var got = await store.ReadAsync(name, 0, buffer.AsMemory(0, FirstTableRead), cancellationToken).ConfigureAwait(Turns.Captured);
            if (got < 0) return new(SpoolReadStatus.NotFound, null);
            StoredVersion.Refuse(buffer.AsSpan(0, got), PackFormat.Letters, $"Pack {name}");
            if (!PackDecoder.TryReadHeader(buffer.AsSpan(0, got), out var header) || header.Name != name) return Corrupt<PackToc>(name, 0);
            var size = PackFormat.HeaderSize + header.TableLength;
            if (size > got && got < FirstTableRead) return Corrupt<PackToc>(name, 0);
            if (size > got)
            {
                var larger = ArrayPool<byte>.Shared.Rent(size);
                buffer.AsSpan(0, got).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
                var more = await store.ReadAsync(name, got, buffer.AsMemory(got, size - got), cancellationToken).ConfigureAwait(Turns.Captured);
                if (more < 0) return new(SpoolReadStatus.NotFound, null);
                if (more < size - got) return Corrupt<PackToc>(name, got);
            }

            return Table(name, header, buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public async Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken)
    {
        var (status, entry) = await OpenAsync(place, cancellationToken).ConfigureAwait(Turns.Captured);
        return new(status, entry);
    }

    /// <summary><see cref="ReadEntryAsync"/> for the mover, which also needs what lies beneath.</summary>
    public async Task<SpoolRead<StoredEntry>> OpenAsync(EntryPlace place, CancellationToken cancellationToken)
    {
        if (cache.Hold(place.Pack) is { } held)
        {
            var record = place.Offset + (long)place.Length <= held.Length ? Record(place, held.Memory.Slice((int)place.Offset, (int)place.Length)) : null;
            if (record is not null && record.BodyOffset + record.BodyLength <= held.Length)
                return new(SpoolReadStatus.Found, new StoredEntry(store, place.Pack, record, held, held.Memory.Slice((int)record.BodyOffset, (int)record.BodyLength)));
            held.Release();
            return Corrupt<StoredEntry>(place.Pack, place.Offset);
        }

        // The length comes from the index: it bounds what is read, and what is read is believed only after its checksum.
        var buffer = PackBuffer.Rent((int)Math.Min(place.Length, Window));
        try
        {
            var want = (int)Math.Min(place.Length, (uint)Window);
            var got = await store.ReadAsync(place.Pack, place.Offset, buffer.Array.AsMemory(0, want), cancellationToken).ConfigureAwait(Turns.Captured);
            if (got < 0) return new(SpoolReadStatus.NotFound, null);
            StoredVersion.Refuse(buffer.Array.AsSpan(0, got), PackFormat.EntryLetters, $"The entry of pack {place.Pack} at {place.Offset}", PackFormat.EntryVersion);
            var length = PackDecoder.RecordLength(buffer.Array.AsSpan(0, got));
            if (length < 0 || length > place.Length || got < want) return Corrupt<StoredEntry>(place.Pack, place.Offset);
            if (length > got)
            {
                var larger = PackBuffer.Rent(length);
                buffer.Array.AsSpan(0, got).CopyTo(larger.Array);
                buffer.Release();
                buffer = larger;
                var more = await store.ReadAsync(place.Pack, place.Offset + got, buffer.Array.AsMemory(got, length - got), cancellationToken).ConfigureAwait(Turns.Captured);
                if (more < 0) return new(SpoolReadStatus.NotFound, null);
                if (more < length - got) return Corrupt<StoredEntry>(place.Pack, place.Offset);
                got = length;
            }

            var record = Record(place, buffer.Array.AsMemory(0, got));
            if (record is null) return Corrupt<StoredEntry>(place.Pack, place.Offset);
            var isWhole = record.BodyOffset == place.Offset + length && record.BodyLength <= got - length;
            ReadOnlyMemory<byte>? body = isWhole ? buffer.Array.AsMemory(length, (int)record.BodyLength) : default(ReadOnlyMemory<byte>?);
            buffer.TryHold();
            return new(SpoolReadStatus.Found, new StoredEntry(store, place.Pack, record, buffer, body));
        }
        finally
        {
            buffer.Release();
        }
    }

    private static EntryRecord? Record(EntryPlace place, ReadOnlyMemory<byte> bytes)
    {
        var length = PackDecoder.RecordLength(bytes.Span);
        return length < 0 || length > bytes.Length ? null : PackDecoder.ReadRecord(place.Pack, bytes[..length]);
    }

    private SpoolRead<PackToc> Table(PackName name, PackHeader header, ReadOnlyMemory<byte> bytes)
    {
        var toc = PackFormat.HeaderSize + header.TableLength <= bytes.Length ? PackDecoder.ReadTable(header, bytes.Span.Slice(PackFormat.HeaderSize, header.TableLength)) : null;
        return toc is null ? Corrupt<PackToc>(name, PackFormat.HeaderSize) : new(SpoolReadStatus.Found, toc);
    }

    private SpoolRead<T> Corrupt<T>(PackName name, long offset) where T : class
    {
        SpoolInstruments.Corrupt();
        LogCorrupt(logger, name, offset);
        return new(SpoolReadStatus.Corrupt, null);
    }

    [LoggerMessage(1010, LogLevel.Critical, "Pack {Pack} fails its checksum at {Offset}: the storage has changed what was written")]
    private static partial void LogCorrupt(ILogger logger, PackName pack, long offset);
}
