using System.Buffers.Text;
using Angarium.Mail;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Ledger;

/// <summary>
/// How far somebody has read all streams of the ledger: a place in each that is not done with. What is sealed, was changed last at or before <see cref="Horizon"/> and has no place here has been
/// read to its end. Immutable; to others a word of letters, digits, `-` and `_`.
/// </summary>
public sealed class LedgerCursor
{
    private const byte Format = 1;
    private const int MaxPlaces = 10_000, MaxText = 400_000;

    internal LedgerCursor(StoreTime horizon, IReadOnlyDictionary<LedgerStream, LedgerPlace> places) => (Horizon, Places) = (horizon, places);

    public StoreTime Horizon { get; }

    internal IReadOnlyDictionary<LedgerStream, LedgerPlace> Places { get; }

    /// <summary>Before everything that was recorded from then on, and perhaps some of what was recorded before.</summary>
    public static LedgerCursor From(StoreTime time) => new(time, new Dictionary<LedgerStream, LedgerPlace>());

    public override string ToString()
    {
        var octets = new byte[1 + 8 + ByteWriter.MaxVarint + Places.Count * (8 + 4 + 2 * ByteWriter.MaxVarint)];
        var writer = new ByteWriter(octets);
        writer.U8(Format);
        writer.U64((ulong)Horizon.Milliseconds);
        writer.Number(Places.Count);
        foreach (var (stream, place) in Places.OrderBy(p => p.Key.Writer).ThenBy(p => p.Key.Number))
        {
            writer.U64(stream.Writer);
            writer.U32(stream.Number);
            writer.Number(place.Offset);
            writer.Number(place.Skip);
        }

        return Base64Url.EncodeToString(octets.AsSpan(0, writer.Position));
    }

    /// <summary>Null = it is none.</summary>
    public static LedgerCursor? Parse(string text)
    {
        if (text.Length is 0 or > MaxText || !Base64Url.IsValid(text)) return null;
        var reader = new ByteReader(Base64Url.DecodeFromChars(text));
        if (reader.U8() != Format) return null;
        var horizon = (long)reader.U64();
        var count = reader.Number(MaxPlaces);
        if (reader.Failed || horizon < 0) return null;
        var places = new Dictionary<LedgerStream, LedgerPlace>((int)count);
        for (var i = 0; i < count; i++)
        {
            var stream = new LedgerStream(reader.U64(), reader.U32());
            var (offset, skip) = (reader.Number(long.MaxValue), reader.Number(int.MaxValue));
            if (reader.Failed || !places.TryAdd(stream, new LedgerPlace(offset, (int)skip))) return null;
        }

        return reader.Remaining == 0 ? new LedgerCursor(new StoreTime(horizon), places) : null;
    }
}

/// <summary>A place in a stream: a block, and how many of its records were read. A value.</summary>
internal readonly record struct LedgerPlace(long Offset, int Skip);
