using Angarium.Mail;

namespace Angarium.Grains.View;

/// <summary>Two bits for each recipient of one birth pack. Written under its own lock, read by any thread. Survives in checkpoints.</summary>
internal sealed class PackBits
{
    private byte[] _bits = [];
    private int _finished;

    /// <summary>When the pack was created; zero = in no listing yet.</summary>
    public StoreTime Created { get; set; }

    /// <summary>It was in the last listing.</summary>
    public bool Listed { get; set; }

    /// <summary>Since when it has been in no listing.</summary>
    public StoreTime MissingSince { get; set; }

    /// <summary>The moved packs that hold some of its recipients. Replaced, never changed.</summary>
    public MovedPack[] Copies { get; set; } = [];

    public int Finished => Volatile.Read(ref _finished);

    public RecipientBits this[ushort ordinal]
    {
        get
        {
            var bits = Volatile.Read(ref _bits);
            return ordinal >> 2 < bits.Length ? (RecipientBits)(bits[ordinal >> 2] >> (ordinal & 3) * 2 & 3) : RecipientBits.None;
        }
    }

    public void Set(ushort ordinal, RecipientBits bit)
    {
        lock (this)
        {
            var bits = _bits;
            if (ordinal >> 2 >= bits.Length) Array.Resize(ref bits, Math.Max((ordinal >> 2) + 1, Math.Min(bits.Length * 2, 16_384)));
            var before = bits[ordinal >> 2];
            bits[ordinal >> 2] |= (byte)((int)bit << (ordinal & 3) * 2);
            Volatile.Write(ref _bits, bits);
            if (bit == RecipientBits.Finished && (before >> (ordinal & 3) * 2 & (int)RecipientBits.Finished) == 0) _finished++;
        }
    }

    public byte[] Copy()
    {
        lock (this) return [.. _bits];
    }

    /// <summary>Adds what a checkpoint holds.</summary>
    public void Merge(ReadOnlySpan<byte> bits)
    {
        for (var i = 0; i < bits.Length * 4 && i <= ushort.MaxValue; i++)
        {
            var bit = (RecipientBits)(bits[i >> 2] >> (i & 3) * 2 & 3);
            if ((bit & RecipientBits.Decided) != 0) Set((ushort)i, RecipientBits.Decided);
            if ((bit & RecipientBits.Finished) != 0) Set((ushort)i, RecipientBits.Finished);
        }
    }
}
