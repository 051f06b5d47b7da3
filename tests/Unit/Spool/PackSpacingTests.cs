using System.Collections.Concurrent;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Spool;

/// <summary>Commits to a store of requests: several in flight, spaced under load, never when idle.</summary>
public sealed class PackSpacingTests : IAsyncDisposable
{
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(25);
    private readonly FakeTimeProvider _time = new();
    private readonly Store _store = new();
    private readonly PackWriter _writer;

    public PackSpacingTests() => _writer = new PackWriter(_store, new PackCache(0), new Clock(_time), _time, Spacing, NullLogger.Instance);

    public async ValueTask DisposeAsync()
    {
        _store.AnswerAll();
        await _writer.DisposeAsync();
        _store.Dispose();
    }

    [Fact]
    public async Task Commit_OneAfterTheOther_NeverWaits()
    {
        for (var i = 0; i < 5; i++)
        {
            var commit = Commit();
            Assert.Equal(1, _store.InFlight);
            _store.AnswerAll();
            Assert.Equal(CommitStatus.Committed, (await commit.WaitAsync(TimeSpan.FromSeconds(20))).Status);
            _time.Advance(TimeSpan.FromMilliseconds(3));
        }
    }

    [Fact]
    public async Task Commit_WhileOthersAreInFlight_StartsOnceTheSpacingIsOver_UpToTheStoresBound()
    {
        var commits = new List<Task<CommitReceipt>> { Commit() };
        for (var started = 1; started <= 4; started++)
        {
            Assert.Equal(started, _store.InFlight);
            commits.AddRange([Commit(), Commit()]);
            _time.Advance(TimeSpan.FromMilliseconds(24));
            Assert.Equal(started, _store.InFlight);
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal(4, _store.InFlight);
        _store.AnswerAll();
        await _store.InFlightAsync(1);
        _store.AnswerAll();
        await Task.WhenAll(commits).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal([1, 2, 2, 2, 2], (await Task.WhenAll(commits)).GroupBy(r => r.Id.First.PackId).OrderBy(g => g.Key.Number).Select(g => g.Count()));
    }

    [Fact]
    public async Task Commit_UnderLoadOnAQuickStore_IsSpaced_AndStopsBeingSoWhenTheLoadEnds()
    {
        await AnsweredAsync(Commit());
        _time.Advance(Spacing);
        var first = Commit();
        var gathered = new[] { Commit(), Commit() };
        await AnsweredAsync(first);

        // Two had gathered behind it: nothing is in flight, they go at once, and that was load.
        await _store.InFlightAsync(1);
        await AnsweredAsync(gathered);
        var next = Commit();
        Assert.Equal(0, _store.InFlight);
        _time.Advance(Spacing);
        await _store.InFlightAsync(1);
        await AnsweredAsync(next);
        var alone = Commit();
        Assert.Equal(1, _store.InFlight);
        await AnsweredAsync(alone);
    }

    private async Task AnsweredAsync(params Task<CommitReceipt>[] commits)
    {
        _store.AnswerAll();
        await Task.WhenAll(commits).WaitAsync(TimeSpan.FromSeconds(20));
    }

    private Task<CommitReceipt> Commit() => _writer.CommitAsync(Mails.To("x", "a@one.example"), CancellationToken.None);

    private sealed class Clock(TimeProvider time) : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(time.GetUtcNow());

        public bool IsSettled => true;
    }

    private sealed class Store : IPackStore, IDisposable
    {
        private readonly ConcurrentQueue<TaskCompletionSource<PackCreation>> _pending = new();
        private readonly SemaphoreSlim _called = new(0);

        public void Dispose() => _called.Dispose();

        public int MaxCreationsInFlight => 4;

        public int InFlight => _pending.Count;

        public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken)
        {
            var pending = new TaskCompletionSource<PackCreation>();
            _pending.Enqueue(pending);
            _called.Release();
            return pending.Task;
        }

        public async Task InFlightAsync(int count)
        {
            while (InFlight < count) Assert.True(await _called.WaitAsync(TimeSpan.FromSeconds(20)));
        }

        /// <summary>Those that are in flight now, not those that begin because of it.</summary>
        public void AnswerAll()
        {
            for (var count = _pending.Count; count > 0 && _pending.TryDequeue(out var pending); count--) pending.SetResult(PackCreation.Created);
        }

        public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken) => new(-1);

        public IAsyncEnumerable<PackListing> ListAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<PackListing>();

        public Task DeleteAsync(PackName name, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
