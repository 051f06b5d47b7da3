using Angarium.Spool.Codec;

namespace Angarium.Spool.Ledger;

/// <summary>Decodes what an <see cref="ILedgerStore"/> read. Pure.</summary>
public static class LedgerReader
{
    /// <summary>The records of whole blocks, in order. A record that is wrong in spite of its block's checksum is passed over by its length, and counted in <paramref name="damaged"/>.</summary>
    public static List<LedgerRecord> Decode(ReadOnlySpan<byte> blocks, out int damaged)
    {
        var records = new List<LedgerRecord>();
        damaged = 0;
        while (LedgerBlock.ClaimedSize(blocks) is > 0 and var size && size <= blocks.Length)
        {
            var payload = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(blocks[4..]);
            var reader = new ByteReader(blocks.Slice(LedgerBlock.HeaderSize, payload));
            while (reader.Remaining > 0)
            {
                if (LedgerCodec.Read(ref reader) is { } record)
                {
                    // It may finish its recipient: who cannot tell must not go on as if it did not.
                    if (record.Kind is 0 or > LedgerKind.Released) throw new IOException($"A record of {record.Key} is of kind {(int)record.Kind}: a newer build wrote it, and this one does not know it; run the newer build");
                    records.Add(record);
                    continue;
                }

                damaged++;
                if (reader.Failed) break;
            }

            blocks = blocks[size..];
        }

        return records;
    }

    /// <summary>The same; what is damaged is counted in the metrics too.</summary>
    public static (IEnumerable<LedgerRecord> Records, int Damaged) Decode(ReadOnlyMemory<byte> blocks)
    {
        var records = Decode(blocks.Span, out var damaged);
        for (var i = 0; i < damaged; i++) SpoolInstruments.Corrupt();
        return (records, damaged);
    }

    public static List<LedgerRecord> Decode(LedgerRead read) => Decode(read.Data.Span, out _);
}
