using System.Diagnostics;
using Angarium.Contracts.EgressPools;
using Angarium.Grains.EgressPools;
using Angarium.Mail;
using Angarium.TestKit.Peers;
using Orleans.Core.Internal;

namespace Angarium.Integration.Cluster;

/// <summary>The activation of a pool ends while it holds a worker's poll and others call it: a silo that stops, or the one that died had its place in the directory.</summary>
public sealed class When_a_pool_has_to_go : IAsyncLifetime
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(20);

    private readonly TestCluster _cluster = new();
    private readonly SteppedTime _time = new();
    private readonly PlainClock _clock;
    private TestSilo _silo = null!;

    public When_a_pool_has_to_go() => _clock = new PlainClock(_time);

    public async ValueTask InitializeAsync()
    {
        await _cluster.WithDocumentAsync();
        _silo = await _cluster.PoolSiloAsync(_clock);
        await TestCluster.UntilAsync(() => _silo.Standing.IsConfirmed, s_soon, "the silo's standing");
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Should_end_its_polls_and_answer_elsewhere()
    {
        var pool = _silo.Grains.GetGrain<IEgressPoolPoll>("default");
        var first = await pool.Poll(Number("one", 1));
        Assert.True(first.Accepted);
        var held = pool.Poll(Number("one", 2) with { Claim = first.Claim });
        var before = await DeclaredAsync();
        Assert.False(held.IsCompleted);

        await pool.AsReference<IGrainManagementExtension>().DeactivateOnIdle();
        var since = Stopwatch.StartNew();
        // Calls that stand before whatever the activation wants to do later.
        var next = DeclaredAsync();
        var other = pool.Poll(Number("two", 1));
        await held.WaitAsync(s_soon);
        Assert.NotEqual(before.Pool, (await next.WaitAsync(s_soon)).Pool);
        await other.WaitAsync(s_soon);
        Assert.True(since.Elapsed < s_soon);
    }

    /// <summary>Its silo alone has lost the store, or stood still: another one may be able to have the pool.</summary>
    [Fact]
    public async Task Should_let_go_when_it_was_not_confirmed_for_a_minute()
    {
        await _silo.Grains.GetGrain<IEgressPoolPoll>("default").Poll(Number("one", 1));
        var before = await DeclaredAsync();
        _time.Step(TimeSpan.FromSeconds(61));
        await TestCluster.UntilAsync(async () => (await DeclaredAsync()).Pool is not 0 and var now && now != before.Pool, s_soon, "another activation");
    }

    private Task<DeclaredPermits> DeclaredAsync() => _silo.Grains.GetGrain<IEgressPoolOrders>("default").Declared(new DeclareRequest { Site = "site", Owner = 1 });

    private PollRequest Number(string worker, long number) => new() { Worker = worker, Number = number, SentAt = _clock.Now, FreeSessions = 1 };
}
