using System.IO.Hashing;

namespace Angarium.Spool.Codec;

/// <summary>The checksum of all stored records: XXH3, 64 bits, seeded with what the record belongs to, so that an intact record in the wrong place fails too. Pure.</summary>
internal static class Checksum
{
    public static ulong Of(ReadOnlySpan<byte> bytes, ulong seed = 0) => XxHash3.HashToUInt64(bytes, unchecked((long)seed));
}
