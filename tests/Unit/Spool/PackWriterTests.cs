using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Spool;

/// <summary>Group commit over a store that answers as the test says, in the test's time (design rules 1 to 3).</summary>
public sealed class PackWriterTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Store _store = new();
    private readonly PackWriter _writer;
    private ulong _ids;

    public PackWriterTests() => _writer = new PackWriter(_store, new PackCache(0), new Clock(_time), _time, TimeSpan.Zero, NullLogger.Instance, () => ++_ids);

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        _store.Dispose();
    }

    [Fact]
    public async Task Commit_WhileAPackIsInFlight_GathersForTheNext()
    {
        var first = Commit();
        var second = Commit();
        var third = Commit();
        Assert.Single(_store.Names);
        _store.Answer(PackCreation.Created);
        Assert.Equal(CommitStatus.Committed, (await first).Status);
        await _store.CreationAsync(2);
        Assert.False(second.IsCompleted);
        _store.Answer(PackCreation.Created);
        Assert.Equal([CommitStatus.Committed, CommitStatus.Committed], (await Task.WhenAll(second, third)).Select(r => r.Status));
        Assert.Equal([1u, 2u], _store.Names.Select(n => n.Number));
        Assert.Equal((await second).Id.First.PackId, (await third).Id.First.PackId);
    }

    [Fact]
    public async Task Commit_UnknownFor20Seconds_IsRepeatedUnderOneNameAndThenUnavailable()
    {
        _store.Always = PackCreation.Unknown;
        var started = _time.GetUtcNow();
        var commit = Commit();
        while (_time.GetUtcNow() - started < TimeSpan.FromSeconds(19.5))
        {
            Assert.False(commit.IsCompleted);
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        while (!commit.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.Equal(CommitStatus.Unavailable, (await commit).Status);
        Assert.Single(_store.Names.Distinct());
        Assert.InRange(_store.Names.Count, 3, 30);
    }

    [Fact]
    public async Task Commit_ExistsAfterAnUnknownResult_IsCommitted()
    {
        var commit = Commit();
        _store.Answer(PackCreation.Unknown);
        await AdvanceUntilAsync(() => _store.Names.Count == 2);
        _store.Answer(PackCreation.Exists);
        Assert.Equal(CommitStatus.Committed, (await commit).Status);
        Assert.Single(_store.Names.Distinct());
    }

    [Fact]
    public async Task Commit_ExistsAtFirst_EndsTheWriterIdAndCommitsUnderANewOne()
    {
        var commit = Commit();
        _store.Answer(PackCreation.Exists);
        await _store.CreationAsync(2);
        _store.Answer(PackCreation.Created);
        var receipt = await commit;
        Assert.Equal(CommitStatus.Committed, receipt.Status);
        Assert.Equal([1ul, 2ul], _store.Names.Select(n => n.Writer));
        Assert.Equal(2ul, receipt.Id.First.Writer);
    }

    [Fact]
    public async Task Commit_Full_SaysSo()
    {
        var commit = Commit();
        _store.Answer(PackCreation.Full);
        Assert.Equal(CommitStatus.Full, (await commit).Status);
    }

    [Fact]
    public async Task Commit_AConflictWhenAllHaveLeft_DoesNotStopTheWriter()
    {
        using var leave = new CancellationTokenSource();
        var first = Commit();
        var second = Commit(leave.Token);
        var third = Commit(leave.Token);
        _store.Answer(PackCreation.Created);
        await first;
        await _store.CreationAsync(2);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third);
        _store.Answer(PackCreation.Exists);
        _store.Always = PackCreation.Created;
        Assert.Equal(CommitStatus.Committed, (await Commit().WaitAsync(TimeSpan.FromSeconds(20))).Status);
    }

    private Task<CommitReceipt> Commit(CancellationToken cancellationToken = default) => _writer.CommitAsync(Mails.To("x", "a@one.example"), cancellationToken);

    private async Task AdvanceUntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 1_000 && !condition(); i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        Assert.True(condition());
    }

    private sealed class Clock(TimeProvider time) : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(time.GetUtcNow());

        public bool IsSettled => true;
    }

    private sealed class Store : IPackStore, IDisposable
    {
        private readonly Lock _gate = new();
        private readonly SemaphoreSlim _called = new(0);
        private TaskCompletionSource<PackCreation>? _pending;
        private int _seen;

        public List<PackName> Names { get; } = [];

        public PackCreation? Always { get; set; }

        public void Dispose() => _called.Dispose();

        public int MaxCreationsInFlight => 1;

        public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                Names.Add(name);
                _called.Release();
                if (Always is { } answer) return Task.FromResult(answer);
                _pending = new TaskCompletionSource<PackCreation>();
                return _pending.Task;
            }
        }

        /// <summary>Completes once that many creations have been asked for.</summary>
        public async Task CreationAsync(int count)
        {
            while (_seen < count)
            {
                Assert.True(await _called.WaitAsync(TimeSpan.FromSeconds(20)));
                _seen++;
            }
        }

        public void Answer(PackCreation answer)
        {
            TaskCompletionSource<PackCreation> pending;
            lock (_gate) (pending, _pending) = (_pending!, null);
            pending.SetResult(answer);
        }

        public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken) => new(-1);

        public IAsyncEnumerable<PackListing> ListAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<PackListing>();

        public Task DeleteAsync(PackName name, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
