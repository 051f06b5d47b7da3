using System.Buffers.Binary;
using System.Text;
using Angarium.Mail;

namespace Angarium.Spool.Codec;

/// <summary>
/// Reads stored records without trusting them: past the end, or on a number out of range, it sets <see cref="Failed"/> and returns empty values from then on,
/// so nothing throws and no allocation exceeds what the source itself holds. A value on the caller's stack.
/// </summary>
internal ref struct ByteReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    public bool Failed { get; private set; }

    public readonly int Remaining => _rest.Length;

    /// <summary>All was read and nothing was wrong.</summary>
    public readonly bool IsComplete => !Failed && _rest.IsEmpty;

    public ReadOnlySpan<byte> Take(int count)
    {
        if (Failed || (uint)count > (uint)_rest.Length)
        {
            Failed = true;
            return default;
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    public byte U8() => Take(1) is { Length: 1 } b ? b[0] : (byte)0;

    public uint U32() => Take(4) is { Length: 4 } b ? BinaryPrimitives.ReadUInt32BigEndian(b) : 0;

    public ulong U64() => Take(8) is { Length: 8 } b ? BinaryPrimitives.ReadUInt64BigEndian(b) : 0;

    /// <summary>Base-128, least group first, at most 10 octets.</summary>
    public ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var octet = U8();
            if (Failed) return 0;
            if (shift == 63 && octet > 1) break;
            value |= (ulong)(octet & 0x7f) << shift;
            if (octet < 0x80) return value;
        }

        Failed = true;
        return 0;
    }

    /// <summary>A varint that is at most <paramref name="max"/>.</summary>
    public long Number(long max)
    {
        var value = Varint();
        if (value <= (ulong)max) return (long)value;
        Failed = true;
        return 0;
    }

    /// <summary>A count of things that take at least <paramref name="least"/> octets each: never more than can follow.</summary>
    public int Count(int least) => (int)Number(_rest.Length / least);

    public StoreTime Time() => new(Number(long.MaxValue));

    public RecipientKey Key() => Take(RecipientKey.Size) is { Length: RecipientKey.Size } b ? RecipientKey.Read(b) : default;

    public ReadOnlySpan<byte> Bytes() => Take((int)Number(int.MaxValue));

    public string Text() => Encoding.UTF8.GetString(Bytes());

    /// <summary>A text that may be absent: its length plus one, or 0.</summary>
    public string? OptionalText()
    {
        var length = Number(int.MaxValue);
        return length == 0 ? null : Encoding.UTF8.GetString(Take((int)length - 1));
    }
}
