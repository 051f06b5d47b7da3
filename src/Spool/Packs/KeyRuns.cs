using Angarium.Mail;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Packs;

/// <summary>Keys as stored: runs of consecutive ordinals, each relative to the pack they are written in when it is their birth pack. Pure.</summary>
internal static class KeyRuns
{
    /// <summary>Most octets of the keys of one entry.</summary>
    public static int MaxSize(int keys) => ByteWriter.MaxVarint + keys * (1 + 12 + 3 + 3);

    public static void Write(ref ByteWriter writer, IReadOnlyList<RecipientKey> keys, PackId home)
    {
        var runs = 0;
        for (var i = 0; i < keys.Count; i++) if (i == 0 || !Follows(keys[i - 1], keys[i])) runs++;
        writer.Number(runs);
        for (var i = 0; i < keys.Count;)
        {
            var first = keys[i];
            var count = 1;
            while (i + count < keys.Count && Follows(keys[i + count - 1], keys[i + count])) count++;
            WriteKey(ref writer, first, home);
            writer.Number(count);
            i += count;
        }
    }

    /// <summary>Null when the stored form is wrong.</summary>
    public static IReadOnlyList<RecipientKey>? Read(ref ByteReader reader, PackId home)
    {
        var runs = reader.Count(3);
        if (runs == 1)
        {
            var first = ReadKey(ref reader, home);
            var count = (int)reader.Number(ushort.MaxValue + 1);
            return reader.Failed || count == 0 || first.Ordinal + count > ushort.MaxValue + 1 ? null : new KeyRun(first.PackId, first.Ordinal, count);
        }

        var keys = new List<RecipientKey>(runs);
        for (var run = 0; run < runs; run++)
        {
            var first = ReadKey(ref reader, home);
            var count = (int)reader.Number(ushort.MaxValue + 1);
            if (reader.Failed || count == 0 || first.Ordinal + count > ushort.MaxValue + 1 || keys.Count + count > PackFormat.MaxRecipients) return null;
            for (var i = 0; i < count; i++) keys.Add(first with { Ordinal = (ushort)(first.Ordinal + i) });
        }

        return keys.Count == 0 ? null : keys;
    }

    public static void WriteKey(ref ByteWriter writer, RecipientKey key, PackId home)
    {
        var isHome = key.PackId == home;
        writer.U8(isHome ? (byte)0 : (byte)1);
        if (!isHome)
        {
            writer.U64(key.Writer);
            writer.U32(key.Pack);
        }

        writer.Number(key.Ordinal);
    }

    public static RecipientKey ReadKey(ref ByteReader reader, PackId home)
    {
        var isHome = reader.U8() == 0;
        var pack = isHome ? home : new PackId(reader.U64(), reader.U32());
        return pack.Recipient((ushort)reader.Number(ushort.MaxValue));
    }

    private static bool Follows(RecipientKey a, RecipientKey b) => a.PackId == b.PackId && a.Ordinal + 1 == b.Ordinal;
}
