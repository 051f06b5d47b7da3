using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.View;

// Checkpoints `view/<n>` and what they allow to delete: streams older than the retention that a durable checkpoint covers and no pack names.
internal sealed partial class RecordView
{
    /// <summary>The item of shares that checkpoints are.</summary>
    public const ulong Share = 0x76696577;

    private const string Prefix = "view/";
    private static ReadOnlySpan<byte> Magic => "ANGV0001"u8;

    /// <summary>
    /// Writes a checkpoint, keeps the two newest, and deletes streams that nothing needs any more. One silo does it for all; two at a time do no harm.
    /// </summary>
    public async Task CheckpointAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        await RefreshAsync(cancellationToken);
        Dictionary<LedgerStream, (long Offset, bool Sealed)> covered;
        lock (_gate) covered = new(_positions);
        var number = (await documents.ListAsync(Prefix, cancellationToken)).Select(NumberOf).DefaultIfEmpty().Max() + 1;
        // Made by another meanwhile: his is as good.
        if (await documents.WriteAsync(Prefix + number.ToString("d20", CultureInfo.InvariantCulture), Encode(covered), null, cancellationToken) is null) return;
        var names = await documents.ListAsync(Prefix, cancellationToken);
        foreach (var old in names.SkipLast(2)) await documents.DeleteAsync(old, cancellationToken);
        await DeleteStreamsAsync(retention, covered, cancellationToken);
        if (!standing.IsSoleProcess) await WritersDocument.TidyAsync(documents, clock.Now, cancellationToken);
    }

    private async Task DeleteStreamsAsync(TimeSpan retention, Dictionary<LedgerStream, (long Offset, bool Sealed)> covered, CancellationToken cancellationToken)
    {
        var streams = new List<LedgerStreamListing>();
        await foreach (var listing in ledger.ListAsync(cancellationToken)) streams.Add(listing);
        // Rule 10: kept from the earliest position that any pack names. What such a pack needs besides was begun after it was made.
        var moved = AllMoved;
        var named = moved.SelectMany(m => m.Positions).Select(p => p.Stream).ToHashSet();
        var oldest = moved.Count > 0 ? moved.Min(m => m.Created) : clock.Now;
        foreach (var (stream, _, isSealed, modified) in streams)
        {
            if (!isSealed || clock.Now - modified < retention || stream.Writer == ownWriter() || named.Contains(stream) || modified > oldest - ForgetAfter) continue;
            if (!covered.TryGetValue(stream, out var position) || !position.Sealed) continue;
            await ledger.DeleteAsync(stream, cancellationToken);
            lock (_gate) _positions.Remove(stream);
        }
    }

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        foreach (var name in (await documents.ListAsync(Prefix, cancellationToken)).Reverse())
        {
            if (await documents.ReadAsync(name, cancellationToken) is not { } document) continue;
            if (TryDecode(document.Content))
            {
                _forgot = true;
                return;
            }

            if (document.Content.Span.StartsWith(Magic[..4]) && !document.Content.Span.StartsWith(Magic)) LogNewerCheckpoint(log, name);
            else LogBadCheckpoint(log, name);
        }
    }

    private static ulong NumberOf(string name) => ulong.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private byte[] Encode(Dictionary<LedgerStream, (long Offset, bool Sealed)> positions)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        writer.Write(Magic);
        writer.Write(positions.Count);
        foreach (var (stream, position) in positions)
        {
            writer.Write(stream.Writer);
            writer.Write(stream.Number);
            writer.Write(position.Offset);
            writer.Write(position.Sealed);
        }

        var packs = _packs.ToArray();
        writer.Write(packs.Length);
        foreach (var (id, pack) in packs)
        {
            var bits = pack.Copy();
            writer.Write(id.Writer);
            writer.Write(id.Number);
            writer.Write(pack.Created.Milliseconds);
            writer.Write(bits.Length);
            writer.Write(bits);
        }

        var decisions = _decisions.Values.ToArray();
        writer.Write(decisions.Length);
        foreach (var decision in decisions) Write(writer, decision);
        writer.Flush();
        writer.Write(XxHash3.HashToUInt64(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)));
        writer.Flush();
        return buffer.ToArray();
    }

    private bool TryDecode(ReadOnlyMemory<byte> content)
    {
        if (content.Length < Magic.Length + 8 || !content.Span.StartsWith(Magic)) return false;
        var body = content[..^8];
        if (BinaryPrimitives.ReadUInt64LittleEndian(content.Span[^8..]) != XxHash3.HashToUInt64(body.Span)) return false;
        using var reader = new BinaryReader(new MemoryStream(body[Magic.Length..].ToArray()));
        for (var count = reader.ReadInt32(); count > 0; count--)
        {
            var stream = new LedgerStream(reader.ReadUInt64(), reader.ReadUInt32());
            _positions[stream] = (reader.ReadInt64(), reader.ReadBoolean());
        }

        for (var count = reader.ReadInt32(); count > 0; count--)
        {
            // Added to what is there: this silo's own records may have come before, and are read from no stream.
            var pack = _packs.GetOrAdd(new PackId(reader.ReadUInt64(), reader.ReadUInt32()), static _ => new PackBits());
            pack.Created = new StoreTime(reader.ReadInt64());
            pack.Merge(reader.ReadBytes(reader.ReadInt32()));
        }

        for (var count = reader.ReadInt32(); count > 0; count--) Take(ReadDecision(reader));
        return true;
    }

    // What a notice needs of the record that decided.
    private static void Write(BinaryWriter writer, LedgerRecord decision)
    {
        Span<byte> key = stackalloc byte[RecipientKey.Size];
        decision.Key.Write(key);
        writer.Write(key);
        writer.Write((byte)decision.Kind);
        writer.Write(decision.Time.Milliseconds);
        writer.Write(decision.Attempt);
        writer.Write(decision.Own);
        writer.Write(decision.Remote ?? "");
        writer.Write(decision.Reply is not null);
        if (decision.Reply is not { } reply) return;
        writer.Write(reply.Code);
        writer.Write(reply.Status.Class);
        writer.Write(reply.Status.Subject);
        writer.Write(reply.Status.Detail);
        writer.Write(reply.Text);
    }

    private static LedgerRecord ReadDecision(BinaryReader reader)
    {
        var decision = new LedgerRecord
        {
            Key = RecipientKey.Read(reader.ReadBytes(RecipientKey.Size)), Kind = (LedgerKind)reader.ReadByte(), Time = new StoreTime(reader.ReadInt64()),
            Attempt = reader.ReadInt32(), Own = reader.ReadBoolean(), Remote = reader.ReadString() is { Length: > 0 } remote ? remote : null,
        };
        return reader.ReadBoolean()
            ? decision with { Reply = new Reply(reader.ReadInt32(), new EnhancedStatus(reader.ReadByte(), reader.ReadUInt16(), reader.ReadUInt16()), reader.ReadString()) }
            : decision;
    }

    [LoggerMessage(2203, LogLevel.Warning, "The checkpoint {Name} was written by a later version of angarium; an older one or the whole ledger is read instead")]
    private static partial void LogNewerCheckpoint(ILogger logger, string name);

    [LoggerMessage(2201, LogLevel.Warning, "The checkpoint {Name} is damaged; an older one or the whole ledger is read instead")]
    private static partial void LogBadCheckpoint(ILogger logger, string name);
}
