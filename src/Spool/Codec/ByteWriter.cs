using System.Buffers.Binary;
using System.Text;
using Angarium.Mail;

namespace Angarium.Spool.Codec;

/// <summary>Writes stored records, the reverse of <see cref="ByteReader"/>, into a span that the caller made large enough. A value on the caller's stack.</summary>
internal ref struct ByteWriter(Span<byte> destination)
{
    /// <summary>Most octets a varint takes.</summary>
    public const int MaxVarint = 10;

    private readonly Span<byte> _destination = destination;

    public int Position { get; private set; }

    /// <summary>Most octets <see cref="Text"/> or <see cref="OptionalText"/> takes.</summary>
    public static int MaxText(string? text) => MaxVarint + (text is null ? 0 : Encoding.UTF8.GetMaxByteCount(text.Length));

    public Span<byte> Take(int count)
    {
        var taken = _destination.Slice(Position, count);
        Position += count;
        return taken;
    }

    public void U8(byte value) => Take(1)[0] = value;

    public void U32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(Take(4), value);

    public void U64(ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Take(8), value);

    public void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) U8((byte)(value | 0x80));
        U8((byte)value);
    }

    /// <summary>A number that is never negative.</summary>
    public void Number(long value) => Varint(checked((ulong)value));

    public void Time(StoreTime value) => Number(value.Milliseconds);

    public void Key(RecipientKey key) => key.Write(Take(RecipientKey.Size));

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Number(bytes.Length);
        bytes.CopyTo(Take(bytes.Length));
    }

    public void Text(string text)
    {
        Number(Encoding.UTF8.GetByteCount(text));
        Position += Encoding.UTF8.GetBytes(text, _destination[Position..]);
    }

    public void OptionalText(string? text)
    {
        if (text is null)
        {
            U8(0);
            return;
        }

        Number(Encoding.UTF8.GetByteCount(text) + 1L);
        Position += Encoding.UTF8.GetBytes(text, _destination[Position..]);
    }
}
