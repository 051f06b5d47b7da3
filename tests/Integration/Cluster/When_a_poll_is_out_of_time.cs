using Angarium.Contracts.EgressPools;
using Angarium.Mail;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Integration.Cluster;

/// <summary>What a worker says in its poll counts only while it is young, and by a clock that is right (design rule 18).</summary>
public sealed class When_a_poll_is_out_of_time : IAsyncLifetime
{
    private readonly TestCluster _cluster = new();
    private readonly PlainClock _clock = new(new FakeTimeProvider(DateTimeOffset.UtcNow));
    private IEgressPoolPoll _pool = null!;

    public async ValueTask InitializeAsync()
    {
        await _cluster.WithDocumentAsync();
        var silo = await _cluster.PoolSiloAsync(_clock);
        await TestCluster.UntilAsync(() => silo.Standing.IsConfirmed, TimeSpan.FromSeconds(20), "the silo's standing");
        _pool = silo.Grains.GetGrain<IEgressPoolPoll>("default");
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Should_refuse_what_is_dated_more_than_5_seconds_from_here()
    {
        foreach (var seconds in new[] { -6, 6 })
        {
            Assert.False((await PollAsync(seconds)).Accepted);
            Assert.True((await PollAsync(seconds - Math.Sign(seconds))).Accepted);
        }
    }

    [Fact]
    public async Task Should_refuse_all_while_its_own_clock_is_not_settled()
    {
        _clock.IsSettled = false;
        Assert.False((await PollAsync(0)).Accepted);
        _clock.IsSettled = true;
        Assert.True((await PollAsync(0)).Accepted);
    }

    /// <summary>The first poll of a worker, which is answered at once.</summary>
    private async Task<PollAnswer> PollAsync(int seconds) =>
        await _pool.Poll(new PollRequest { Worker = $"w{seconds}", Number = 1, SentAt = _clock.Now + TimeSpan.FromSeconds(seconds), FreeSessions = 1 }).WaitAsync(TimeSpan.FromSeconds(20));
}
