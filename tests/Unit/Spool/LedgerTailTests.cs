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

    /// <summary>A cursor is whatever somebody sends: one that skips more than a block holds goes on behind it.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(1_000_000)]
    [InlineData(int.MaxValue)]
    public async Task Read_ACursorThatSkipsMoreThanThereIs_GoesOnBehind(int skip)
    {
        _ledger.Append(1, 3);
        var stream = (await new LedgerTail(_ledger).ReadAsync(LedgerCursor.From(default), _ => true, 1, long.MaxValue, default)).Records[0].Stream;
        _ledger.Append(1, 2);
        var altered = LedgerCursor.Parse(new LedgerCursor(default, new Dictionary<LedgerStream, LedgerPlace> { [stream] = new(0, skip) }).ToString())!;
        var page = await new LedgerTail(_ledger).ReadAsync(altered, _ => true, 10, long.MaxValue, default);
        Assert.Equal((2, true), (page.Records.Count, page.IsEnd));
    }

    [Theory]
    [InlineData(8, true)]
    [InlineData(0, false)]
    [InlineData(1_000_000, false)]
    public async Task Read_AForeignCursorIntoABlock_IsRefused(long offset, bool isRefused)
    {
        _ledger.Append(1, 3);
        var cursor = new LedgerCursor(default, new Dictionary<LedgerStream, LedgerPlace> { [new LedgerStream(1, 1)] = new(offset, 0) });
        var reading = new LedgerTail(_ledger, isForeign: true).ReadAsync(cursor, _ => true, 10, long.MaxValue, default);
        if (isRefused) await Assert.ThrowsAsync<ForeignCursorException>(() => reading);
        else Assert.True((await reading).IsEnd);
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

    /// <summary>One reads on for itself from wherever it is to where another stands, and goes on with that one from there.</summary>
    [Fact]
    public void ReadUntil_WhateverHappensMeanwhile_LeavesNothingBetween() => Gen.Select(Gen.Int[0, 3], Gen.Int[0, 4], Gen.Int[1, 9]).Array[2, 120].Sample(steps =>
    {
        var ledger = new GrowingLedger();
        var tail = new LedgerTail(ledger);
        var (begin, read) = (LedgerCursor.From(default), new List<PlacedRecord>());
        var join = steps.Length / 2;
        for (var i = 0; i < join; i++) Step(steps[i]);
        var until = Wait(tail.EndAsync(default));
        // What the other passes over by the listing alone is what a reading to the end passes over.
        Assert.Empty(Wait(tail.ReadAsync(until, _ => true, 1_000, long.MaxValue, default)).Records);
        for (var i = join; i < steps.Length; i++) Step(steps[i]);
        for (var isEnd = false; !isEnd;)
        {
            var page = Wait(tail.ReadUntilAsync(begin, LedgerCursor.Parse(until.ToString())!, _ => true, 5, long.MaxValue, default));
            read.AddRange(page.Records);
            (begin, isEnd) = (LedgerCursor.Parse(page.Next.ToString())!, page.IsEnd);
        }

        Assert.Equal(until.ToString(), begin.ToString());
        Assert.Equal(ledger.Written.Count(r => r.Time <= ledger.Times[join - 1]), read.Count);
        for (var isEnd = false; !isEnd;)
        {
            var page = Wait(tail.ReadAsync(until, _ => true, 7, long.MaxValue, default));
            read.AddRange(page.Records);
            (until, isEnd) = (page.Next, page.IsEnd);
        }

        Assert.Equal(ledger.Written.Select(r => r.Attempt).Order(), read.Select(r => r.Record.Attempt).Order());
        foreach (var one in read.GroupBy(r => r.Record.Key)) Assert.Equal(one.Select(r => r.Record.Attempt).Order(), one.Select(r => r.Record.Attempt));

        void Step((int Writer, int What, int Size) step)
        {
            ledger.Now += TimeSpan.FromSeconds(40);
            ledger.Times.Add(ledger.Now);
            if (step.What == 0) ledger.Roll((ulong)step.Writer + 1);
            else ledger.Append((ulong)step.Writer + 1, step.Size);
        }

        static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();
    }, iter: 300);

    /// <summary>A place within a block, as a page that was full leaves it.</summary>
    [Fact]
    public async Task ReadUntil_APlaceWithinABlock_EndsThere()
    {
        _ledger.Append(1, 3);
        var tail = new LedgerTail(_ledger);
        var until = (await tail.ReadAsync(LedgerCursor.From(default), _ => true, 2, long.MaxValue, default)).Next;
        _ledger.Append(1, 9);
        var page = await tail.ReadUntilAsync(LedgerCursor.From(default), until, _ => true, 100, long.MaxValue, default);
        Assert.Equal((2, true), (page.Records.Count, page.IsEnd));
        Assert.Empty((await tail.ReadUntilAsync(until, until, _ => true, 100, long.MaxValue, default)).Records);
        Assert.Equal(10, (await tail.ReadAsync(page.Next, _ => true, 100, long.MaxValue, default)).Records.Count);
    }

    /// <summary>What was begun when the other stood there is not there any more: its successor may hold what is missing.</summary>
    [Fact]
    public async Task ReadUntil_AStreamThatIsShorterThanItWas_IsNotTheEnd()
    {
        _ledger.Append(1, 3);
        var until = await new LedgerTail(_ledger).EndAsync(default);
        _ledger.Forget(1);
        Assert.False((await new LedgerTail(_ledger).ReadUntilAsync(LedgerCursor.From(default), until, _ => true, 100, long.MaxValue, default)).IsEnd);
    }
}
