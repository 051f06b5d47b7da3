using System.Buffers;
using System.Buffers.Binary;
using Angarium.Mail;
using Angarium.Spool.Codec;
using Angarium.Spool.Ledger;

namespace Angarium.Spool.Packs;

/// <summary>One entry to encode: a message's recipients of one domain. Its envelope's recipients are exactly those of <see cref="Keys"/>.</summary>
internal sealed record EntryDraft
{
    public required Envelope Envelope { get; init; }

    /// <summary>Indexes into the envelope's recipients, parallel to <see cref="Keys"/>; null = all, in order.</summary>
    public int[]? Picks { get; init; }

    public required IReadOnlyList<RecipientKey> Keys { get; init; }

    public required string Domain { get; init; }

    public required MessageId Message { get; init; }

    /// <summary>Moved packs: where the entry lay in its birth pack.</summary>
    public (uint Offset, uint Length)? Birth { get; init; }

    public ReadOnlyMemory<byte> Trace { get; init; }

    /// <summary>Offset in the trace of the 23 octets that the message id overwrites; -1 = none.</summary>
    public int IdOffset { get; init; } = -1;

    /// <summary>Drafts with one and the same object here share one stored body.</summary>
    public required BodyDraft Body { get; init; }

    public EnvelopeRecipient Recipient(int index) => Envelope.Recipients[Picks is null ? index : Picks[index]];
}

/// <summary>A body to store once: bytes in memory, or the tail of the pack.</summary>
internal sealed class BodyDraft
{
    public ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The body follows the head as the pack's tail.</summary>
    public ScratchContent? Tail { get; init; }

    public bool IsEightBit { get; init; }

    public long Length => Tail?.Length ?? Bytes.Length;

    /// <summary>The buffer has room for it already.</summary>
    public bool IsCounted { get; set; }

    /// <summary>Where it was stored; 0 = not yet (nothing is stored at a pack's begin).</summary>
    public long Offset { get; set; }

    public ulong Hash { get; set; }
}

/// <summary>Lays out a pack in one buffer from the pool. Pure but for the pool; on the thread of the caller.</summary>
internal static class PackEncoder
{
    /// <summary>Encodes the drafts in the order given (by domain) and returns the head's buffer and the rows of its table.</summary>
    public static (PackBuffer Head, PackEntry[] Rows) Encode(
        PackName name, StoreTime created, IReadOnlyList<EntryDraft> drafts, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions)
    {
        long bound = PackFormat.HeaderSize + 2 * ByteWriter.MaxVarint + sources.Count * 13L + positions.Count * 22L;
        ScratchContent? tail = null;
        foreach (var draft in drafts)
        {
            bound += RowBound(draft) + RecordBound(draft);
            if (!draft.Body.IsCounted) bound += draft.Body.Bytes.Length;
            draft.Body.IsCounted = true;
            tail ??= draft.Body.Tail;
        }

        var buffer = PackBuffer.Rent(checked((int)bound));
        try
        {
            var rows = Fill(buffer, name, created, drafts, sources, positions, tail);
            return (buffer, rows);
        }
        catch
        {
            buffer.Release();
            throw;
        }
    }

    private static PackEntry[] Fill(
        PackBuffer buffer, PackName name, StoreTime created, IReadOnlyList<EntryDraft> drafts, IReadOnlyList<PackName> sources,
        IReadOnlyList<LedgerPosition> positions, ScratchContent? tail)
    {
        var writer = new ByteWriter(buffer.Array);
        writer.Take(PackFormat.HeaderSize).Clear();
        var places = ArrayPool<int>.Shared.Rent(Math.Max(1, drafts.Count));
        WriteTable(ref writer, name.Id, drafts, sources, positions, places);
        var tableEnd = writer.Position;

        var rows = new PackEntry[drafts.Count];
        for (var i = 0; i < drafts.Count; i++)
        {
            var draft = drafts[i];
            var offset = writer.Position;
            WriteRecord(ref writer, name.Id, draft);
            var recordLength = writer.Position - offset;
            var body = draft.Body;
            if (body.Tail is null && body.Offset == 0)
            {
                body.Offset = writer.Position;
                body.Hash = Checksum.Of(body.Bytes.Span);
                body.Bytes.Span.CopyTo(writer.Take(body.Bytes.Length));
            }

            var length = writer.Position - offset;
            if (body.Tail is null) SealRecord(buffer.Array.AsSpan(offset, recordLength), body, name);
            BinaryPrimitives.WriteUInt32BigEndian(buffer.Array.AsSpan(places[i]), (uint)offset);
            BinaryPrimitives.WriteUInt32BigEndian(buffer.Array.AsSpan(places[i] + 4), (uint)length);
            rows[i] = new PackEntry
            {
                Domain = draft.Domain,
                Tenant = draft.Envelope.Tenant,
                Class = draft.Envelope.Class,
                Offset = (uint)offset,
                Length = (uint)length,
                BirthOffset = draft.Birth?.Offset ?? (uint)offset,
                BirthLength = draft.Birth?.Length ?? (uint)length,
                ContentLength = draft.Trace.Length + body.Length,
                Keys = draft.Keys,
                Born = draft.Envelope.Accepted,
                NotBefore = draft.Envelope.NotBefore,
                Message = draft.Message,
            };
        }

        ArrayPool<int>.Shared.Return(places);
        if (tail is not null)
        {
            for (var i = 0; i < drafts.Count; i++)
            {
                drafts[i].Body.Offset = writer.Position;
                drafts[i].Body.Hash = tail.Hash;
                SealRecord(buffer.Array.AsSpan((int)rows[i].Offset, (int)rows[i].Length), drafts[i].Body, name);
            }
        }

        buffer.Length = writer.Position;
        WriteHeader(buffer.Array, name, created, drafts.Count, tableEnd, writer.Position + (tail?.Length ?? 0));
        return rows;
    }

