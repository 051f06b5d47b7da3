using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>How a domain judges what the sweep offers: by the index, then by a view refreshed since, then in one turn (design rules 12, 18, 19).</summary>
public class DomainQueueSweptTests
{
    private static readonly Lane Lane = new("t", MessageClass.Bulk);
    private static readonly RecipientKey[] Keys = [new(9, 1, 0), new(9, 1, 1)];

    [Fact]
    public async Task OfferSwept_OfWhatIsNowhere_IsWrittenToTheIndexAndGranted()
    {
        var q = new QueueUnderTest(isSole: false);
        Assert.True(await SweepAsync(q));
        Assert.Equal(Keys, (await RowsAsync(q)).Select(r => r.Member.Key).Order());
        await q.After(TimeSpan.FromSeconds(40));
        Assert.Equal(Keys, Assert.Single((await q.Exchange(1)).Grants).Keys);
    }

    /// <summary>Finished and struck from the index as it was read: only a view that is newer than the index's answer knows of it.</summary>
    [Fact]
    public async Task OfferSwept_FinishedBetweenTheIndexesAnswerAndTheRefresh_IsNotEnqueued()
    {
        var q = new QueueUnderTest(isSole: false);
        q.Way.BeforeContained = () => q.FinishElsewhere(Keys[0]);
        Assert.True(await SweepAsync(q));
        Assert.Equal(Keys[1], Assert.Single(await RowsAsync(q)).Member.Key);
    }

    [Fact]
    public async Task OfferSwept_InMemorySinceTheIndexWasAsked_IsNotEnqueued()
    {
        var q = new QueueUnderTest(isSole: false);
        RecipientKey[] fresh = [];
        q.Way.BeforeContained = () => fresh = q.Offer(1);
        Assert.True(await SweepAsync(q, offer => offer with { Entries = [.. offer.Entries, offer.Entries[0] with { Keys = [new RecipientKey(7, 1, 0)] }] }));
        Assert.Equal(new RecipientKey(7, 1, 0), Assert.Single(fresh));
        Assert.Equal(Keys, (await RowsAsync(q)).Select(r => r.Member.Key).Order());
    }

    [Fact]
    public async Task OfferSwept_InTheIndexAlready_KeepsDueTimeAndAttempts()
    {
        var q = new QueueUnderTest(isSole: false);
        var due = q.Clock.Now + TimeSpan.FromHours(3);
        var stamp = await q.Index.TakeAsync("one.test", 999, default);
        await q.Index.WriteAsync("one.test", new IndexOwner(999, stamp.Run), [new IndexChange(new IndexRow(Lane, new IndexMember(Keys[0], 16, 100, 0), due, 7), Remove: false)], default);
        Assert.True(await SweepAsync(q));
        var rows = (await RowsAsync(q)).ToDictionary(r => r.Member.Key, r => (r.Due, r.Attempts));
        Assert.Equal((due, 7), rows[Keys[0]]);
        Assert.NotEqual((due, 7), rows[Keys[1]]);
    }

    /// <summary>What was told of it before is not known: the next record says so, and no later one.</summary>
    [Fact]
    public async Task OfferSwept_OldEnoughForAttempts_IsRecordedAsPerhapsTheFirst()
    {
        var q = new QueueUnderTest(isSole: false);
        Assert.True(await SweepAsync(q, offer => offer with { Entries = [offer.Entries[0] with { Born = q.Clock.Now - TimeSpan.FromHours(3) }] }));
        foreach (var row in await RowsAsync(q))
        {
            var (attempts, isRecovered) = QueueEntry.OfRow(row.Attempts);
            Assert.True(isRecovered);
            Assert.InRange(attempts, 1, 20);
        }

        Assert.Equal((127, true), QueueEntry.OfRow(QueueEntry.RowAttempts(300, isRecovered: true)));
        Assert.Equal((0, false), QueueEntry.OfRow(QueueEntry.RowAttempts(0, isRecovered: false)));
    }

    [Theory]
    [InlineData(-6)]
    [InlineData(6)]
    public async Task OfferSwept_DatedOtherwise_IsRefused(int seconds)
    {
        var q = new QueueUnderTest(isSole: false);
        Assert.False(await SweepAsync(q, offer => offer with { SentAt = q.Clock.Now + TimeSpan.FromSeconds(seconds) }));
        Assert.Empty(await RowsAsync(q));
        Assert.True(await SweepAsync(q, offer => offer with { SentAt = q.Clock.Now + TimeSpan.FromSeconds(Math.Sign(seconds) * 5) }));
        Assert.Equal(2, (await RowsAsync(q)).Count);
    }

    [Fact]
    public async Task OfferSwept_WithANotBefore_IsDueNoSooner()
    {
        var q = new QueueUnderTest(isSole: false);
        var notBefore = q.Clock.Now + TimeSpan.FromHours(2) + TimeSpan.FromMilliseconds(1);
        Assert.True(await SweepAsync(q, offer => offer with { Entries = [offer.Entries[0] with { NotBefore = notBefore }] }));
        Assert.Equal([IndexScore.Round(notBefore), IndexScore.Round(notBefore)], (await RowsAsync(q)).Select(r => r.Due));
    }

    /// <summary>One message for two recipients, old enough for the sweep and too young for a second attempt.</summary>
    private static Task<bool> SweepAsync(QueueUnderTest q, Func<SweptOffer, SweptOffer>? change = null)
    {
        var offer = new SweptOffer
        {
            SentAt = q.Clock.Now,
            Entries = [new SweptEntry { Offset = 16, Length = 100, Tenant = Lane.Tenant, Class = Lane.Class, Keys = Keys, Born = q.Clock.Now - TimeSpan.FromSeconds(70), Message = Keys[0] }],
        };
        return q.Queue.OfferSweptAsync(change?.Invoke(offer) ?? offer);
    }

    private static async Task<IReadOnlyList<IndexRow>> RowsAsync(QueueUnderTest q) => await q.Index.ListAsync("one.test", default, 100, default);
}
