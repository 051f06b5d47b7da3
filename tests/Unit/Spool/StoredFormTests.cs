using Angarium.Mail;
using Angarium.Mail.Tenants;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Spool;

/// <summary>The stored forms are what they were when they were published, and damage in them is told, never thrown.</summary>
public sealed class StoredFormTests
{
    private static readonly PackName Name = new(PackKind.Birth, 7, 1);
    private static readonly PackName Copy = new(PackKind.Moved, 8, 2);
    private static readonly LedgerStream Stream = new(9, 1);

    [Fact]
    public void Pack_AnyByteFlippedOrCutOff_IsRefusedWithoutAnException()
    {
        var (pack, rows) = Pack();
        Assert.Equal(rows.Length, Records(pack));
        for (var at = 0; at < pack.Length; at++)
        {
            var flipped = pack.ToArray();
            flipped[at] ^= 0x10;

            // The content lies behind the first record, and has a checksum of its own.
            var body = (int)(rows[0].Offset + rows[0].Length) - 4;
            Assert.Equal(at >= body && at < body + 4, Records(flipped) == rows.Length);
            Records(pack[..at]);
        }
    }

    [Fact]
    public void LedgerBlock_AnyByteFlippedOrCutOff_IsNone()
    {
        var block = Block();
        Assert.Equal(block.Length, LedgerBlock.Read(block, Stream, 64, out var payload, out var records));
        Assert.Equal(1, records);
        Assert.Equal(0, LedgerBlock.Read(block, Stream, 72, out _, out _));
        Assert.Equal(0, LedgerBlock.Read(block, Stream with { Writer = 10 }, 64, out _, out _));
        for (var at = 0; at < block.Length; at++)
        {
            Assert.Equal(0, LedgerBlock.Read(block.AsSpan(0, at), Stream, 64, out _, out _));
            var flipped = block.ToArray();
            flipped[at] ^= 0x10;
            if (at < LedgerBlock.HeaderSize + payload) Assert.Equal(0, LedgerBlock.Read(flipped, Stream, 64, out _, out _));
            try
            {
                LedgerReader.Decode(flipped, out _);
            }
            catch (IOException later)
            {
                // What no checksum was asked about may look like a record of a later build.
                Assert.Contains("newer build", later.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void LedgerSeal_IsStoredAsPublished_AndDamagedOrElsewhereIsNone()
    {
        var seal = LedgerSeal.Make(Stream);
        Assert.Equal("4c5345010000000100000000000000090000000000000000120142ff2535c41b", Convert.ToHexStringLower(seal));
        Assert.True(LedgerSeal.Is(seal, Stream));
        Assert.False(LedgerSeal.Is(seal, Stream with { Number = 2 }));
        Assert.False(LedgerSeal.Is(seal, Stream with { Writer = 10 }));
        for (var at = 0; at < seal.Length; at++)
        {
            var flipped = seal.ToArray();
            flipped[at] ^= 0x10;
            Assert.False(LedgerSeal.Is(flipped, Stream));
            Assert.False(LedgerSeal.Is(seal.AsSpan(0, at), Stream));
        }

        Assert.Equal(0, LedgerBlock.ClaimedSize(seal));
        Assert.Null(LedgerSeal.NewerVersion(seal));
        Assert.Equal(2, LedgerSeal.NewerVersion((byte[])[.. "LSE"u8, 2]));
    }

    [Fact]
    public void LedgerRecord_WithEveryPart_ComesBackEqual() => Assert.Equal(Record, Assert.Single(LedgerReader.Decode(Block(), out _)));

    /// <summary>Whatever a worker reported: what is written can be read, and what is written with it.</summary>
    [Theory]
    [InlineData(1000, 1, 1, 1)]
    [InlineData(-1, 1, 1, 1)]
    [InlineData(250, -1, 1, 1)]
    [InlineData(250, 1, -1, 1)]
    [InlineData(250, 1, 1, -1)]
    public void LedgerRecord_OutOfBounds_IsCutToThem(int code, int attempt, long accepted, long size)
    {
        var odd = Record with { Attempt = attempt, Reply = new Reply(code, default, "x"), Summary = Record.Summary! with { Accepted = new StoreTime(accepted), Size = size } };
        var buffer = new byte[2048];
        var records = LedgerReader.Decode(buffer.AsSpan(0, LedgerWriter.Encode(buffer, [odd, Record], Stream, 64)), out var damaged);
        Assert.Equal(0, damaged);
        Assert.Equal([odd.Key, Record.Key], records.Select(r => r.Key));
        Assert.Equal(Record, records[1]);
    }

    [Fact]
    public void LedgerBlock_WithADamagedRecord_LosesThatAlone()
    {
        var buffer = new byte[4096];
        LedgerWriter.Encode(buffer, [Record, Record with { Attempt = 3 }, Record with { Attempt = 4 }], Stream, 64);
        var payload = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(buffer.AsSpan(4));
        // The flags of the second: a number without an end.
        var second = LedgerBlock.HeaderSize + 4 + (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(buffer.AsSpan(LedgerBlock.HeaderSize));
        buffer.AsSpan(second + 4, 12).Fill(0xFF);
        LedgerBlock.Seal(buffer, payload, 3, Stream, 64);
        var records = LedgerReader.Decode(buffer.AsSpan(0, LedgerBlock.Size(payload)), out var damaged);
        Assert.Equal(1, damaged);
        Assert.Equal([Record.Attempt, 4], records.Select(r => r.Attempt));
    }

    /// <summary>Who may create packs may not thereby speak of mail in packs of others: only a copy holds keys that are not its own.</summary>
    [Fact]
    public void Pack_OfBirthWithAnothersKeys_IsNone()
    {
        var drafts = PackLayout.Of(new PackId(9, 9), [Mails.To("body", "a@one.example")], out _);
        var (head, rows) = PackEncoder.Encode(Name, new StoreTime(1_800_000_000_000), drafts, [], []);
        var pack = head.Memory.ToArray();
        Assert.True(PackDecoder.TryReadHeader(pack, out var header));
        Assert.Null(PackDecoder.ReadTable(header, pack.AsSpan(PackFormat.HeaderSize, header.TableLength)));
        Assert.Null(PackDecoder.ReadRecord(Name, RecordOf(pack, rows[0])));
    }

    [Fact]
    public void LedgerBlock_IsStoredAsPublished() => Assert.Equal(
            "4c424b010000006d00000001000000000000000000000040e8311bed2ccdbed100000069ff0302000000000000000100000002000380a0f1c2b13402c303040701056c617465"
            + "720a6d782e6578616d706c6506544c53312e33e0c783c3b13400000000000000010000000200000b6140622e6578616d706c650cc3bc40632e6578616d706c650461636d6507"
            + "63000000", Convert.ToHexStringLower(Block()));

    [Fact]
    public void Pack_IsStoredAsPublished() => Assert.Equal(
            "414e475041434b0100000000000000000000000700000001000001a3185c5000000000020000005000000000000001e60000000000000000da071bb393622b04e474711936ca"
            + "cee70000000000000098000000a93780a0f1c2b1340b6f6e652e6578616d706c650764656661756c74000001000001020000000141000000a53780a0f1c2b1340b74776f2e65"
            + "78616d706c65000001000101454e5401000000a5000000000000013d000000000000000484f2c8ee187fe1fa02000000000080a0f1c2b134000764656661756c740b6f6e652e"
            + "6578616d706c651273656e646572406578616d706c652e6f726700010000010d61406f6e652e6578616d706c6500003352656365697665643a2066726f6d2078206279207920"
            + "6964206161616161616161616161616f616161616161716161613b0d0aa018efe26725f582626f6479454e5401000000a5000000000000013d000000000000000484f2c8ee18"
            + "7fe1fa02000000000080a0f1c2b134000764656661756c740b74776f2e6578616d706c651273656e646572406578616d706c652e6f726700010001010d624074776f2e657861"
            + "6d706c6500003352656365697665643a2066726f6d20782062792079206964206161616161616161616161616f616161616161716161613b0d0a70b54460b309ea45", Convert.ToHexStringLower(Pack().Bytes));

    [Fact]
    public void MovedPack_IsStoredAsPublished_AndSaysWhereItsEntriesComeFrom()
    {
        var pack = MovedPack();
        Assert.Equal(
            "414e475041434b0101000000000000000000000800000002000001a3186577c000000002000000d100000000000002a1000000000000000080d9c9d4c53714d855f896deda03"
            + "713c020000000000000000070000000101000000000000000800000001020000000000000009000000018020000000000000000900000002000c0000000119000000c63780a0"
            + "f1c2b134a097a8c3b1340b6f6e652e6578616d706c650764656661756c7401000000000000000700000001000101000000000000000700000001000100000098000000a90e00"
            + "000001df000000c23780a0f1c2b134a097a8c3b1340b74776f2e6578616d706c6501000000000000000700000001000101000000000000000700000001010100000141000000"
            + "a5454e5401000000c200000000000001db000000000000000484f2c8ee187fe1fa02000000010000000000000007000000010080a0f1c2b134a097a8c3b1340764656661756c"
            + "740b6f6e652e6578616d706c651273656e646572406578616d706c652e6f726700010100000000000000070000000100010d61406f6e652e6578616d706c6500003352656365"
            + "697665643a2066726f6d20782062792079206964206161616161616161616161616f616161616161716161613b0d0a126340318939c623626f6479454e5401000000c2000000"
            + "00000001db000000000000000484f2c8ee187fe1fa02000000010000000000000007000000010080a0f1c2b134a097a8c3b1340764656661756c740b74776f2e6578616d706c"
            + "651273656e646572406578616d706c652e6f726700010100000000000000070000000101010d624074776f2e6578616d706c6500003352656365697665643a2066726f6d2078"
            + "2062792079206964206161616161616161616161616f616161616161716161613b0d0affcc4d53be83950a", Convert.ToHexStringLower(pack));
        Assert.True(PackDecoder.TryReadHeader(pack, out var header));
        var toc = PackDecoder.ReadTable(header, pack.AsSpan(PackFormat.HeaderSize, header.TableLength))!;
        Assert.Equal((Copy, new StoreTime(1_800_000_600_000)), (toc.Name, toc.Created));
        Assert.Equal([Name, Copy with { Number = 1 }], toc.Sources);
        Assert.Equal([new LedgerPosition(Stream, 4096), new LedgerPosition(Stream with { Number = 2 }, 0)], toc.Positions);
        Assert.Equal([(152U, 169U, new StoreTime(1_800_000_900_000)), (321U, 165U, new StoreTime(1_800_000_900_000))], toc.Entries.Select(e => (e.BirthOffset, e.BirthLength, e.NotBefore)));
        Assert.Equal([new RecipientKey(7, 1, 0), new RecipientKey(7, 1, 1)], toc.Entries.SelectMany(e => e.Keys));
        Assert.All(toc.Entries, e => Assert.Equal("body", System.Text.Encoding.ASCII.GetString(BodyOf(pack, PackDecoder.ReadRecord(Copy, RecordOf(pack, e))!))));
    }

    [Fact]
    public void Segment_IsStoredAsPublished()
    {
        const ulong Nonce = 0x0102030405060708;
        SegmentRow[] rows = [new(1, 120, 300, new StoreTime(1_800_000_000_000)), new(uint.MaxValue, 488, 5, new StoreTime(1_800_000_000_001))];
        var header = SegmentFormat.Header(PackKind.Moved, 7, 3, Nonce);
        Assert.Equal("414e475345474d01000000000000000100000000000000070000000000000003010203040506070800000000000000000000000000000000ee2059db0b0cc47b", Convert.ToHexStringLower(header));
        Assert.True(SegmentFormat.TryReadHeader(header, out var nonce));
        Assert.Equal(Nonce, nonce);

        var frame = new byte[SegmentFormat.FrameHeaderSize];
        SegmentFormat.WriteFrameHeader(frame, rows[0].Number, rows[0].Length, rows[0].Created, Nonce);
        Assert.Equal("414e474652414d0101020304050607080000000000000001000000000000012c000001a3185c5000000000000000000033ee6b60fa3b1ed5", Convert.ToHexStringLower(frame));
        ulong? known = Nonce;
        Assert.True(SegmentFormat.TryReadFrameHeader(frame, 64, ref known, out var row));
        Assert.Equal(rows[0], row);

        var footer = SegmentFormat.Footer(rows, Nonce);
        Assert.Equal(
            "000000010000000000000078000000000000012c000001a3185c5000ffffffff00000000000001e80000000000000005000001a3185c50010000000000000002010203040506"
            + "0708414e47464f4f5401120132ef93ffbabf", Convert.ToHexStringLower(footer));
        Assert.True(SegmentFormat.TryReadFooter(footer, 493, out var read, out nonce));
        Assert.Equal(Nonce, nonce);
        Assert.Equal(rows, read);

        var deletion = SegmentFormat.Deletion(5, Nonce);
        Assert.Equal("000000052f240f06", Convert.ToHexStringLower(deletion));
        Assert.True(SegmentFormat.TryReadDeletion(deletion, Nonce, out var number));
        Assert.Equal(5U, number);
    }

    /// <summary>A new document's tag is random, so one that was published is read, and written on.</summary>
    [Fact]
    public async Task FileDocument_IsStoredAsPublished()
    {
        var files = new VolatileFileSystem(new Random(1));
        files.CreateFolder("/data/private/control");
        using (var published = files.Create("/data/private/control/a.doc")) published.Write(0, [Convert.FromHexString("414e47444f435501000000000000000526dca19baf9dbda66f6e65")]);
        var store = new FileDocumentStore(files, "/data");
        var read = (await store.ReadAsync("control/a", default))!;
        Assert.Equal(("one", "5"), (System.Text.Encoding.ASCII.GetString(read.Content.Span), read.Tag));
        Assert.Equal("6", await store.WriteAsync("control/a", "two"u8.ToArray(), "5", default));
        using var file = files.Open("/data/private/control/a.doc", writable: false)!;
        var written = new byte[file.Length];
        file.Read(0, written);
        Assert.Equal("414e47444f4355010000000000000006ae1ab3400e50551174776f", Convert.ToHexStringLower(written));
    }

    [Fact]
    public async Task Pack_OfALaterVersion_IsRefusedByName()
    {
        var (pack, rows) = Pack();
        var reader = new SpoolReader(new OnePack(pack), new PackCache(0), NullLogger.Instance);
        Assert.Equal(SpoolReadStatus.Found, (await reader.ReadTocAsync(Name, default)).Status);
        var place = new EntryPlace(Name, rows[0].Offset, rows[0].Length);
        pack[(int)rows[0].Offset + 3] = 3;
        Assert.Contains("is of version 3: a newer build wrote it, and this one reads version 2", (await Assert.ThrowsAsync<IOException>(() => reader.ReadEntryAsync(place, default))).Message, StringComparison.Ordinal);
        pack[7] = 9;
        Assert.Contains($"Pack {Name} is of version 9", (await Assert.ThrowsAsync<IOException>(() => reader.ReadTocAsync(Name, default))).Message, StringComparison.Ordinal);
    }

    /// <summary>What needs the second version of an entry alone has it: an earlier build goes on reading all the rest.</summary>
    [Theory]
    [InlineData(true, null)]
    [InlineData(false, "{\"tags\":[\"ü\"]}")]
    [InlineData(true, "{}")]
    [InlineData(false, null)]
    public async Task Entry_WithATagOrLabels_IsOfTheSecondVersion(bool isTagged, string? labels)
    {
        var mail = Mails.To("body", "a@one.example", "b@two.example");
        var envelope = mail.Envelope with { ReturnTag = isTagged ? new ReturnTag("bounce.example", 5, new UInt128(6, 7)) : null, Labels = labels };
        var (head, rows) = PackEncoder.Encode(Name, new StoreTime(1_800_000_000_000), PackLayout.Of(Name.Id, [mail with { Envelope = envelope }], out _), [], []);
        var pack = head.Memory.ToArray();
        var isLater = isTagged || labels is not null;
        var reader = new SpoolReader(new OnePack(pack), new PackCache(0), NullLogger.Instance);
        foreach (var row in rows)
        {
            Assert.Equal(isLater ? 2 : 1, pack[(int)row.Offset + 3]);
            using var entry = (await reader.ReadEntryAsync(new EntryPlace(Name, row.Offset, row.Length), default)).Value!;
            Assert.Equal((envelope.ReturnTag, labels), (entry.Envelope.ReturnTag, entry.Envelope.Labels));
            var record = RecordOf(pack, row).ToArray();
            for (var at = 0; at < record.Length; at++)
            {
                record[at] ^= 0x10;
                Assert.Null(PackDecoder.ReadRecord(Name, record));
                record[at] ^= 0x10;
            }
        }

        if (isTagged && labels == "{}") Assert.Equal(s_laterEntry, Convert.ToHexStringLower(RecordOf(pack, rows[0])));
    }

    private const string s_laterEntry =
        "454e5402000000cf0000000000000167000000000000000484f2c8ee187fe1fa02000000000080a0f1c2b134000764656661756c740b6f6e652e6578616d706c651273656e646572406578616d706c652e6f726700010000010d61406f6e652e6578616d706c6500000f626f756e63652e6578616d706c65000000000000000500000000000000060000000000000007037b7d3352656365697665643a2066726f6d20782062792079206964206161616161616161616161616f616161616161716161613b0d0a293d897b5111b953";

    [Fact]
    public void LedgerRecord_WithLabelsOrRecovered_ComesBackEqual_AndAnEarlierBuildReadsTheRestOfIt()
    {
        var buffer = new byte[4096];
        var record = Record with { IsRecovered = true, Summary = Record.Summary! with { Labels = "{\"tags\":[\"a\"]}" } };
        Assert.Equal([record, Record], LedgerReader.Decode(buffer.AsSpan(0, LedgerWriter.Encode(buffer, [record, Record], Stream, 64)), out _));
        Assert.Equal(
            "4c424b010000007c00000001000000000000000000000040c401d51c8d6521a600000078ff0f02000000000000000100000002000380a0f1c2b13402c303040701056c617465720a6d782e6578616d706c6506544c53312e33e0c783c3b13400000000000000010000000200000b6140622e6578616d706c650cc3bc40632e6578616d706c650461636d6507630e7b2274616773223a5b2261225d7d00000000", Convert.ToHexStringLower(buffer.AsSpan(0, LedgerWriter.Encode(buffer, [record], Stream, 64))));
    }

    [Fact]
    public void LedgerRecord_OfAKindThatALaterBuildKnows_IsRefused()
    {
        var buffer = new byte[2048];
        var size = LedgerWriter.Encode(buffer, [Record with { Kind = LedgerKind.Released + 1 }], Stream, 64);
        Assert.Contains("is of kind 13: a newer build wrote it", Assert.Throws<IOException>(() => LedgerReader.Decode(buffer.AsSpan(0, size), out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LedgerBlock_OfALaterVersionInAFile_IsRefused()
    {
        var files = new VolatileFileSystem(new Random(1));
        files.CreateFolder("/data/ledger");
        var store = new FileLedgerStore(files, "/data", NullLogger.Instance);
        var buffer = new byte[2048];
        await store.AppendAsync(Stream, 0, buffer.AsMemory(0, LedgerWriter.Encode(buffer, [Record], Stream, 0)), default);
        using (var file = files.Open(store.PathOf(Stream), writable: true)!) file.Write(3, [new byte[] { 2 }]);
        Assert.Contains("is of version 2", (await Assert.ThrowsAsync<IOException>(() => store.ReadAsync(Stream, 0, 1 << 20, default))).Message, StringComparison.Ordinal);
    }

    /// <summary>A store that holds these octets as its one pack.</summary>
    private sealed class OnePack(byte[] pack) : IPackStore
    {
        public int MaxCreationsInFlight => 1;

        public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
        {
            var part = pack.AsMemory((int)offset);
            part = part[..Math.Min(part.Length, into.Length)];
            part.CopyTo(into);
            return new(part.Length);
        }

        public IAsyncEnumerable<PackListing> ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task DeleteAsync(PackName name, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private static LedgerRecord Record { get; } = new()
    {
        Key = new RecipientKey(1, 2, 3), Kind = LedgerKind.Deferred, Time = new StoreTime(1_800_000_000_000), Attempt = 2, Reply = new Reply(451, new EnhancedStatus(4, 7, 1), "later"), Own = true,
        Remote = "mx.example", Tls = "TLS1.3", PossibleDuplicate = true, Due = new StoreTime(1_800_000_300_000),
        Summary = new EnvelopeSummary { Message = new MessageId(new RecipientKey(1, 2, 0)), ReversePath = "a@b.example", Recipient = "ü@c.example", Tenant = "acme", Accepted = new StoreTime(7), Size = 99 },
    };

    private static byte[] Block()
    {
        var buffer = new byte[2048];
        return buffer[..LedgerWriter.Encode(buffer, [Record], Stream, 64)];
    }

    private static (byte[] Bytes, PackEntry[] Rows) Pack()
    {
        var drafts = PackLayout.Of(Name.Id, [Mails.To("body", "a@one.example", "b@two.example")], out _);
        var (head, rows) = PackEncoder.Encode(Name, new StoreTime(1_800_000_000_000), drafts, [], []);
        return (head.Memory.ToArray(), rows);
    }

    /// <summary>The entries of that pack, with a time to wait for, copied.</summary>
    private static byte[] MovedPack()
    {
        var (_, rows) = Pack();
        var mail = Mails.To("body", "a@one.example", "b@two.example");
        var drafts = PackLayout.Of(Name.Id, [mail with { Envelope = mail.Envelope with { NotBefore = new StoreTime(1_800_000_900_000) } }], out _);
        var (head, _) = PackEncoder.Encode(
            Copy, new StoreTime(1_800_000_600_000), [.. drafts.Select((d, i) => d with { Birth = (rows[i].Offset, rows[i].Length) })],
            [Name, Copy with { Number = 1 }], [new LedgerPosition(Stream, 4096), new LedgerPosition(Stream with { Number = 2 }, 0)]);
        return head.Memory.ToArray();
    }

    private static byte[] RecordOf(byte[] pack, PackEntry entry) => pack[(int)entry.Offset..((int)entry.Offset + PackDecoder.RecordLength(pack.AsSpan((int)entry.Offset)))];

    private static byte[] BodyOf(byte[] pack, EntryRecord record) => pack[(int)record.BodyOffset..(int)(record.BodyOffset + record.BodyLength)];

    /// <summary>Records that can be read.</summary>
    private static int Records(byte[] pack)
    {
        if (!PackDecoder.TryReadHeader(pack, out var header) || header.TableLength > pack.Length - PackFormat.HeaderSize) return 0;
        if (PackDecoder.ReadTable(header, pack.AsSpan(PackFormat.HeaderSize, header.TableLength)) is not { } toc) return 0;
        return toc.Entries.Count(e => e.Offset + e.Length <= pack.Length && PackDecoder.RecordLength(pack.AsSpan((int)e.Offset)) is > 0 and var length && length <= e.Length
            && PackDecoder.ReadRecord(Name, pack.AsMemory((int)e.Offset, length)) is not null);
    }
}
