using System.Buffers;
using System.IO.Hashing;
using System.Buffers.Binary;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Files;

/// <summary>What a segment holds, as found on disk.</summary>
/// <param name="Nonce">Null = not one intact header was found.</param>
/// <param name="Damage">Ranges before an intact frame that hold none: corruption. What follows the last intact frame is a torn tail and was never acknowledged.</param>
internal sealed record SegmentContents(List<SegmentRow> Rows, ulong? Nonce, bool IsSealed, IReadOnlyList<(long From, long To)> Damage, long TornBytes);

/// <summary>Finds the packs in a segment file: by its footer, else by the index kept beside it, else by reading all of it. Changes nothing; on the thread of the caller.</summary>
internal static class SegmentScan
{
    private const int Window = 1 << 20;

    /// <summary>Null = neither footer nor index is intact: it must be read through.</summary>
    public static SegmentContents? ByIndex(IStoredFile segment, IStoredFile? index)
    {
        var length = segment.Length;
        return ByFooter(segment, length) ?? (index is null ? null : ByFooter(index, length));
    }

    /// <summary>Reads all of it and judges every frame.</summary>
    public static SegmentContents Through(IStoredFile segment)
    {
        var length = segment.Length;
        Span<byte> head = stackalloc byte[SegmentFormat.HeaderSize];
        var got = segment.Read(0, head);
        StoredVersion.Refuse(head[..got], SegmentFormat.Letters, "A segment");
        ulong? nonce = SegmentFormat.TryReadHeader(head[..got], out var stored) ? stored : null;
        var rows = new List<SegmentRow>();
        var damage = new List<(long, long)>();
        var buffer = ArrayPool<byte>.Shared.Rent(Window);
        try
        {
            long at = SegmentFormat.HeaderSize, intactTo = at;
            while (at < length)
            {
                if (TryReadFrame(segment, length, at, ref nonce, buffer, out var row))
                {
                    if (intactTo < at) damage.Add((intactTo, at));
                    rows.Add(row);
                    at = intactTo = at + SegmentFormat.FrameSize(row.Length);
                }
                else
                {
                    at = NextMark(segment, at + 8, length, buffer);
                }
            }

            return new SegmentContents(rows, nonce, false, damage, Math.Max(0, length - intactTo));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Whether the frame of this row holds what was written.</summary>
    public static bool IsIntact(IStoredFile segment, SegmentRow row)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Window);
        try
        {
            ulong? nonce = null;
            return TryReadFrame(segment, segment.Length, row.Offset - SegmentFormat.FrameHeaderSize, ref nonce, buffer, out var read) && read == row;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static SegmentContents? ByFooter(IStoredFile file, long segmentLength)
    {
        var length = file.Length;
        if (length < SegmentFormat.FooterTrailerSize) return null;
        Span<byte> trailer = stackalloc byte[SegmentFormat.FooterTrailerSize];
        if (file.Read(length - trailer.Length, trailer) < trailer.Length) return null;
        var size = SegmentFormat.FooterSize(trailer);
        if (size < 0 || size > length) return null;
        var bytes = ArrayPool<byte>.Shared.Rent((int)size);
        try
        {
            var got = file.Read(length - size, bytes.AsSpan(0, (int)size));
            return SegmentFormat.TryReadFooter(bytes.AsSpan(0, got), segmentLength, out var rows, out var nonce) ? new SegmentContents(rows, nonce, true, [], 0) : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static bool TryReadFrame(IStoredFile segment, long length, long at, ref ulong? nonce, byte[] buffer, out SegmentRow row)
    {
        row = default;
        Span<byte> head = stackalloc byte[SegmentFormat.FrameHeaderSize];
        var known = nonce;
        if (at < 0 || segment.Read(at, head) < head.Length || !SegmentFormat.TryReadFrameHeader(head, at, ref known, out row)) return false;
        if (row.Offset + row.Length + SegmentFormat.FrameTrailerSize > length) return false;
        var hash = new XxHash3((long)known!.Value);
        for (long done = 0; done < row.Length;)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(Window, row.Length - done));
            if (segment.Read(row.Offset + done, part) < part.Length) return false;
            hash.Append(part);
            done += part.Length;
        }

        Span<byte> trailer = stackalloc byte[SegmentFormat.FrameTrailerSize];
        if (segment.Read(row.Offset + row.Length, trailer) < trailer.Length || BinaryPrimitives.ReadUInt64BigEndian(trailer) != hash.GetCurrentHashAsUInt64()) return false;
        nonce = known;
        return true;
    }

    /// <summary>The next multiple of 8 at which a frame may begin; the length when there is none.</summary>
    private static long NextMark(IStoredFile segment, long from, long length, byte[] buffer)
    {
        for (var at = from; at < length;)
        {
            var got = segment.Read(at, buffer.AsSpan(0, (int)Math.Min(Window, length - at)));
            for (var i = 0; i + 8 <= got; i += 8)
                if (buffer.AsSpan(i, 8).SequenceEqual(SegmentFormat.FrameMark)) return at + i;
            if (got < Window) break;
            at += got;
        }

        return length;
    }
}
