using Angarium.Mail;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Ledger;

/// <summary>
/// The stored form of ledger records, version 1: length, flags, kind, key, time, then what the flags name. Unknown octets at a record's end are passed over, so that a later version may
/// add to it. Texts are cut to their bounds, and so are numbers: whatever a worker reported, what is written can be read. Pure.
/// </summary>
internal static class LedgerCodec
{
    private const int MaxText = 1000, MaxAddress = 320, MaxRemote = 300, MaxTenant = 64, MaxCode = 999, MaxLabels = Envelope.MaxLabels;

    [Flags]
    private enum Parts : ushort { Attempt = 1, Reply = 2, Own = 4, Remote = 8, Tls = 16, PossibleDuplicate = 32, Due = 64, Summary = 128, Status = 256, Labels = 512, Recovered = 1024 }

    /// <summary>Most octets the record takes.</summary>
    public static int Bound(LedgerRecord record)
    {
        var bound = 5 + 4 + 1 + RecipientKey.Size + 3 * ByteWriter.MaxVarint;
        if (record.Reply is { } reply) bound += 12 + ByteWriter.MaxText(Cut(reply.Text, MaxText));
        bound += ByteWriter.MaxText(Cut(record.Remote, MaxRemote)) + ByteWriter.MaxText(Cut(record.Tls, MaxRemote));
        if (record.Summary is { } s)
            bound += RecipientKey.Size + 2 * ByteWriter.MaxVarint + ByteWriter.MaxText(Cut(s.ReversePath, MaxAddress)) + ByteWriter.MaxText(Cut(s.Recipient, MaxAddress)) + ByteWriter.MaxText(Cut(s.Tenant, MaxTenant)) + ByteWriter.MaxText(Cut(s.Labels, MaxLabels));
        return bound;
    }

    public static void Write(ref ByteWriter writer, LedgerRecord record)
    {
        var length = writer.Take(4);
        var start = writer.Position;
        var reply = record.Reply;
        var parts = (record.Attempt != 0 ? Parts.Attempt : 0) | (reply is not null ? Parts.Reply : 0) | (record.Own ? Parts.Own : 0) | (record.Remote is not null ? Parts.Remote : 0)
            | (record.Tls is not null ? Parts.Tls : 0) | (record.PossibleDuplicate ? Parts.PossibleDuplicate : 0) | (record.Due != default ? Parts.Due : 0)
            | (record.Summary is not null ? Parts.Summary : 0) | (reply is { Status.IsNone: false } ? Parts.Status : 0)
            | (record.Summary?.Labels is not null ? Parts.Labels : 0) | (record.IsRecovered ? Parts.Recovered : 0);
        writer.Number((long)parts);
        writer.U8((byte)record.Kind);
        writer.Key(record.Key);
        writer.Time(record.Time);
        if (record.Attempt != 0) writer.Number(Math.Max(0, record.Attempt));
        if (reply is not null)
        {
            writer.Number(Math.Clamp(reply.Code, 0, MaxCode));
            if (!reply.Status.IsNone)
            {
                writer.U8(reply.Status.Class);
                writer.Number(reply.Status.Subject);
                writer.Number(reply.Status.Detail);
            }

            writer.Text(Cut(reply.Text, MaxText)!);
        }

        if (record.Remote is not null) writer.Text(Cut(record.Remote, MaxRemote)!);
        if (record.Tls is not null) writer.Text(Cut(record.Tls, MaxRemote)!);
        if (record.Due != default) writer.Time(record.Due);
        if (record.Summary is { } summary)
        {
            writer.Key(summary.Message.First);
            writer.Text(Cut(summary.ReversePath, MaxAddress)!);
            writer.Text(Cut(summary.Recipient, MaxAddress)!);
            writer.Text(Cut(summary.Tenant, MaxTenant)!);
            writer.Time(StoreTime.Max(StoreTime.Zero, summary.Accepted));
            writer.Number(Math.Max(0, summary.Size));
            if (summary.Labels is not null) writer.Text(Cut(summary.Labels, MaxLabels)!);
        }

        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(length, (uint)(writer.Position - start));
    }

    /// <summary>Null = what follows is no record.</summary>
    public static LedgerRecord? Read(ref ByteReader blocks)
    {
        var length = blocks.U32();
        var bytes = blocks.Take(length <= int.MaxValue ? (int)length : -1);
        if (blocks.Failed) return null;
        var r = new ByteReader(bytes);
        var parts = (Parts)r.Number(ushort.MaxValue);
        var kind = (LedgerKind)r.U8();
        var key = r.Key();
        var time = r.Time();
        var attempt = (parts & Parts.Attempt) != 0 ? (int)r.Number(int.MaxValue) : 0;
        Reply? reply = null;
        if ((parts & Parts.Reply) != 0)
        {
            var code = (int)r.Number(MaxCode);
            var status = (parts & Parts.Status) != 0 ? new EnhancedStatus(r.U8(), (ushort)r.Number(ushort.MaxValue), (ushort)r.Number(ushort.MaxValue)) : default;
            reply = new Reply(code, status, r.Text());
        }

        var remote = (parts & Parts.Remote) != 0 ? r.Text() : null;
        var tls = (parts & Parts.Tls) != 0 ? r.Text() : null;
        var due = (parts & Parts.Due) != 0 ? r.Time() : default;
        EnvelopeSummary? summary = null;
        if ((parts & Parts.Summary) != 0)
            summary = new EnvelopeSummary
            {
                Message = new MessageId(r.Key()), ReversePath = r.Text(), Recipient = r.Text(), Tenant = r.Text(), Accepted = r.Time(), Size = r.Number(long.MaxValue),
                Labels = (parts & Parts.Labels) != 0 ? r.Text() : null,
            };
        if (r.Failed) return null;
        return new LedgerRecord
        {
            Kind = kind, Key = key, Time = time, Attempt = attempt, Reply = reply, Own = (parts & Parts.Own) != 0, Remote = remote, Tls = tls,
            PossibleDuplicate = (parts & Parts.PossibleDuplicate) != 0, IsRecovered = (parts & Parts.Recovered) != 0, Due = due, Summary = summary,
        };
    }

    /// <summary>At most this many characters; a surrogate pair is not split.</summary>
    private static string? Cut(string? text, int most)
    {
        if (text is null || text.Length <= most) return text;
        return text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
    }
}
