using Angarium.Mail;
using Angarium.Spool.Ledger;
using CsCheck;

namespace Angarium.Unit.Spool;

/// <summary>Reading all streams on from a cursor, while they grow, are sealed and followed by others: nothing is missed, nothing comes twice, and each recipient's records come in order.</summary>
public sealed class LedgerTailTests
{
    private readonly GrowingLedger _ledger = new();

    /// <summary>Steps: a writer appends some records, rolls to a new stream, or a reader reads a page of some size.</summary>
    [Fact]
    public void Read_WhateverHappensBetweenPages_IsAllOfItOnceAndInOrder() => Gen.Select(Gen.Int[0, 3], Gen.Int[0, 5], Gen.Int[1, 9]).Array[1, 200].Sample(steps =>
    {
        var ledger = new GrowingLedger();
        var read = new List<PlacedRecord>();
        var cursor = LedgerCursor.From(default);
        foreach (var (writer, what, size) in steps)
        {
            ledger.Now += TimeSpan.FromSeconds(40);
            if (what == 0) ledger.Roll((ulong)writer + 1);
            else if (what <= 3) ledger.Append((ulong)writer + 1, size);
            else Page(size);
        }

        while (!Page(7)) ;
        Assert.Equal(ledger.Written.Select(r => r.Attempt).Order(), read.Select(r => r.Record.Attempt).Order());
        Assert.Equal(read.Count, read.Select(r => (r.Stream, r.Offset, r.Index)).Distinct().Count());
        foreach (var one in read.GroupBy(r => r.Record.Key)) Assert.Equal(one.Select(r => r.Record.Attempt).Order(), one.Select(r => r.Record.Attempt));
        // What is done with leaves the cursor.
        Assert.True(cursor.Places.Count <= 4 * 5, $"{cursor.Places.Count} places");

        bool Page(int most)
        {
            var page = new LedgerTail(ledger).ReadAsync(cursor, _ => true, most, long.MaxValue, default).GetAwaiter().GetResult();
            read.AddRange(page.Records);
            Assert.InRange(page.Records.Count, 0, most);
            cursor = LedgerCursor.Parse(page.Next.ToString())!;
            return page.IsEnd;
        }
    }, iter: 300);

    [Fact]
    public async Task Read_SomeRecordsOnly_GoesOnBehindAll()
    {
        _ledger.Append(1, 9);
        var page = await new LedgerTail(_ledger).ReadAsync(LedgerCursor.From(default), r => r.Attempt == 4, 10, long.MaxValue, default);
        Assert.Equal(4, Assert.Single(page.Records).Record.Attempt);
        Assert.True(page.IsEnd);
        Assert.Empty((await new LedgerTail(_ledger).ReadAsync(page.Next, _ => true, 10, long.MaxValue, default)).Records);
        _ledger.Append(1, 1);
        Assert.Single((await new LedgerTail(_ledger).ReadAsync(page.Next, _ => true, 10, long.MaxValue, default)).Records);
    }

    [Fact]
    public async Task Read_FromATime_PassesOverWhatWasSealedBefore()
    {
        _ledger.Append(1, 3);
        _ledger.Roll(1);
        _ledger.Now += TimeSpan.FromHours(1);
        var since = _ledger.Now;
        _ledger.Now += TimeSpan.FromHours(1);
        _ledger.Append(1, 2);
        Assert.Equal(2, (await new LedgerTail(_ledger).ReadAsync(LedgerCursor.From(since), _ => true, 10, long.MaxValue, default)).Records.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("AQ")]
    [InlineData("!!!!")]
    [InlineData("Av8AAAAAAAAAAA")]
    [InlineData("Af__________AA")]
    public void Parse_WhatIsNoCursor_IsNone(string text) => Assert.Null(LedgerCursor.Parse(text));

    [Fact]
    public void Parse_AnyOctets_NeverThrows() => Gen.Byte.Array[0, 60].Sample(octets => _ = LedgerCursor.Parse(System.Buffers.Text.Base64Url.EncodeToString(octets)));

    /// <summary>Streams in memory that a test lets grow.</summary>
    private sealed class GrowingLedger : ILedgerStore
    {
        private const int PerBlock = 4;

        private readonly Dictionary<LedgerStream, (List<byte> Octets, bool Sealed, StoreTime Modified)> _streams = [];
        private readonly Dictionary<ulong, uint> _current = [];
        private int _count;

        public StoreTime Now { get; set; } = new(1_000_000_000);

        public List<LedgerRecord> Written { get; } = [];

        public void Append(ulong writer, int count)
        {
            var stream = new LedgerStream(writer, _current.TryGetValue(writer, out var number) ? number : _current[writer] = 1);
            var (octets, _, _) = _streams.TryGetValue(stream, out var known) ? known : ([], false, Now);
            foreach (var some in Enumerable.Range(0, count).Chunk(PerBlock))
            {
                // Few recipients, which go from writer to writer.
                var records = some.Select(_ => new LedgerRecord { Key = new RecipientKey(9, 1, (ushort)(_count % 5)), Kind = LedgerKind.Deferred, Time = Now, Attempt = _count++ }).ToArray();
                Written.AddRange(records);
                octets.AddRange(Encode(stream, octets.Count, records));
            }

            _streams[stream] = (octets, false, Now);
        }

        public void Roll(ulong writer)
        {
            if (!_current.TryGetValue(writer, out var number)) return;
            var stream = new LedgerStream(writer, number);
            if (!_streams.TryGetValue(stream, out var known)) return;
            _streams[stream] = (known.Octets, true, Now);
            _current[writer] = number + 1;
        }

        private static byte[] Encode(LedgerStream stream, long offset, LedgerRecord[] records)
        {
            var buffer = new byte[LedgerBlock.Size(records.Sum(LedgerCodec.Bound))];
            LedgerWriter.Encode(buffer, records, stream, offset);
            return buffer[..LedgerBlock.ClaimedSize(buffer)];
        }

        public Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken)
        {
            var (octets, isSealed, _) = _streams[stream];
            var data = octets.Skip((int)offset).ToArray();
            var length = 0;
            while (length < data.Length && (length == 0 || length < 200)) length += LedgerBlock.ClaimedSize(data.AsSpan(length));
            return Task.FromResult(new LedgerRead(data.AsMemory(0, length), offset + length, isSealed && length == data.Length, octets.Count));
        }

        public async IAsyncEnumerable<LedgerStreamListing> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            foreach (var (stream, (octets, isSealed, modified)) in _streams.ToList()) yield return new LedgerStreamListing(stream, octets.Count, isSealed, modified);
            await Task.CompletedTask;
        }

        public Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
