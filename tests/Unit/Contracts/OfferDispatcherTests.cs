using System.Collections.Concurrent;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Intake;
using Angarium.Mail;
using Angarium.TestKit.Logging;

namespace Angarium.Unit.Contracts;

/// <summary>Design rules 11 and 23: an offer per pack and domain, once; what is not taken is counted, and too much of it stops the intake. A queue of the test answers.</summary>
public sealed class OfferDispatcherTests : IAsyncDisposable
{
    private static readonly StoreTime s_start = new(1_700_000_000_000);
    private static readonly PackName s_pack = PackName.Birth(new PackId(1, 1));

    private readonly LogLines<OfferDispatcher> _log = new();
    private readonly ConcurrentQueue<(string Domain, Offer Offer)> _offers = new();
    private readonly OfferDispatcher _dispatcher;
    private StoreTime _now = s_start;
    private Func<string, Offer, ValueTask<OfferAnswer>> _answer = (_, _) => ValueTask.FromResult(default(OfferAnswer));

    public OfferDispatcherTests() => _dispatcher = new OfferDispatcher(
        (domain, offer) =>
        {
            _offers.Enqueue((domain, offer));
            return _answer(domain, offer);
        },
        () => _now, _log);

    public ValueTask DisposeAsync() => _dispatcher.DisposeAsync();

    [Fact]
    public async Task Post_APackOfTwoDomains_OffersEachItsEntriesOnce()
    {
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", 2), Entry("b.example", 1), Entry("a.example", 3)]);
        await DoneAsync(6);
        Assert.Equal([("a.example", 5), ("b.example", 1)], _offers.Select(each => (each.Domain, each.Offer.Entries.Sum(entry => entry.Keys.Length))).Order());
        Assert.All(_offers, each => Assert.Equal((s_pack, s_start), (each.Offer.Pack, each.Offer.CommitBegan)));
        Assert.Equal((6, 0, 0), (_dispatcher.Offered, _dispatcher.LeftToSweep, _dispatcher.Backlog));
    }

    [Fact]
    public async Task Post_WhileNoQueueAnswers_CountsTowards451UntilTheDomainAcceptsOrTenMinutesHavePassed()
    {
        _answer = (_, _) => throw new TimeoutException("no silo");
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", OfferDispatcher.MaxRefused), Entry("b.example", 2)]);
        await DoneAsync(OfferDispatcher.MaxRefused + 2);
        Assert.NotNull(_dispatcher.Refusal);
        _answer = (_, _) => ValueTask.FromResult(default(OfferAnswer));
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", 1)]);
        await DoneAsync(OfferDispatcher.MaxRefused + 3);
        Assert.Equal((2, null), (_dispatcher.Refused, _dispatcher.Refusal));
        _now += TimeSpan.FromMinutes(11);
        Assert.Equal(0, _dispatcher.Refused);
    }

    [Fact]
    public async Task Post_LaterThanAnOfferMayBe_IsLeftToTheSweep()
    {
        _now = s_start + OfferDispatcher.Latest + TimeSpan.FromMilliseconds(1);
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", 2)]);
        await DoneAsync(2);
        Assert.Empty(_offers);
        Assert.Equal((0, 2), (_dispatcher.Offered, _dispatcher.LeftToSweep));
    }

    [Fact]
    public async Task Post_BeyondTheBacklog_IsLeftToTheSweep()
    {
        var gate = new TaskCompletionSource<OfferAnswer>();
        _answer = (_, _) => new ValueTask<OfferAnswer>(gate.Task);
        // All calls are taken, and one more waits.
        for (var i = 0; i <= OfferDispatcher.MaxCalls; i++) _dispatcher.Post(s_pack, s_start, [Entry($"d{i}.example", 1)]);
        _dispatcher.Post(s_pack, s_start, [Entry("large.example", OfferDispatcher.MaxBacklog)]);
        Assert.Equal(OfferDispatcher.MaxBacklog, _dispatcher.LeftToSweep);
        gate.SetResult(default);
        await DoneAsync(OfferDispatcher.MaxBacklog + OfferDispatcher.MaxCalls + 1);
        Assert.Equal(OfferDispatcher.MaxCalls + 1, _dispatcher.Offered);
    }