    private static void WriteHeader(byte[] array, PackName name, StoreTime created, int entries, int tableEnd, long length)
    {
        var writer = new ByteWriter(array);
        writer.U64(PackFormat.Magic);
        writer.U8((byte)name.Kind);
        writer.Take(3);
        writer.U64(name.Writer);
        writer.U32(name.Number);
        writer.U64((ulong)created.Milliseconds);
        writer.U32((uint)entries);
        writer.U32((uint)(tableEnd - PackFormat.HeaderSize));
        writer.U64((ulong)length);
        writer.Take(8);
        writer.U64(Checksum.Of(array.AsSpan(PackFormat.HeaderSize, tableEnd - PackFormat.HeaderSize), name.Writer));
        writer.U64(Checksum.Of(array.AsSpan(0, writer.Position)));
    }

    private static void WriteTable(
        ref ByteWriter writer, PackId home, IReadOnlyList<EntryDraft> drafts, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions, int[] places)
    {
        writer.Number(sources.Count);
        foreach (var source in sources)
        {
            writer.U8((byte)source.Kind);
            writer.U64(source.Writer);
            writer.U32(source.Number);
        }

        writer.Number(positions.Count);
        foreach (var position in positions)
        {
            writer.U64(position.Stream.Writer);
            writer.U32(position.Stream.Number);
            writer.Number(position.Offset);
        }

        string? domain = null, tenant = null;
        for (var i = 0; i < drafts.Count; i++)
        {
            var draft = drafts[i];
            var envelope = draft.Envelope;
            var flags = (draft.Domain == domain ? RowFlags.SameDomain : 0) | (envelope.Tenant == tenant ? RowFlags.SameTenant : 0)
                | (envelope.NotBefore != default ? RowFlags.NotBefore : 0) | (draft.Birth is not null ? RowFlags.Birth : 0);
            writer.U8((byte)flags);
            writer.U8((byte)envelope.Class);
            places[i] = writer.Position;
            writer.Take(8);
            writer.Number(draft.Trace.Length + draft.Body.Length);
            writer.Time(envelope.Accepted);
            if ((flags & RowFlags.NotBefore) != 0) writer.Time(envelope.NotBefore);
            if ((flags & RowFlags.SameDomain) == 0) writer.Text(domain = draft.Domain);
            if ((flags & RowFlags.SameTenant) == 0) writer.Text(tenant = envelope.Tenant);
            KeyRuns.WriteKey(ref writer, draft.Message.First, home);
            KeyRuns.Write(ref writer, draft.Keys, home);
            if (draft.Birth is not { } birth) continue;
            writer.U32(birth.Offset);
            writer.U32(birth.Length);
        }
    }

