using System.Buffers.Binary;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Ledger;

/// <summary>
/// The block that ends a stream where the provider has no end mark of its own (design rule 10), version 1: magic 4, zero 12, offset in the stream 8, checksum 8. The checksum is seeded
/// with the stream's writer, as that of a block. It is the last of its stream: whoever appends to a known position finds it taken. Pure.
/// </summary>
internal static class LedgerSeal
{
    public const int Size = 32;

    /// <summary>"LSE" and the version.</summary>
    private const uint Magic = 0x4c534501;

    public static byte[] Make(LedgerStream stream, long offset)
    {
        var seal = new byte[Size];
        BinaryPrimitives.WriteUInt32BigEndian(seal, Magic);
        BinaryPrimitives.WriteUInt64BigEndian(seal.AsSpan(16), (ulong)offset);
        BinaryPrimitives.WriteUInt64BigEndian(seal.AsSpan(24), Hash(seal, stream));
        return seal;
    }

    /// <summary>Whether the stream ends here.</summary>
    public static bool Is(ReadOnlySpan<byte> bytes, LedgerStream stream, long offset) =>
        bytes.Length >= Size && BinaryPrimitives.ReadUInt32BigEndian(bytes) == Magic && BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]) == (ulong)offset
        && BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]) == Hash(bytes, stream);

    /// <summary>The version of a block or seal that a later build wrote; null = it is none, or of a version that this build reads.</summary>
    public static int? NewerVersion(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 4 && (bytes[..3].SequenceEqual("LBK"u8) || bytes[..3].SequenceEqual("LSE"u8)) && bytes[3] > 1 ? bytes[3] : null;

    private static ulong Hash(ReadOnlySpan<byte> seal, LedgerStream stream) => Checksum.Of(seal[..24], stream.Writer ^ stream.Number);
}
