using Angarium.Grains.Webhooks;
using Angarium.Spool.Ledger;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>Events on their way: in order, with the places between them, and in bounds.</summary>
public sealed class WebhookInboxTests
{
    private readonly WebhookMemory _memory = new(16 << 20);

    private static LedgerCursor Place(int n) => LedgerCursor.From(new(n));

    private static EventLine[] Lines(string name, int count, int size = 100) => [.. Enumerable.Range(0, count).Select(i => new EventLine($"{name}{i}", i % 2 == 0 ? "delivered" : "deferred", new byte[size]))];

    [Fact]
    public void Take_PartOfASlice_HasNoPlaceUntilItsLast()
    {
        var inbox = new WebhookInbox(_memory);
        var (one, two, three) = (Place(1), Place(2), Place(3));
        Assert.True(inbox.Add(Lines("a", 3), one));
        Assert.True(inbox.Add(Lines("b", 1), two));
        Assert.True(inbox.Add([], three));
        var (lines, after, _) = inbox.Take(2, int.MaxValue);
        Assert.Equal(["a0", "a1"], lines.Select(l => l.Id));
        Assert.Null(after);
        (lines, after, _) = inbox.Take(1, int.MaxValue);
        Assert.Equal(("a2", one), (Assert.Single(lines).Id, after));
        // Behind the last there is nothing for it up to where the ledger was read to.
        (lines, after, _) = inbox.Take(9, int.MaxValue);
        Assert.Equal(("b0", three), (Assert.Single(lines).Id, after));
        (lines, after, _) = inbox.Take(9, int.MaxValue);
        Assert.Empty(lines);
        Assert.Null(after);
    }

    [Fact]
    public void Take_IntoTheNextSlice_TellsHowManyLieBehindThePlace()
    {
        var inbox = new WebhookInbox(_memory);
        inbox.Add(Lines("a", 3), Place(1));
        var two = Place(2);
        inbox.Add(Lines("b", 4), two);
        Assert.Equal(2, inbox.Take(5, int.MaxValue).Behind);
        var (lines, after, behind) = inbox.Take(5, int.MaxValue);
        Assert.Equal((2, two, 0), (lines.Count, after, behind));
    }

    [Fact]
    public void Take_ByOctets_EndsBeforeTheOneThatIsTooMuch()
    {
        var inbox = new WebhookInbox(_memory);
        inbox.Add(Lines("a", 5, 1_000), Place(1));
        Assert.Equal(2, inbox.Take(9, 2_500).Lines.Count);
        // One that is larger than all goes alone.
        Assert.Single(inbox.Take(9, 10).Lines);
    }

    [Fact]
    public void Add_OtherTypes_IsPassedOver()
    {
        var inbox = new WebhookInbox(_memory) { Types = ["deferred"] };
        var place = Place(1);
        inbox.Add(Lines("a", 3), place);
        var (lines, after, _) = inbox.Take(9, int.MaxValue);
        Assert.Equal(("a1", place), (Assert.Single(lines).Id, after));
        inbox.Add(Lines("b", 1), place = Place(2));
        Assert.Equal(place, inbox.Take(9, int.MaxValue).After);
    }

    [Fact]
    public void Add_WithoutRoom_ClosesIt_AndWhatItHasIsPostedStill()
    {
        var inbox = new WebhookInbox(_memory);
        var place = Place(1);
        Assert.True(inbox.Add(Lines("a", 1), place));
        Assert.False(inbox.Add(Lines("b", 20, 50_000), Place(2)));
        Assert.True(inbox.IsClosed && inbox.ChangedAsync().IsCompleted);
        Assert.False(inbox.Add([], Place(3)));
        Assert.Equal(place, inbox.Take(9, int.MaxValue).After);
    }

    /// <summary>Slow ones, however many, leave room to the quick ones.</summary>
    [Fact]
    public void Add_ManyThatAreNeverEmptied_LeaveRoomToOneThatIs()
    {
        for (var i = 0; i < 1_000; i++)
        {
            var slow = new WebhookInbox(_memory);
            while (slow.Add(Lines("s", 10, 1_000), Place(1))) ;
        }

        Assert.True(_memory.HasRoom);
        var quick = new WebhookInbox(_memory);
        for (var i = 0; i < 1_000; i++)
        {
            Assert.True(quick.Add(Lines("q", 1), Place(i)));
            Assert.Single(quick.Take(9, int.MaxValue).Lines);
        }
    }

    [Fact]
    public void Drop_GivesAllBack()
    {
        for (var i = 0; i < 1_000; i++)
        {
            var inbox = new WebhookInbox(_memory);
            Assert.True(inbox.Add(Lines("a", 100, 1_000), Place(1)));
            inbox.Take(10, int.MaxValue);
            inbox.Drop();
            var (lines, after, _) = inbox.Take(9, int.MaxValue);
            Assert.Empty(lines);
            Assert.Null(after);
        }
    }
}