    private static void WriteRecord(ref ByteWriter writer, PackId home, EntryDraft draft)
    {
        var envelope = draft.Envelope;
        writer.U32(IsLater(envelope) ? PackFormat.LaterEntryMagic : PackFormat.EntryMagic);
        writer.Take(4 + 8 + 8 + 8);
        var flags = (envelope.SmtpUtf8 ? RecordFlags.SmtpUtf8 : 0) | (envelope.NoticesAllowed ? RecordFlags.NoticesAllowed : 0)
            | (draft.Body.IsEightBit || !System.Text.Ascii.IsValid(draft.Trace.Span) ? RecordFlags.EightBitContent : 0);
        writer.U8((byte)flags);
        writer.U8((byte)envelope.Body);
        writer.U8((byte)envelope.Return);
        writer.U8((byte)envelope.Class);
        KeyRuns.WriteKey(ref writer, draft.Message.First, home);
        writer.Time(envelope.Accepted);
        writer.Time(envelope.NotBefore);
        writer.Text(envelope.Tenant);
        writer.Text(draft.Domain);
        writer.Text(envelope.ReversePath);
        writer.OptionalText(envelope.EnvelopeId);
        KeyRuns.Write(ref writer, draft.Keys, home);
        for (var i = 0; i < draft.Keys.Count; i++)
        {
            var recipient = draft.Recipient(i);
            writer.Text(recipient.Address);
            writer.U8((byte)recipient.Notify);
            writer.OptionalText(recipient.OriginalRecipient);
        }

        if (IsLater(envelope))
        {
            writer.OptionalText(envelope.ReturnTag?.Domain);
            writer.U64(envelope.ReturnTag?.Nonce ?? 0);
            writer.U64((ulong)((envelope.ReturnTag?.Key ?? 0) >> 64));
            writer.U64((ulong)(envelope.ReturnTag?.Key ?? 0));
            writer.OptionalText(envelope.Labels);
        }

        writer.Number(draft.Trace.Length);
        var trace = writer.Take(draft.Trace.Length);
        draft.Trace.Span.CopyTo(trace);
        if (draft.IdOffset >= 0) System.Text.Encoding.ASCII.GetBytes(draft.Message.ToString(), trace[draft.IdOffset..]);
        writer.Take(8);
    }

    /// <summary>It says what the first version has no place for.</summary>
    private static bool IsLater(Envelope envelope) => envelope.ReturnTag is not null || envelope.Labels is not null;

    /// <summary>Fills in what is known last: lengths, the body's place, and the checksum over all of it.</summary>
    private static void SealRecord(Span<byte> record, BodyDraft body, PackName name)
    {
        BinaryPrimitives.WriteUInt32BigEndian(record[4..], (uint)record.Length);
        BinaryPrimitives.WriteUInt64BigEndian(record[8..], (ulong)body.Offset);
        BinaryPrimitives.WriteUInt64BigEndian(record[16..], (ulong)body.Length);
        BinaryPrimitives.WriteUInt64BigEndian(record[24..], body.Hash);
        BinaryPrimitives.WriteUInt64BigEndian(record[^8..], Checksum.Of(record[..^8], name.Writer));
    }

    /// <summary>Most octets a draft's row of the table takes.</summary>
    private static int RowBound(EntryDraft draft) =>
        2 + 16 + 3 * ByteWriter.MaxVarint + ByteWriter.MaxText(draft.Domain) + ByteWriter.MaxText(draft.Envelope.Tenant) + 16 + KeyRuns.MaxSize(draft.Keys.Count);

    /// <summary>Most octets a draft's record takes, its body apart.</summary>
    public static long RecordBound(EntryDraft draft)
    {
        var envelope = draft.Envelope;
        long bound = PackFormat.RecordHeadSize + 3 + 16 + 3 * ByteWriter.MaxVarint + ByteWriter.MaxText(envelope.Tenant) + ByteWriter.MaxText(draft.Domain)
            + ByteWriter.MaxText(envelope.ReversePath) + ByteWriter.MaxText(envelope.EnvelopeId) + KeyRuns.MaxSize(draft.Keys.Count) + draft.Trace.Length + 8;
        if (IsLater(envelope)) bound += ByteWriter.MaxText(envelope.ReturnTag?.Domain) + 24 + ByteWriter.MaxText(envelope.Labels);
        for (var i = 0; i < draft.Keys.Count; i++)
        {
            var recipient = draft.Recipient(i);
            bound += ByteWriter.MaxText(recipient.Address) + 1 + ByteWriter.MaxText(recipient.OriginalRecipient);
        }

        return bound;
    }
}

/// <summary>What a row of the table leaves out or has besides.</summary>
[Flags]
internal enum RowFlags : byte { SameDomain = 1, SameTenant = 2, NotBefore = 4, Birth = 8 }

/// <summary>Booleans of an entry's record.</summary>
[Flags]
internal enum RecordFlags : byte { SmtpUtf8 = 1, NoticesAllowed = 2, EightBitContent = 4 }
