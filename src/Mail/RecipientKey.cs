using System.Buffers.Binary;

namespace Angarium.Mail;

/// <summary>
/// Who a recipient of an accepted message is, for life (design rule 4): the writer and number of the pack it was born in and its
/// ordinal there. It names no place: a moved pack keeps the birth keys of its entries. 14 bytes, big endian, in every store.
/// </summary>
public readonly record struct RecipientKey(ulong Writer, uint Pack, ushort Ordinal) : IComparable<RecipientKey>
{
    /// <summary>Length of the binary form, in octets.</summary>
    public const int Size = 14;

    public PackId PackId => new(Writer, Pack);

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Writer);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], Pack);
        BinaryPrimitives.WriteUInt16BigEndian(destination[12..], Ordinal);
    }

    public static RecipientKey Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64BigEndian(source),
        BinaryPrimitives.ReadUInt32BigEndian(source[8..]),
        BinaryPrimitives.ReadUInt16BigEndian(source[12..]));

    public int CompareTo(RecipientKey other)
    {
        var byWriter = Writer.CompareTo(other.Writer);
        if (byWriter != 0) return byWriter;
        var byPack = Pack.CompareTo(other.Pack);
        return byPack != 0 ? byPack : Ordinal.CompareTo(other.Ordinal);
    }

    /// <summary>The 23 base32 characters that people see (as of a <see cref="MessageId"/>).</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Base32.Encode(bytes);
    }

    public static bool TryParse(ReadOnlySpan<char> text, out RecipientKey key)
    {
        Span<byte> bytes = stackalloc byte[Size];
        if (!Base32.TryDecode(text, bytes))
        {
            key = default;
            return false;
        }

        key = Read(bytes);
        return true;
    }
}
