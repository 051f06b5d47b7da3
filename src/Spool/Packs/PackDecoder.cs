using System.Buffers.Binary;
using Angarium.Mail;
using Angarium.Mail.Tenants;
using Angarium.Spool.Codec;
using Angarium.Spool.Ledger;

namespace Angarium.Spool.Packs;

/// <summary>A pack's header as read back.</summary>
internal readonly record struct PackHeader(PackName Name, StoreTime Created, int Entries, int TableLength, ulong TableHash, long Length);

/// <summary>An entry's record as read back: its envelope and trace, and where its body lies.</summary>
internal sealed record EntryRecord(
    Envelope Envelope, IReadOnlyList<RecipientKey> Keys, MessageId Message, string Domain, ReadOnlyMemory<byte> Trace, long BodyOffset, long BodyLength, ulong BodyHash, bool IsEightBit);

/// <summary>Reads the stored form of packs without trusting it: everything is checked against checksums and bounds; wrong = false or null, never an exception. Pure.</summary>
internal static class PackDecoder
{
    public static bool TryReadHeader(ReadOnlySpan<byte> bytes, out PackHeader header)
    {
        header = default;
        if (bytes.Length < PackFormat.HeaderSize) return false;
        bytes = bytes[..PackFormat.HeaderSize];
        if (BinaryPrimitives.ReadUInt64BigEndian(bytes[^8..]) != Checksum.Of(bytes[..^8])) return false;
        var reader = new ByteReader(bytes);
        if (reader.U64() != PackFormat.Magic) return false;
        var kind = reader.U8();
        reader.Take(3);
        var name = new PackName((PackKind)kind, reader.U64(), reader.U32());
        var created = new StoreTime((long)reader.U64());
        var entries = reader.U32();
        var tableLength = reader.U32();
        var length = reader.U64();
        reader.Take(8);
        var tableHash = reader.U64();
        if (kind > (byte)PackKind.Moved || tableLength > PackFormat.MaxTable || entries > tableLength || length > long.MaxValue
            || (long)length < PackFormat.HeaderSize + tableLength) return false;
        header = new PackHeader(name, created, (int)entries, (int)tableLength, tableHash, (long)length);
        return true;
    }

    /// <summary>Null when the table is not what was written.</summary>
    public static PackToc? ReadTable(PackHeader header, ReadOnlySpan<byte> table)
    {
        if (table.Length != header.TableLength || Checksum.Of(table, header.Name.Writer) != header.TableHash) return null;
        var reader = new ByteReader(table);
        var sources = new PackName[reader.Count(13)];
        for (var i = 0; i < sources.Length; i++) sources[i] = new PackName((PackKind)reader.U8(), reader.U64(), reader.U32());
        var positions = new LedgerPosition[reader.Count(13)];
        for (var i = 0; i < positions.Length; i++) positions[i] = new LedgerPosition(new LedgerStream(reader.U64(), reader.U32()), reader.Number(long.MaxValue));

        var rows = new List<PackEntry>(Math.Min(header.Entries, reader.Remaining / 16));
        string domain = "", tenant = "";
        for (var i = 0; i < header.Entries; i++)
        {
            var flags = (RowFlags)reader.U8();
            var @class = (MessageClass)reader.U8();
            var offset = reader.U32();
            var length = reader.U32();
            var contentLength = reader.Number(long.MaxValue);
            var born = reader.Time();
            var notBefore = (flags & RowFlags.NotBefore) != 0 ? reader.Time() : default;
            if ((flags & RowFlags.SameDomain) == 0) domain = reader.Text();
            if ((flags & RowFlags.SameTenant) == 0) tenant = reader.Text();
            var message = new MessageId(KeyRuns.ReadKey(ref reader, header.Name.Id));
            var keys = KeyRuns.Read(ref reader, header.Name.Id);
            var (birthOffset, birthLength) = (flags & RowFlags.Birth) != 0 ? (reader.U32(), reader.U32()) : (offset, length);
            if (reader.Failed || keys is null || !IsAtHome(header.Name, message, keys) || offset < PackFormat.HeaderSize + header.TableLength || (long)offset + length > header.Length) return null;
            rows.Add(new PackEntry
            {
                Domain = domain, Tenant = tenant, Class = @class, Offset = offset, Length = length, ContentLength = contentLength, Keys = keys, Born = born, NotBefore = notBefore,
                Message = message, BirthOffset = birthOffset, BirthLength = birthLength,
            });
        }

        return reader.IsComplete ? new PackToc { Name = header.Name, Created = header.Created, Entries = rows, Sources = sources, Positions = positions } : null;
    }

