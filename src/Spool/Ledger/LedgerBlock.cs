using System.Buffers.Binary;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Ledger;

/// <summary>
/// The framing of one append, version 1: magic 4, length of the payload 4, records 4, zero 4, offset in the stream 8, checksum 8, payload, zeros to a multiple of 8. The checksum
/// covers header and payload and is seeded with the stream's writer, so that a block is believed only in its place. Pure.
/// </summary>
public static class LedgerBlock
{
    public const int HeaderSize = 32;

    public static ReadOnlySpan<byte> Letters => "LBK"u8;

    /// <summary>"LBK" and the version.</summary>
    private const uint Magic = 0x4c424b01;

    /// <summary>No block is larger.</summary>
    public const int MaxSize = 8 << 20;

    public static int Size(int payload) => (HeaderSize + payload + 7) & ~7;

    /// <summary>Completes a block whose payload lies behind the space for its header.</summary>
    public static void Seal(Span<byte> block, int payload, int records, LedgerStream stream, long offset)
    {
        var w = new ByteWriter(block);
        w.U32(Magic);
        w.U32((uint)payload);
        w.U32((uint)records);
        w.U32(0);
        w.U64((ulong)offset);
        block[(HeaderSize + payload)..Size(payload)].Clear();
        w.U64(Hash(block, payload, stream));
    }

    /// <summary>The size of the intact block that begins here; 0 = none does (or not all of it is here).</summary>
    public static int Read(ReadOnlySpan<byte> bytes, LedgerStream stream, long offset, out int payload, out int records)
    {
        payload = records = 0;
        var size = ClaimedSize(bytes);
        if (size == 0 || size > bytes.Length || BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]) != (ulong)offset) return 0;
        payload = (int)BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        records = (int)BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]);
        return BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]) == Hash(bytes, payload, stream) && records >= 0 ? size : 0;
    }

    /// <summary>What the header at the begin of <paramref name="bytes"/> says its block takes; 0 = there is none.</summary>
    public static int ClaimedSize(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= HeaderSize && BinaryPrimitives.ReadUInt32BigEndian(bytes) == Magic && BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) is <= MaxSize - HeaderSize and var payload
            ? Size((int)payload)
            : 0;

    private static ulong Hash(ReadOnlySpan<byte> block, int payload, LedgerStream stream) =>
        Checksum.Of(block.Slice(HeaderSize, payload), Checksum.Of(block[..24], stream.Writer ^ stream.Number));
}
