using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Unit.Grains.View;

/// <summary>What a silo's view knows of the records of others, and when (design rules 10 and 16).</summary>
public sealed class RecordViewTests
{
    private readonly ViewsUnderTest _all = new();

    [Fact]
    public async Task Refresh_SeesWhatAnotherRecordedBefore_WithoutAListing()
    {
        var (a, b) = await Two();
        var listings = _all.Ledger.Listings;
        await a.Record(Key(1));
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(1)));
        a.Roll();
        await a.Record(Key(2), LedgerKind.Failed);
        await b.Refresh();
        Assert.Equal(RecipientBits.Decided, b.View.Bits(Key(2)));
        Assert.Equal(2, _all.Ledger.Streams.Count());
        // The hour between two refreshes is too long to trust the document alone.
        Assert.Equal(listings + 1, _all.Ledger.Listings);
    }

    [Fact]
    public async Task Refresh_OfOwnRecords_LooksBehindThemOnce()
    {
        var (a, _) = await Two();
        await a.Record(Key(1));
        _all.Ledger.Reads.Clear();
        await a.Refresh();
        Assert.Equal(RecipientBits.Finished, a.View.Bits(Key(1)));
        // An append whose reply was lost is there, and nobody fed it.
        Assert.Single(_all.Ledger.Reads);
        Assert.Single(a.View.Positions);
    }

    [Fact]
    public async Task Refresh_ManyCallers_ShareAndAreSpaced()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await b.Refresh();
        _all.Ledger.Reads.Clear();
        var began = _all.Now;
        for (var i = 0; i < 5; i++) await _all.Until(Task.WhenAll(Enumerable.Range(0, 100).Select(_ => b.View.RefreshAsync(CancellationToken.None))));
        Assert.Equal(5, _all.Ledger.Reads.Count);
        Assert.True(_all.Now - began >= 4 * RecordView.Spacing, $"{_all.Now - began}");
    }

    [Fact]
    public async Task Refresh_OfAStreamThatIsAppendedToWithoutPause_Ends()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        var last = 1;
        // Whenever it was read to its end there is more.
        _all.Ledger.AfterRead = _ =>
        {
            if (last++ < 100) a.Record(Key(last)).GetAwaiter().GetResult();
        };
        for (var asked = 1; asked <= 3; asked++)
        {
            var before = last;
            await b.Refresh();
            Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(before)));
            Assert.InRange(last, before + 1, before + 2);
        }
    }

    [Fact]
    public async Task Refresh_OfAViewThatWillNotOpen_EndsAndAnswersNothing()
    {
        var silo = _all.Start("a");
        var waiting = silo.View.RefreshAsync(CancellationToken.None);
        silo.View.Close();
        await Assert.ThrowsAsync<IOException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(10)));
        await Assert.ThrowsAsync<IOException>(() => silo.View.RefreshAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task Refresh_ThatBeganBeforeTheQuestion_DoesNotAnswerIt()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        _all.Time.Advance(TimeSpan.FromSeconds(1));
        var first = b.View.RefreshAsync(CancellationToken.None);
        await a.Record(Key(2));
        await b.Refresh();
        await first;
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(2)));
    }

    [Fact]
    public async Task Refresh_OfADeadSilosWriter_EndsItForGood()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await b.Refresh();
        await a.Record(Key(2));
        _all.Dead.Add(a.Own);
        var dead = a.Ledger.Writer;
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(2)));
        Assert.NotNull((await WritersDocument.ReadAsync(_all.Documents, default))[dead].Last);
        a.IsConfirmed = false;
        await Assert.ThrowsAsync<IOException>(() => a.Record(Key(3), LedgerKind.Failed));
        a.Roll();
        await Assert.ThrowsAsync<IOException>(() => a.Record(Key(3), LedgerKind.Failed));
        await b.Refresh();
        Assert.Equal(RecipientBits.None, b.View.Bits(Key(3)));
    }

    [Fact]
    public async Task Refresh_WhileTheDeadRolls_StopsItInTheNextStreamToo()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        a.Roll();
        var append = Task.CompletedTask;
        // Its row was confirmed just now, and it has sealed its stream: the next append is on its way while the other ends it.
        _all.Ledger.BeforeAppend = async () =>
        {
            _all.Dead.Add(a.Own);
            await b.Refresh();
            a.IsConfirmed = false;
        };
        await Assert.ThrowsAsync<IOException>(() => a.Record(Key(2), LedgerKind.Failed));
        await b.Refresh();
        Assert.Equal(RecipientBits.None, b.View.Bits(Key(2)));
        await append;
    }

    [Fact]
    public async Task Refresh_OfAWronglyDeposedSilo_FollowsItsNewWriter()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        var first = a.Ledger.Writer;
        _all.Dead.Add(a.Own);
        await b.Refresh();
        _all.Dead.Clear();
        await a.Record(Key(2));
        Assert.NotEqual(first, a.Ledger.Writer);
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(2)));
    }

    [Fact]
    public async Task Refresh_OfASiloInNoList_EndsItOnlyAfterAMinuteAndOnlyWhenSureOfItself()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        _all.Unknown.Add(a.Own);
        b.IsConfirmed = false;
        await b.Refresh();
        _all.Time.Advance(TimeSpan.FromMinutes(2));
        await b.Refresh();
        b.IsConfirmed = true;
        await b.Refresh();
        var lines = await WritersDocument.ReadAsync(_all.Documents, default);
        Assert.Null(lines[a.Ledger.Writer].Last);
        _all.Time.Advance(TimeSpan.FromSeconds(61));
        await b.Refresh();
        lines = await WritersDocument.ReadAsync(_all.Documents, default);
        Assert.NotNull(lines[a.Ledger.Writer].Last);
    }

    [Fact]
    public async Task Refresh_WhenTheLedgerIsAway_FailsAndTheNextSucceeds()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        _all.Ledger.IsAway = true;
        await Assert.ThrowsAsync<IOException>(b.Refresh);
        _all.Ledger.IsAway = false;
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(1)));
    }

    /// <summary>Else a silo that starts with a long ledger over a slow store would read it for ever.</summary>
    [Fact]
    public async Task Refresh_OfAStoreThatIsSlow_AsksForLessUntilItAnswersAndForMoreAgain()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        _all.Ledger.MostBytes = 70_000;
        for (var tries = 0; tries < 2; tries++) await Assert.ThrowsAsync<IOException>(b.Refresh);
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(1)));
        Assert.Equal(1 << 16, _all.Ledger.Asked);
        _all.Ledger.MostBytes = 1;
        for (var tries = 0; tries < 5; tries++) await Assert.ThrowsAsync<IOException>(b.Refresh);
        Assert.Equal(1 << 14, _all.Ledger.Asked);
        _all.Ledger.MostBytes = int.MaxValue;
        for (var tries = 0; tries < 8; tries++) await b.Refresh();
        Assert.Equal(1 << 20, _all.Ledger.Asked);
    }

    [Fact]
    public async Task Refresh_AfterALineWasRemovedUnseen_ListsAndMissesNothing()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await a.Ledger.DisposeAsync();
        _all.Time.Advance(TimeSpan.FromHours(2));
        await WritersDocument.TidyAsync(_all.Documents, _all.Now, default);
        Assert.Empty(await WritersDocument.ReadAsync(_all.Documents, default));
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(1)));
    }

    [Fact]
    public async Task Refresh_WhenTheDocumentWasLost_FindsTheLivingByTheirStreams()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await b.Refresh();
        await _all.Documents.DeleteAsync(WritersDocument.Name, default);
        await a.Record(Key(2));
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(2)));
        a.Roll();
        await a.Record(Key(3));
        Assert.Equal(a.Ledger.Writer, Assert.Single(await WritersDocument.ReadAsync(_all.Documents, default)).Key);
        await b.Refresh();
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(3)));
    }

    [Fact]
    public async Task Open_FromACheckpoint_ReadsOnlyWhatIsBehindIt()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        a.Roll();
        await a.Record(Key(2));
        await b.Refresh();
        await _all.Until(b.View.CheckpointAsync(TimeSpan.FromDays(30), default));
        await a.Record(Key(3));
        var c = _all.Start("c");
        _all.Ledger.Reads.Clear();
        await c.Open();
        Assert.DoesNotContain(new LedgerStream(a.Ledger.Writer, 1), _all.Ledger.Reads);
        Assert.All([1, 2, 3], n => Assert.Equal(RecipientBits.Finished, c.View.Bits(Key(n))));
        await a.Record(Key(4));
        await c.Refresh();
        Assert.Equal(RecipientBits.Finished, c.View.Bits(Key(4)));
    }

    /// <summary>A silo that has just started takes reports of deliveries before it has read the ledger.</summary>
    [Fact]
    public async Task Open_FromACheckpoint_KeepsWhatThisSiloRecordedMeanwhile()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await b.Refresh();
        await _all.Until(b.View.CheckpointAsync(TimeSpan.FromDays(30), default));
        var c = _all.Start("c");
        await c.Record(Key(2));
        await c.Open();
        Assert.All([1, 2], n => Assert.Equal(RecipientBits.Finished, c.View.Bits(Key(n))));
    }

    /// <summary>More is decided than is kept with its words: what was relayed is still known as that, or its sender would be told that it failed.</summary>
    [Fact]
    public async Task Decision_BeyondTheBound_OfARelayedMessageIsKept()
    {
        var (a, _) = await Two();
        for (uint pack = 1; pack <= 101; pack++)
            await _all.Until(a.Ledger.AppendAsync([.. Enumerable.Range(0, 1_000).Select(i => new LedgerRecord { Key = new RecipientKey(5, pack, (ushort)i), Kind = LedgerKind.Failed, Time = _all.Now })]));
        Assert.Null(a.View.Decision(new RecipientKey(5, 101, 1)));
        await a.Record(Key(1), LedgerKind.Relayed);
        Assert.Equal(LedgerKind.Relayed, a.View.Decision(Key(1))?.Kind);
    }

    [Fact]
    public async Task Open_WithABadAndANewerCheckpoint_TakesTheOneBefore()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await b.Refresh();
        await _all.Until(b.View.CheckpointAsync(TimeSpan.FromDays(30), default));
        await _all.Documents.WriteAsync("view/00000000000000000002", "ANGV0002 something"u8.ToArray(), null, default);
        await _all.Documents.WriteAsync("view/00000000000000000003", "nonsense"u8.ToArray(), null, default);
        var c = _all.Start("c");
        await c.Open();
        Assert.Equal(RecipientBits.Finished, c.View.Bits(Key(1)));
        Assert.Equal(
            [
                "Warning: The checkpoint view/00000000000000000003 is damaged; an older one or the whole ledger is read instead",
                "Warning: The checkpoint view/00000000000000000002 was written by a later version of angarium; an older one or the whole ledger is read instead",
            ], c.Log.All.Where(l => l.Contains("checkpoint", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Checkpoint_DeletesWhatIsOldSealedAndNamedByNoPack()
    {
        var retention = TimeSpan.FromDays(30);
        var (a, b) = await Two();
        await a.Record(Key(1));
        a.Roll();
        await a.Record(Key(2));
        await b.Refresh();
        var copy = Moved(1, Key(9)) with { Created = _all.Now, Positions = b.View.Positions };
        await b.View.AddMovedAsync(copy, _all.Now, default);
        a.Roll();
        await a.Record(Key(3));
        a.Roll();
        await a.Record(Key(4));
        await b.Refresh();
        _all.Time.Advance(retention);
        await _all.Until(b.View.CheckpointAsync(retention, default));
        Assert.Equal([2U, 3, 4], _all.Ledger.Streams.Where(s => s.Writer == a.Ledger.Writer).Select(s => s.Number).Order().ToArray());
        b.View.Deleted(copy.Name);
        await _all.Until(b.View.CheckpointAsync(retention, default));
        Assert.Equal([4U], _all.Ledger.Streams.Where(s => s.Writer == a.Ledger.Writer).Select(s => s.Number).ToArray());
    }

    /// <summary>The hour for which the view knows what is gone begins when the last copy is gone, however long ago the first pack went.</summary>
    [Fact]
    public async Task Listed_ACopyGoesLongAfterItsSource_WhatIsRecordedIsKnownForAnotherHour()
    {
        var (a, b) = await Two();
        await a.Record(Key(1));
        await b.Refresh();
        await b.View.AddMovedAsync(Moved(1, Key(1)), _all.Now, default);
        for (var hours = 0; hours < 3; hours++)
        {
            b.View.Listed(_all.Now, [Listing(1)]);
            _all.Time.Advance(TimeSpan.FromHours(1));
        }

        b.View.Listed(_all.Now, []);
        _all.Time.Advance(TimeSpan.FromMinutes(59));
        b.View.Listed(_all.Now, []);
        Assert.Equal(RecipientBits.Finished, b.View.Bits(Key(1)));
        _all.Time.Advance(TimeSpan.FromMinutes(2));
        b.View.Listed(_all.Now, []);
        Assert.Equal(RecipientBits.None, b.View.Bits(Key(1)));
    }

    [Fact]
    public async Task Locate_OfMovedRecipients_FindsTheCopyThatIsLeft()
    {
        var (_, b) = await Two();
        var birth = new EntryPlace(PackName.Birth(new PackId(1, 1)), 5, 6);
        await b.View.AddMovedAsync(Moved(1, Key(1), Key(5)), _all.Now, default);
        await b.View.AddMovedAsync(Moved(2, Key(5), Key(7)), _all.Now, default);
        b.View.Listed(_all.Now, [Listing(1), Listing(2)]);
        Assert.Equal(new EntryPlace(new PackName(PackKind.Moved, 8, 1), 100, 10), b.View.Locate(Key(1), birth));
        Assert.Null(b.View.Locate(Key(2), birth));
        b.View.Listed(_all.Now, [Listing(2)]);
        Assert.Null(b.View.Locate(Key(1), birth));
        Assert.Equal(new PackName(PackKind.Moved, 8, 2), b.View.Locate(Key(5), birth)!.Value.Pack);
        Assert.Equal([Key(5), Key(7)], b.View.Moved(new PackName(PackKind.Moved, 8, 2))!.Keys);
        Assert.Single(b.View.MovedPacksFrom(birth.Pack));
    }

    private async Task<(ViewsUnderTest.Silo A, ViewsUnderTest.Silo B)> Two()
    {
        var (a, b) = (_all.Start("a"), _all.Start("b"));
        await a.Open();
        await b.Open();
        return (a, b);
    }

    private static RecipientKey Key(int ordinal) => new(1, 1, (ushort)ordinal);

    private PackListing Listing(uint number) => new(new PackName(PackKind.Moved, 8, number), 1_000, _all.Now);

    private static PackToc Moved(uint number, params RecipientKey[] keys) => new()
    {
        Name = new PackName(PackKind.Moved, 8, number), Sources = [PackName.Birth(new PackId(1, 1))],
        Entries = [.. keys.Select((k, i) => new PackEntry { Domain = "one.test", Tenant = "t", Offset = (uint)(i + 1) * 100, Length = 10, Keys = [k], Message = new MessageId(k) })],
    };
}
