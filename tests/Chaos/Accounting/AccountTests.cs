namespace Angarium.Chaos.Accounting;

/// <summary>The account sees what it is there to see: books are written as a run writes them, doctored, and judged.</summary>
public sealed class AccountTests : IDisposable
{
    private static readonly DateTimeOffset noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly string folder = Directory.CreateTempSubdirectory("angarium-books-").FullName;
    private readonly Books books;
    private long sequence;

    public AccountTests() => books = new Books(folder);

    public void Dispose()
    {
        books.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Of_DeliveredAndBounced_IsClean()
    {
        Sent(1, SendOutcome.Acknowledged, "r1-0@a.test", "x1-1@a.test");
        Took(1, 1, "r1-0@a.test");
        books.Note([new Bounce("x1-1@a.test", noon)]);
        var account = Judge();
        Assert.Equal((2, 1, 1), (account.Acknowledged, account.Delivered, account.Bounced));
        Assert.True(account.IsClean);
    }

    [Fact]
    public void Of_AcknowledgedRecipientThatNeverCame_IsLost()
    {
        Sent(1, SendOutcome.Acknowledged, "r1-0@a.test", "r1-1@a.test");
        Took(1, 1, "r1-0@a.test");
        var account = Judge();
        Assert.Equal("r1-1@a.test", Assert.Single(account.Lost).Recipient);
        Assert.False(account.IsClean);
    }

    [Theory]
    [InlineData(SendOutcome.Refused)]
    [InlineData(SendOutcome.Unknown)]
    internal void Of_NeverAcknowledged_IsNotLost(SendOutcome outcome)
    {
        Sent(1, outcome, "r1-0@a.test");
        Assert.True(Judge().IsClean);
    }

    [Fact]
    public void Of_TwiceWithoutAFault_IsWrong()
    {
        Took(1, 1, "r1-0@a.test");
        Took(1, 30, "r1-0@a.test");
        Assert.Equal("no fault followed its first dot", Assert.Single(Judge().Doubled).Fault);
    }

    [Fact]
    public void Of_UnansweredSendThatCameTwice_IsJudgedAsWell()
    {
        Sent(1, SendOutcome.Unknown, "r1-0@a.test");
        Took(1, 1, "r1-0@a.test");
        Took(1, 30, "r1-0@a.test");
        Assert.False(Judge().IsClean);
    }

    [Theory]
    // Kind of excuse: the first copy's egress was struck; another was; nobody's attempts are doubled by it.
    [InlineData("egress1", 2, 6, true)]
    [InlineData("*", 2, 6, true)]
    [InlineData("egress2", 2, 6, false)]
    [InlineData("", 2, 6, false)]
    // Still in its aftermath at the first dot; long over; begun when the outcome had long been on record; begun after the second copy.
    [InlineData("*", -30, -10, true)]
    [InlineData("*", -90, -60, false)]
    [InlineData("*", 20, 25, false)]
    [InlineData("*", 31, 35, false)]
    public void Of_TwiceWithAFaultBetween_DependsOnTheFault(string doubles, int from, int to, bool isExcused)
    {
        Took(1, 1, "r1-0@a.test", peer: "egress1");
        Took(1, 30, "r1-0@a.test", peer: "egress2");
        books.Note(new Strike("stop-egress", "x", doubles, At(from), At(to)));
        Assert.Equal(isExcused, Judge().IsClean);
    }

    [Fact]
    public void Of_TwiceAfterALostReply_IsRight()
    {
        Took(1, 1, "r1-0@a.test", isAnswered: false);
        Took(1, 30, "r1-0@a.test");
        Assert.True(Judge().IsClean);
    }

    [Theory]
    // Recorded before the second copy began; after; while its worker had it already; before that.
    [InlineData(29.0, 0, true)]
    [InlineData(30.5, 0, false)]
    [InlineData(29.0, 2, false)]
    [InlineData(27.0, 2, true)]
    public void Of_SecondCopyAfterADeliveredRecord_IsWrongWhateverStruck(double recorded, double waited, bool isWrong)
    {
        Took(1, 1, "r1-0@a.test", isAnswered: false);
        Took(1, 30, "r1-0@a.test");
        books.Note(new Strike("stop-silo", "silo1", "*", At(0), At(20)));
        Assert.Equal(isWrong, Assert.Single(Judge(TimeSpan.FromSeconds(waited), At(recorded)).Doubled).Fault is not null);
    }

    [Fact]
    public void Of_ThirdCopyWithoutAFault_IsWrongAlthoughTheSecondWasRight()
    {
        Took(1, 1, "r1-0@a.test", isAnswered: false);
        Took(1, 30, "r1-0@a.test");
        Took(1, 60, "r1-0@a.test");
        Assert.Equal([false, true], Judge().Doubled.Select(d => d.Fault is not null));
    }

    [Fact]
    public void Of_TakenAndYetBounced_IsAContradiction()
    {
        Sent(1, SendOutcome.Acknowledged, "r1-0@a.test");
        Took(1, 1, "r1-0@a.test");
        books.Note([new Bounce("r1-0@a.test", noon)]);
        Assert.Equal("r1-0@a.test", Assert.Single(Judge().Contradicted));
    }

    [Fact]
    public void Of_OtherContent_IsDamaged()
    {
        Took(1, 1, "r1-0@a.test", isIntact: false);
        Assert.False(Judge().IsClean);
    }

    [Fact]
    public void Of_TwoNoticesToOneAddress_AreNoCopies()
    {
        Took(0, 1, "b1@back.test");
        Took(0, 30, "b1@back.test");
        Assert.Empty(Judge().Doubled);
    }

    [Fact]
    public void Of_Gaps_NamesTheLongest()
    {
        Took(1, 1, "r1-0@a.test");
        Took(2, 8, "r2-0@a.test");
        Took(3, 9, "r3-0@a.test");
        Assert.Equal(TimeSpan.FromSeconds(7), Judge().LongestWithoutArrival);
    }

    [Fact]
    public void Of_GapAfterTheLastFault_IsCountedFromItsEnd()
    {
        books.Note(new Strike("kill-silo", "silo1", "*", At(0), At(20)));
        Took(1, 10, "r1-0@a.test");
        Took(2, 29, "r2-0@a.test");
        Took(3, 34, "r3-0@a.test");
        Assert.Equal(TimeSpan.FromSeconds(9), Judge().LongestAfterFaults);
    }

    [Fact]
    public void Of_GapWithoutAFault_IsNone()
    {
        Took(1, 10, "r1-0@a.test");
        Took(2, 90, "r2-0@a.test");
        Assert.Equal(TimeSpan.Zero, Judge().LongestAfterFaults);
    }

    private static DateTimeOffset At(double seconds) => noon.AddSeconds(seconds);

    private void Sent(long number, SendOutcome outcome, params string[] recipients) => books.Note(new Send(number, "acme", "ingress1", outcome, "250 2.0.0 Ok\tid", noon, At(1), recipients));

    private void Took(long number, double at, string recipient, string peer = "egress1", bool isAnswered = true, bool isIntact = true)
    {
        books.Note([new Arrival(++sequence, number, "id", peer, recipient, isIntact, At(at), At(at), null)]);
        if (isAnswered) books.NoteAnswer(sequence, At(at));
    }

    private Account Judge() => Judge(TimeSpan.Zero);

    private Account Judge(TimeSpan waited, params DateTimeOffset[] delivered)
    {
        var (sends, arrivals, bounces, strikes) = Books.Read(folder);
        return Account.Of(sends, arrivals, bounces, strikes, delivered.SelectMany(time => arrivals.Select(a => (a.Recipient, time))).Distinct().ToLookup(d => d.Recipient, d => d.time), _ => waited);
    }
}