    /// <summary>A key names the pack of its birth: only a copy holds others'. Whoever may create packs could else speak of mail in packs that are not theirs.</summary>
    private static bool IsAtHome(PackName pack, MessageId message, IReadOnlyList<RecipientKey> keys)
    {
        if (pack.Kind != PackKind.Birth) return true;
        if (message.First.PackId != pack.Id) return false;
        foreach (var key in keys)
            if (key.PackId != pack.Id) return false;
        return true;
    }

    /// <summary>The length that a record claims, from its first 8 octets; -1 = this is none.</summary>
    public static int RecordLength(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 8 && BinaryPrimitives.ReadUInt32BigEndian(bytes) is PackFormat.EntryMagic or PackFormat.LaterEntryMagic
        && BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) is >= PackFormat.RecordHeadSize + 8 and <= PackFormat.MaxTable and var length ? (int)length : -1;

    /// <summary>Null when the record is not what was written. Its trace refers to <paramref name="memory"/>.</summary>
    public static EntryRecord? ReadRecord(PackName pack, ReadOnlyMemory<byte> memory)
    {
        var bytes = memory.Span;
        if (RecordLength(bytes) != bytes.Length || BinaryPrimitives.ReadUInt64BigEndian(bytes[^8..]) != Checksum.Of(bytes[..^8], pack.Writer)) return null;
        var home = pack.Id;
        var reader = new ByteReader(bytes[8..^8]);
        var bodyOffset = reader.U64();
        var bodyLength = reader.U64();
        var bodyHash = reader.U64();
        var flags = (RecordFlags)reader.U8();
        var bodyType = (BodyType)reader.U8();
        var ret = (DsnReturn)reader.U8();
        var @class = (MessageClass)reader.U8();
        var message = new MessageId(KeyRuns.ReadKey(ref reader, home));
        var accepted = reader.Time();
        var notBefore = reader.Time();
        var tenant = reader.Text();
        var domain = reader.Text();
        var reversePath = reader.Text();
        var envelopeId = reader.OptionalText();
        var keys = KeyRuns.Read(ref reader, home);
        if (reader.Failed || keys is null || !IsAtHome(pack, message, keys) || keys.Count > reader.Remaining / 3) return null;
        var recipients = new EnvelopeRecipient[keys.Count];
        for (var i = 0; i < recipients.Length; i++) recipients[i] = new EnvelopeRecipient(reader.Text(), (DsnNotify)reader.U8(), reader.OptionalText());
        ReturnTag? tag = null;
        string? labels = null;
        if (BinaryPrimitives.ReadUInt32BigEndian(bytes) == PackFormat.LaterEntryMagic)
        {
            var returns = reader.OptionalText();
            var (nonce, high, low) = (reader.U64(), reader.U64(), reader.U64());
            if (returns is not null) tag = new ReturnTag(returns, nonce, new UInt128(high, low));
            labels = reader.OptionalText();
        }

        var traceLength = reader.Bytes().Length;
        if (!reader.IsComplete || bodyOffset > long.MaxValue / 2 || bodyLength > long.MaxValue / 2) return null;
        var envelope = new Envelope
        {
            ReversePath = reversePath, Body = bodyType, SmtpUtf8 = (flags & RecordFlags.SmtpUtf8) != 0, Return = ret, EnvelopeId = envelopeId, Tenant = tenant, Class = @class,
            Accepted = accepted, NotBefore = notBefore, NoticesAllowed = (flags & RecordFlags.NoticesAllowed) != 0, ReturnTag = tag, Labels = labels, Recipients = recipients,
        };
        var trace = memory.Slice(memory.Length - 8 - traceLength, traceLength);
        return new EntryRecord(envelope, keys, message, domain, trace, (long)bodyOffset, (long)bodyLength, bodyHash, (flags & RecordFlags.EightBitContent) != 0);
    }
}
