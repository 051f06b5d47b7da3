using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Contract.Index;

/// <summary>What every provider of the queue index promises. Each test works on a domain of its own.</summary>
public abstract class QueueIndexContract
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly Lane Lane = new("acme", MessageClass.Transactional);
    private static readonly Lane Other = new("beta", MessageClass.Bulk);
    private readonly string _domain = $"{Guid.NewGuid():n}.test";

    internal abstract IQueueIndex Index { get; }

    internal IIndexTotals Totals => (IIndexTotals)Index;

    /// <summary>Takes all of it, as a flush of the server does.</summary>
    protected abstract Task WipeAsync();

    [Fact]
    public async Task ReadDue_PutInTwoLanes_ReturnsWhatIsDueByTimeInEach()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 30), Row(2, 10), Row(3, 20, Other), Row(4, 99));
        var read = await Index.ReadDueAsync(_domain, owner, At(50), 10, None);
        Assert.Equal([2, 1], read.Rows.Where(r => r.Lane == Lane).Select(r => (int)r.Member.Key.Ordinal));
        Assert.Equal([3], read.Rows.Where(r => r.Lane == Other).Select(r => (int)r.Member.Key.Ordinal));
        Assert.Equal(At(99), read.More);
        Assert.Equal(Row(2, 10), read.Rows.First(r => r.Member.Key.Ordinal == 2));
    }

    [Fact]
    public async Task ReadDue_MoreThanAsked_LimitsEachLaneAndSaysWhenTheNextIsDue()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10), Row(2, 11), Row(3, 12), Row(4, 5, Other));
        var read = await Index.ReadDueAsync(_domain, owner, At(50), 2, None);
        Assert.Equal(3, read.Rows.Count);
        Assert.Equal(At(12), read.More);
    }

    [Fact]
    public async Task Write_PutOfAMemberThatIsThere_MovesIt()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10));
        await PutAsync(owner, Row(1, 70) with { Attempts = 3 });
        Assert.Empty((await Index.ReadDueAsync(_domain, owner, At(50), 10, None)).Rows);
        var row = Assert.Single((await Index.ReadDueAsync(_domain, owner, At(70), 10, None)).Rows);
        Assert.Equal(3, row.Attempts);
        Assert.Equal(1, await Index.CountAsync(_domain, None));
    }

    [Fact]
    public async Task Write_Removal_TakesMemberAndWakeUp()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10));
        Assert.Equal(At(10), await WakeAsync());
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(_domain, owner, [new IndexChange(Row(1, 0), Remove: true)], None));
        Assert.Null(await WakeAsync());
        Assert.Equal(0, await Index.CountAsync(_domain, None));
    }

    [Fact]
    public async Task Write_UnderAnotherToken_IsDeposedAndChangesNothing()
    {
        var first = await TakeAsync();
        var second = await TakeAsync();
        Assert.Equal(IndexWriteStatus.Deposed, await Index.WriteAsync(_domain, first, [new IndexChange(Row(1, 10), Remove: false)], None));
        Assert.True((await Index.ReadDueAsync(_domain, first, At(50), 10, None)).Deposed);
        Assert.Equal(0, await Index.CountAsync(_domain, None));
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(_domain, second, [], None));
    }

    [Fact]
    public async Task Write_UnderAnotherRunId_IsDeposed()
    {
        var owner = await TakeAsync();
        Assert.Equal(IndexWriteStatus.Deposed, await Index.WriteAsync(_domain, owner with { Run = owner.Run + 1 }, [], None));
    }

    [Fact]
    public async Task Write_WithoutAToken_IsDeposed() =>
        Assert.Equal(IndexWriteStatus.Deposed, await Index.WriteAsync(_domain, new IndexOwner(1, (await Index.StampAsync(0, None)).Run), [], None));

    [Fact]
    public async Task Leave_ByTheOwner_TakesTheTokenAndKeepsWhatIsQueued()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10));
        await Index.LeaveAsync(_domain, owner, None);
        Assert.Equal(IndexWriteStatus.Deposed, await Index.WriteAsync(_domain, owner, [], None));
        Assert.Equal(At(10), await WakeAsync());
        Assert.Equal([1], (await Index.ReadDueAsync(_domain, await TakeAsync(), At(50), 10, None)).Rows.Select(r => (int)r.Member.Key.Ordinal));
    }

    [Fact]
    public async Task Leave_BySomebodyDeposed_LeavesTheTokenOfTheOwner()
    {
        var first = await TakeAsync();
        var second = await TakeAsync();
        await Index.LeaveAsync(_domain, first, None);
        await Index.LeaveAsync(_domain, second with { Run = second.Run + 1 }, None);
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(_domain, second, [], None));
    }

    [Fact]
    public async Task Write_RemovalAndPutInOneCall_RemovesFirst()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10), Row(2, 20, Other));
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(
            _domain, owner, [new IndexChange(Row(3, 30, Other), Remove: false), new IndexChange(Row(1, 10), Remove: true), new IndexChange(Row(1, 40, Other), Remove: false)], None));
        Assert.Equal([2, 3, 1], (await Index.ListAsync(_domain, default, 10, None)).Select(r => (int)r.Member.Key.Ordinal));
        Assert.Equal(At(20), await WakeAsync());
    }

    [Fact]
    public async Task Write_RemovalOfWhatIsNotThere_IsDone()
    {
        var owner = await TakeAsync();
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(_domain, owner, [new IndexChange(Row(1, 10), Remove: true)], None));
        Assert.Null(await WakeAsync());
        Assert.Equal(new IndexRead(false, [], null).More, (await Index.ReadDueAsync(_domain, owner, At(50), 10, None)).More);
    }

    [Fact]
    public async Task Write_AThousandChangesInManyLanes_AreAllThere()
    {
        var owner = await TakeAsync();
        Lane[] lanes = [Lane, Other, new("acme", MessageClass.Bulk), new("a:b{c}", MessageClass.Bulk)];
        var rows = Enumerable.Range(1, 1_000).Select(i => Row(i, i, lanes[i % 4])).ToArray();
        await PutAsync(owner, rows);
        var read = await Index.ReadDueAsync(_domain, owner, At(999), 1_000, None);
        Assert.Equal(rows[..999].ToHashSet(), read.Rows.ToHashSet());
        Assert.Equal(At(1_000), read.More);
        Assert.All(read.Rows.GroupBy(r => r.Lane), lane => Assert.Equal(lane.OrderBy(r => r.Due), lane));
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(_domain, owner, [.. rows.Select(r => new IndexChange(r, Remove: true))], None));
        Assert.Equal(0, await Index.CountAsync(_domain, None));
        Assert.Null(await WakeAsync());
    }

    [Fact]
    public async Task Row_AtTheEdges_ComesBackExactly()
    {
        var owner = await TakeAsync();
        IndexRow[] rows =
        [
            new(Lane, new IndexMember(new RecipientKey(ulong.MaxValue, uint.MaxValue, ushort.MaxValue), uint.MaxValue, uint.MaxValue, ushort.MaxValue), new StoreTime((1L << 33) * 1000), 255),
            new(Lane, new IndexMember(new RecipientKey(0, 0, 0), 0, 0, 0), new StoreTime(0), 0),
            new(Lane, new IndexMember(new RecipientKey(0x0a0d_0000_2a24_0d0aUL, 0x0d0a_2424, 0x0d0a), 0x8080_8080, 0xffff_0000, 0x0a0a), At(7), 254),
            new(Lane, new IndexMember(new RecipientKey(1, 2, 3), 4, 5, 6), new StoreTime((1L << 33) * 1000 - 1000), 254),
        ];
        await PutAsync(owner, rows);
        var read = await Index.ReadDueAsync(_domain, owner, new StoreTime((1L << 33) * 1000), 10, None);
        Assert.Equal([rows[1], rows[2], rows[3], rows[0]], read.Rows);
        await PutAsync(owner, rows[1] with { Attempts = 4_000 });
        Assert.Equal(255, (await Index.ListAsync(_domain, default, 1, None))[0].Attempts);
    }

    [Fact]
    public async Task Batches_OverAllPartitions_AnswerAsEachByItself()
    {
        await PutAsync(await TakeAsync(), Row(1, 10));
        var stamps = await Index.StampsAsync(IndexPartition.All, None);
        for (var partition = 0; partition < stamps.Count; partition++) Assert.Equal(await Index.StampAsync(partition, None), stamps[partition]);
        Assert.Contains(new IndexWake(_domain, At(10)), await Index.WakesAsync(IndexPartition.All, At(10), 1_000_000, None));
        Assert.DoesNotContain(new IndexWake(_domain, At(10)), await Index.WakesAsync(IndexPartition.All, At(9), 1_000_000, None));
        Assert.DoesNotContain(await Index.WakesAsync([(IndexPartition.Of(_domain) + 1) % 256], At(10), 1_000_000, None), w => w.Domain == _domain);
    }

    [Fact]
    public async Task Totals_FollowWhatIsQueued()
    {
        await WipeAsync();
        Assert.Equal(new IndexTotals(0, null), await Totals.TotalsAsync(IndexPartition.All, None));
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 30), Row(2, 10, Other), Row(3, 20));
        await PutAsync(owner, Row(2, 40, Other));
        Assert.Equal(new IndexTotals(3, At(20)), await Totals.TotalsAsync(IndexPartition.All, None));
        await Index.WriteAsync(_domain, owner, [new IndexChange(Row(3, 0), Remove: true), new IndexChange(Row(3, 0), Remove: true)], None);
        Assert.Equal(new IndexTotals(2, At(30)), await Totals.TotalsAsync(IndexPartition.All, None));
        Assert.False(Totals.IsFull);
    }

    [Fact]
    public async Task Wipe_LosesRowsAndTokens_AndTheStampChanges()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10));
        var partition = IndexPartition.Of(_domain);
        var before = await Index.StampAsync(partition, None);
        await WipeAsync();
        Assert.NotEqual(before, await Index.StampAsync(partition, None));
        Assert.Equal(IndexWriteStatus.Deposed, await Index.WriteAsync(_domain, owner, [], None));
        Assert.Equal(0, await Index.CountAsync(_domain, None));
    }

    [Fact]
    public async Task See_FindsWhatIsThere_WithTheStamp()
    {
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10), Row(2, 20, Other));
        var seen = await Index.SeeAsync(_domain, [Sight(1, Lane), Sight(9, Lane), Sight(2, Other), Sight(1, Other)], None);
        Assert.Equal([true, false, true, false], seen.Found);
        Assert.Equal(await Index.StampAsync(IndexPartition.Of(_domain), None), seen.Stamp);
        Assert.Equal(At(10), await WakeAsync());
    }

    [Fact]
    public async Task Contains_NeedsNoToken()
    {
        Assert.False((await Index.ContainsAsync(_domain, [Sight(1, Lane)], None))[0]);
        await PutAsync(await TakeAsync(), Row(1, 10));
        var found = await Index.ContainsAsync(_domain, [Sight(1, Lane), Sight(2, Lane)], None);
        Assert.Equal([true, false], found);
    }

    [Fact]
    public async Task List_FromATime_ReturnsTheEarliestOfAllLanes()
    {
        await PutAsync(await TakeAsync(), Row(1, 10), Row(2, 20, Other), Row(3, 30), Row(4, 40, Other));
        Assert.Equal([2, 3], (await Index.ListAsync(_domain, At(20), 2, None)).Select(r => (int)r.Member.Key.Ordinal));
    }

    [Theory]
    [InlineData(1), InlineData(7), InlineData(100), InlineData(599), InlineData(2_000)]
    public async Task List_OfManyLanes_IsAPageOfAllTogether(int limit)
    {
        // Uneven lanes: one holds most of what is early, many hold one row; and seconds that many rows share.
        var rows = Enumerable.Range(0, 1_200).Select(i => Row(i, i % 3 == 0 ? i / 50 : 50 + i * 7919 % 200, new Lane(i % 3 == 0 ? "most" : $"t{i % 90}", MessageClass.Bulk))).ToArray();
        await PutAsync(await TakeAsync(), rows);
        foreach (var from in new[] { 0, 10, 120, 300 })
        {
            var page = await Index.ListAsync(_domain, At(from), limit, None);
            var wanted = rows.Where(r => r.Due >= At(from)).OrderBy(r => r.Due).Take(limit).ToList();
            Assert.Equal(wanted.Select(r => r.Due), page.Select(r => r.Due));
            Assert.Equal(page.Count, page.ToHashSet().Count);
            Assert.Subset(rows.ToHashSet(), page.ToHashSet());
        }
    }

    [Fact]
    public async Task Domains_CountsQueuedRecipients()
    {
        await PutAsync(await TakeAsync(), Row(1, 10), Row(2, 20, Other));
        Assert.Contains((_domain, 2L), await Index.DomainsAsync(1_000_000, None));
    }

    /// <summary>How many each lane has is exact, and some of each pack are told; of a long lane by a sample that is no larger than it may be.</summary>
    [Fact]
    public async Task Lanes_TellHowManyEachHas_AndOfWhichPacks()
    {
        var owner = await TakeAsync();
        var other = new IndexRow(Other, new IndexMember(new RecipientKey(8, 5, 1), 100, 200, 0), At(30), 0);
        var many = Enumerable.Range(0, 2_000).Select(i => new IndexRow(new Lane("long", MessageClass.Bulk), new IndexMember(new RecipientKey(9, (uint)(i % 2), (ushort)i), 100, 200, 0), At(i), 0));
        await PutAsync(owner, [Row(1, 10), Row(2, 20), other, other with { Member = other.Member with { Key = new RecipientKey(8, 6, 1) } }, .. many]);
        var lanes = new Dictionary<string, IndexLane>();
        await foreach (var lane in Totals.LanesAsync([IndexPartition.Of(_domain)], _domain, None)) lanes.Add(lane.Lane.Tenant, lane);
        Assert.All(lanes.Values, lane => Assert.Equal(_domain, lane.Domain));
        Assert.Equal((2L, 2L, 2_000L), (lanes["acme"].Queued, lanes["beta"].Queued, lanes["long"].Queued));
        Assert.Equal("7/1 2", Text(Packs(lanes["acme"])));
        Assert.Equal("8/5 1, 8/6 1", Text(Packs(lanes["beta"])));
        var sampled = Packs(lanes["long"]);
        Assert.Equal([0u, 1u], sampled.Select(pack => pack.Pack.Number));
        Assert.InRange(sampled.Sum(pack => pack.Count), IndexLane.MostOfLane / 2, IndexLane.MostOfLane);
        Assert.All(sampled, pack => Assert.InRange(pack.Count, IndexLane.MostOfLane / 4, IndexLane.MostOfLane));

        var all = new List<string>();
        await foreach (var lane in Totals.LanesAsync(IndexPartition.All, null, None)) all.Add(lane.Domain);
        Assert.Equal(3, all.Count(domain => domain == _domain));
        var none = new List<IndexLane>();
        await foreach (var lane in Totals.LanesAsync([IndexPartition.Of(_domain)], "nowhere.test", None)) none.Add(lane);
        Assert.Empty(none);

        static string Text((PackId Pack, int Count)[] packs) => string.Join(", ", packs.Select(pack => $"{pack.Pack.Writer}/{pack.Pack.Number} {pack.Count}"));

        static (PackId Pack, int Count)[] Packs(IndexLane lane) => [.. lane.Born.Select(pack => (pack.One.PackId, pack.Count)).OrderBy(pack => pack.PackId.Number)];
    }

    internal static StoreTime At(int second) => new(1_700_000_000_000 + second * 1000L);

    internal static IndexRow Row(int ordinal, int due, Lane? lane = null) =>
        new(lane ?? Lane, new IndexMember(new RecipientKey(7, 1, (ushort)ordinal), 100, 200, 0), At(due), 0);

    private static IndexSight Sight(int ordinal, Lane lane) => new(lane, Row(ordinal, 0).Member);

    internal async Task<IndexOwner> TakeAsync()
    {
        var token = (ulong)Random.Shared.NextInt64();
        return new IndexOwner(token, (await Index.TakeAsync(_domain, token, None)).Run);
    }

    internal async Task PutAsync(IndexOwner owner, params IndexRow[] rows) =>
        Assert.Equal(IndexWriteStatus.Done, await Index.WriteAsync(_domain, owner, [.. rows.Select(r => new IndexChange(r, Remove: false))], None));

    private async Task<StoreTime?> WakeAsync() => (await Index.WakesAsync(IndexPartition.Of(_domain), At(100_000), 1_000_000, None))
        .Where(w => w.Domain == _domain).Select(w => (StoreTime?)w.Due).FirstOrDefault();
}
