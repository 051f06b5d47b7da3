using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Angarium.Mail;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Files;

/// <summary>Where a pack's octets lie in its segment.</summary>
internal readonly record struct SegmentRow(uint Number, long Offset, long Length, StoreTime Created);

/// <summary>
/// The stored form of a segment, version 1; big endian. Header (64 octets), then frames at multiples of 8: header (56), the pack's octets, their checksum (8); at the end, once it is
/// sealed, the footer: a row for each pack. Every checksum is seeded with the segment's random nonce, so that nothing inside a message can pass for a frame, nor an old block of the
/// disk. Pure.
/// </summary>
internal static class SegmentFormat
{
    public const int HeaderSize = 64, FrameHeaderSize = 56, FrameTrailerSize = 8, FooterTrailerSize = 32, RowSize = 28;

    private const ulong HeaderMagic = 0x414e475345474d01, FrameMagic = 0x414e474652414d01, FooterMagic = 0x414e47464f4f5401;

    public static ReadOnlySpan<byte> FrameMark => [0x41, 0x4e, 0x47, 0x46, 0x52, 0x41, 0x4d, 0x01];

    public static long Align(long offset) => (offset + 7) & ~7L;

    /// <summary>Octets from one frame's begin to the next one's.</summary>
    public static long FrameSize(long length) => Align(FrameHeaderSize + length + FrameTrailerSize);

    public static ReadOnlySpan<byte> Letters => "ANGSEGM"u8;

    public static byte[] Header(PackKind kind, ulong writer, uint number, ulong nonce)
    {
        var bytes = new byte[HeaderSize];
        var w = new ByteWriter(bytes);
        w.U64(HeaderMagic);
        w.U64((ulong)kind);
        w.U64(writer);
        w.U64(number);
        w.U64(nonce);
        w.U64(0);
        w.U64(0);
        w.U64(Checksum.Of(bytes.AsSpan(0, HeaderSize - 8)));
        return bytes;
    }

    public static bool TryReadHeader(ReadOnlySpan<byte> bytes, out ulong nonce)
    {
        nonce = 0;
        if (bytes.Length < HeaderSize) return false;
        var r = new ByteReader(bytes[..HeaderSize]);
        if (r.U64() != HeaderMagic) return false;
        r.Take(24);
        nonce = r.U64();
        return BinaryPrimitives.ReadUInt64BigEndian(bytes[(HeaderSize - 8)..]) == Checksum.Of(bytes[..(HeaderSize - 8)]);
    }

    public static void WriteFrameHeader(Span<byte> into, uint number, long length, StoreTime created, ulong nonce)
    {
        var w = new ByteWriter(into);
        w.U64(FrameMagic);
        w.U64(nonce);
        w.U64(number);
        w.U64((ulong)length);
        w.U64((ulong)created.Milliseconds);
        w.U64(0);
        w.U64(Checksum.Of(into[..(FrameHeaderSize - 8)], nonce));
    }

    /// <summary>False = this is no frame of the segment with this nonce (null: of any).</summary>
    public static bool TryReadFrameHeader(ReadOnlySpan<byte> bytes, long offset, ref ulong? nonce, out SegmentRow row)
    {
        row = default;
        if (bytes.Length < FrameHeaderSize) return false;
        var r = new ByteReader(bytes[..FrameHeaderSize]);
        if (r.U64() != FrameMagic) return false;
        var own = r.U64();
        if (nonce is { } known && known != own) return false;
        var number = r.U64();
        var length = r.U64();
        var created = r.U64();
        r.Take(8);
        if (r.U64() != Checksum.Of(bytes[..(FrameHeaderSize - 8)], own) || number > uint.MaxValue || length > long.MaxValue / 2) return false;
        nonce = own;
        row = new SegmentRow((uint)number, offset + FrameHeaderSize, (long)length, new StoreTime((long)created));
        return true;
    }

    /// <summary>The rows of a segment, to end it with or to keep beside it.</summary>
    public static byte[] Footer(IReadOnlyList<SegmentRow> rows, ulong nonce)
    {
        var bytes = new byte[rows.Count * RowSize + FooterTrailerSize];
        var w = new ByteWriter(bytes);
        foreach (var row in rows)
        {
            w.U32(row.Number);
            w.U64((ulong)row.Offset);
            w.U64((ulong)row.Length);
            w.U64((ulong)row.Created.Milliseconds);
        }

        w.U64((ulong)rows.Count);
        w.U64(nonce);
        w.U64(FooterMagic);
        w.U64(Checksum.Of(bytes.AsSpan(0, bytes.Length - 8), nonce));
        return bytes;
    }

    /// <summary>Octets of the whole footer, from its trailer; -1 = this is none.</summary>
    public static long FooterSize(ReadOnlySpan<byte> trailer)
    {
        var r = new ByteReader(trailer);
        var count = r.U64();
        r.U64();
        return r.U64() == FooterMagic && trailer.Length == FooterTrailerSize && count <= int.MaxValue / RowSize - 2 ? (long)count * RowSize + FooterTrailerSize : -1;
    }

    public static bool TryReadFooter(ReadOnlySpan<byte> bytes, long segmentLength, [NotNullWhen(true)] out List<SegmentRow>? rows, out ulong nonce)
    {
        rows = null;
        nonce = 0;
        if (bytes.Length < FooterTrailerSize || FooterSize(bytes[^FooterTrailerSize..]) != bytes.Length) return false;
        nonce = BinaryPrimitives.ReadUInt64BigEndian(bytes[^24..]);
        if (BinaryPrimitives.ReadUInt64BigEndian(bytes[^8..]) != Checksum.Of(bytes[..^8], nonce)) return false;
        var r = new ByteReader(bytes[..^FooterTrailerSize]);
        var read = new List<SegmentRow>(bytes.Length / RowSize);
        while (r.Remaining > 0)
        {
            var row = new SegmentRow(r.U32(), (long)r.U64(), (long)r.U64(), new StoreTime((long)r.U64()));
            if (row.Offset < 0 || row.Length < 0 || row.Offset > segmentLength - row.Length) return false;
            read.Add(row);
        }

        rows = read;
        return true;
    }

    /// <summary>A row of the list of deleted packs beside a segment.</summary>
    public static byte[] Deletion(uint number, ulong nonce)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), (uint)Checksum.Of(bytes.AsSpan(0, 4), nonce));
        return bytes;
    }

    public static bool TryReadDeletion(ReadOnlySpan<byte> bytes, ulong nonce, out uint number)
    {
        number = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) == (uint)Checksum.Of(bytes[..4], nonce);
    }
}
