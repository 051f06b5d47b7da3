using System.Buffers.Binary;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Ledger;

/// <summary>
/// The block that ends a stream where the provider has no end mark of its own (design rule 10), version 1: magic 4, number 4, writer 8, zero 8, checksum 8, seeded with the stream's writer as
/// that of a block. It does not name its place: it may be appended to whatever the end is by then, so that no writer, however busy, keeps a sealer from winning. The first of a
/// stream counts; only more of them can follow it, for whoever appends to a position finds that taken. Pure.
/// </summary>
internal static class LedgerSeal
{
    public const int Size = 32;

    /// <summary>"LSE" and the version.</summary>
    private const uint Magic = 0x4c534501;

    public static byte[] Make(LedgerStream stream)
    {
        var seal = new byte[Size];
        var writer = new ByteWriter(seal);
        writer.U32(Magic);
        writer.U32(stream.Number);
        writer.U64(stream.Writer);
        writer.U64(0);
        writer.U64(Hash(seal, stream));
        return seal;
    }

    /// <summary>Whether a seal of the stream begins here.</summary>
    public static bool Is(ReadOnlySpan<byte> bytes, LedgerStream stream) =>
        bytes.Length >= Size && BinaryPrimitives.ReadUInt32BigEndian(bytes) == Magic && BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) == stream.Number
        && BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) == stream.Writer && BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]) == Hash(bytes, stream);

    /// <summary>How many seals end these bytes.</summary>
    public static int CountAtEnd(ReadOnlySpan<byte> bytes, LedgerStream stream)
    {
        var count = 0;
        while (bytes.Length >= Size && Is(bytes[^Size..], stream))
        {
            count++;
            bytes = bytes[..^Size];
        }

        return count;
    }

    /// <summary>The version of a block or seal that a later build wrote; null = it is none, or of a version that this build reads.</summary>
    public static int? NewerVersion(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 4 && (bytes[..3].SequenceEqual("LBK"u8) || bytes[..3].SequenceEqual("LSE"u8)) && bytes[3] > 1 ? bytes[3] : null;

    private static ulong Hash(ReadOnlySpan<byte> seal, LedgerStream stream) => Checksum.Of(seal[..24], stream.Writer ^ stream.Number);
}