    [Fact]
    public async Task Offer_TooManyRefused_StopsTheIntakeUntilTheDomainAccepts()
    {
        _answer = (_, _) => ValueTask.FromResult(new OfferAnswer(1, false));
        _dispatcher.Post(s_pack, s_start, [Entry("other.example", 2)]);
        await DoneAsync(2);
        Assert.Equal((1, 1), (_dispatcher.Offered, _dispatcher.LeftToSweep));
        _answer = (_, _) => ValueTask.FromResult(new OfferAnswer(OfferDispatcher.MaxRefused, false));
        Assert.Null(_dispatcher.Refusal);
        _dispatcher.Post(s_pack, s_start, [Entry("full.example", OfferDispatcher.MaxRefused)]);
        await DoneAsync(2 + OfferDispatcher.MaxRefused);
        Assert.Equal((OfferDispatcher.MaxRefused + 1, 451), (_dispatcher.Refused, _dispatcher.Refusal?.Code));

        _answer = (_, _) => ValueTask.FromResult(default(OfferAnswer));
        _dispatcher.Post(s_pack, s_start, [Entry("full.example", 1)]);
        await DoneAsync(3 + OfferDispatcher.MaxRefused);
        Assert.Null(_dispatcher.Refusal);
        Assert.Equal(1, _dispatcher.Refused);
    }

    [Fact]
    public async Task Offer_AnsweredLate_IsLeftToTheSweepAndNoRefusal()
    {
        _answer = (_, _) => ValueTask.FromResult(new OfferAnswer(0, true));
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", 2)]);
        await DoneAsync(2);
        Assert.Equal((0, 2, 0), (_dispatcher.Offered, _dispatcher.LeftToSweep, _dispatcher.Refused));
    }

    [Fact]
    public async Task Offer_ThatFails_IsLeftToTheSweepAndSaidOnceAMinute()
    {
        _answer = (_, _) => throw new InvalidOperationException("no silo");
        for (var i = 1; i <= 3; i++)
        {
            _dispatcher.Post(s_pack, s_start, [Entry("a.example", 2)]);
            await DoneAsync(2 * i);
        }

        Assert.StartsWith("Warning: 1 calls", Assert.Single(_log.All), StringComparison.Ordinal);
        _now += TimeSpan.FromMinutes(1);
        _dispatcher.Post(s_pack, _now, [Entry("a.example", 2)]);
        await DoneAsync(8);
        await _dispatcher.DisposeAsync();
        Assert.StartsWith("Warning: 3 calls", _log.All[1], StringComparison.Ordinal);
        Assert.Equal((0, 8), (_dispatcher.Offered, _dispatcher.LeftToSweep));
        // Not repeated: rule 11.
        Assert.Equal(4, _offers.Count);
    }

    [Fact]
    public async Task Dispose_WithCallsInFlight_WaitsForThem()
    {
        var gate = new TaskCompletionSource<OfferAnswer>();
        var called = new TaskCompletionSource();
        _answer = (_, _) =>
        {
            called.SetResult();
            return new ValueTask<OfferAnswer>(gate.Task);
        };
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", 2)]);
        await called.Task;
        var end = _dispatcher.DisposeAsync().AsTask();
        Assert.False(end.IsCompleted);
        gate.SetResult(default);
        await end;
        Assert.Equal(2, _dispatcher.Offered);
        _dispatcher.Post(s_pack, s_start, [Entry("a.example", 2)]);
        Assert.Equal((2, 0), (_dispatcher.LeftToSweep, _dispatcher.Backlog));
    }

    /// <summary>Every recipient posted so far has been taken or left.</summary>
    private async Task DoneAsync(long recipients)
    {
        while (_dispatcher.Offered + _dispatcher.LeftToSweep < recipients)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static DomainEntry Entry(string domain, int recipients) =>
        new(domain, new OfferedEntry { Tenant = "default", Keys = [.. Enumerable.Range(0, recipients).Select(i => new RecipientKey(1, 1, (ushort)i))] });
}
