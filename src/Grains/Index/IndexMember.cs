using System.Buffers.Binary;
using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>
/// What the index holds of one queued recipient: 24 octets, all of them facts of birth, so that the sweep makes the same member from a table of
/// contents. Whatever changes is in the score. A value.
/// </summary>
/// <param name="Offset">Of the entry in the birth pack.</param>
/// <param name="Length">Of the entry in the birth pack.</param>
/// <param name="First">Ordinal of the message's first recipient: with the key's pack it names the message (a message is in one pack).</param>
public readonly record struct IndexMember(RecipientKey Key, uint Offset, uint Length, ushort First)
{
    /// <summary>Length of the binary form, in octets.</summary>
    public const int Size = 24;

    public RecipientKey Message => Key with { Ordinal = First };

    public EntryPlace Birth => new(PackName.Birth(Key.PackId), Offset, Length);

    public void Write(Span<byte> destination)
    {
        Key.Write(destination);
        BinaryPrimitives.WriteUInt32BigEndian(destination[14..], Offset);
        BinaryPrimitives.WriteUInt32BigEndian(destination[18..], Length);
        BinaryPrimitives.WriteUInt16BigEndian(destination[22..], First);
    }

    public static IndexMember Read(ReadOnlySpan<byte> source) => new(
        RecipientKey.Read(source),
        BinaryPrimitives.ReadUInt32BigEndian(source[14..]),
        BinaryPrimitives.ReadUInt32BigEndian(source[18..]),
        BinaryPrimitives.ReadUInt16BigEndian(source[22..]));
}
