using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Spool;

/// <summary>Group commit of the ledger over files that fail when the test says so, in the test's time (design rules 6 and 9).</summary>
public sealed class LedgerWriterTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly VolatileFileSystem _files = new(new Random(1));
    private readonly FileLedgerStore _store;
    private readonly FileDocumentStore _documents;
    private readonly LedgerWriter _ledger;
    private ulong _nextWriter = 5;
    private bool _fails, _sealFails, _isConfirmed = true;

    public LedgerWriterTests()
    {
        foreach (var folder in new[] { "/data/ledger", "/data/private" }) _files.CreateFolder(folder);
        _store = new FileLedgerStore(_files, "/data", NullLogger.Instance);
        _documents = new FileDocumentStore(_files, "/data");
        _ledger = new LedgerWriter(_store, _documents, new Clock(_time), _time, NullLogger.Instance, drawId: () => _nextWriter++, silo: () => "10.0.0.1:1@7", isMember: () => Task.FromResult(_isConfirmed));
        _files.Before = call =>
        {
            if (_fails && call.EndsWith(".log", StringComparison.Ordinal)) throw new IOException(call);
            if (_sealFails && call.Contains(".end", StringComparison.Ordinal)) throw new IOException(call);
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _store.Dispose();
    }

    [Fact]
    public async Task Append_AfterOneFailure_GoesToANewStreamAndIsReadOnce()
    {
        await _ledger.AppendAsync([Record(1)]);
        _fails = true;
        var append = _ledger.AppendAsync([Record(2)]);
        Assert.False(append.IsCompleted);
        _fails = false;
        await AdvanceUntilAsync(append);
        await append;
        Assert.True(_ledger.IsHealthy);
        Assert.Equal([new LedgerStream(5, 1), new LedgerStream(5, 2)], await _store.ListAsync(default).Select(l => l.Stream).Order(Comparer<LedgerStream>.Create((a, b) => a.Number.CompareTo(b.Number))).ToListAsync());
        Assert.Equal([1, 2], await new LedgerTrace(_store).AllAsync(default).Select(r => (int)r.Key.Ordinal).Order().ToListAsync());
    }

    [Fact]
    public async Task Append_WhileTheDiskFails_ThrowsAndIsUnhealthyUntilAProbeSucceeds()
    {
        _fails = true;
        var append = _ledger.AppendAsync([Record(1)]);
        await AdvanceUntilAsync(append);
        await Assert.ThrowsAsync<IOException>(() => append);
        Assert.False(_ledger.IsHealthy);
        _fails = false;
        for (var i = 0; i < 1_000 && !_ledger.IsHealthy; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.True(_ledger.IsHealthy);
        await _ledger.AppendAsync([Record(2)]);
        Assert.Equal([2], await new LedgerTrace(_store).AllAsync(default).Select(r => (int)r.Key.Ordinal).ToListAsync());
    }

    [Fact]
    public async Task Append_NotBegunInTime_IsGivenUpAndNeverWritten()
    {
        _fails = true;
        var first = _ledger.AppendAsync([Record(1)]);
        var late = _ledger.AppendAsync([Record(2)], TimeSpan.FromMilliseconds(100));
        _fails = false;
        await AdvanceUntilAsync(first);
        await first;
        await Assert.ThrowsAsync<TimeoutException>(() => late);
        Assert.Equal([1], await new LedgerTrace(_store).AllAsync(default).Select(r => (int)r.Key.Ordinal).ToListAsync());
    }

    [Fact]
    public async Task Append_WhileTheLastStreamCannotBeSealed_BeginsNoOther()
    {
        await _ledger.AppendAsync([Record(1)]);
        _sealFails = true;
        _time.Advance(TimeSpan.FromHours(2));
        var append = _ledger.AppendAsync([Record(2)]);
        await AdvanceUntilAsync(append);
        await Assert.ThrowsAsync<IOException>(() => append);
        Assert.Equal([(new LedgerStream(5, 1), false)], await Streams());
        _sealFails = false;
        for (var i = 0; i < 1_000 && !_ledger.IsHealthy; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        await _ledger.AppendAsync([Record(3)]);
        Assert.Equal([(new LedgerStream(5, 1), true), (new LedgerStream(5, 2), false)], await Streams());
    }

    [Fact]
    public async Task Append_AfterSomebodyElseSealedTheStream_GoesOnAsAnotherWriter()
    {
        await _ledger.AppendAsync([Record(1)]);
        await _store.SealAsync(new LedgerStream(5, 1), default);
        var append = _ledger.AppendAsync([Record(2)]);
        await AdvanceUntilAsync(append);
        await append;
        Assert.NotEqual(5UL, _ledger.Writer);
        var lines = await WritersDocument.ReadAsync(_documents, default);
        Assert.Equal(1U, lines[5].Last);
        Assert.Equal(("10.0.0.1:1@7", null), (lines[_ledger.Writer].Silo, lines[_ledger.Writer].Last));
        Assert.Equal([1, 2], await new LedgerTrace(_store).AllAsync(default).Select(r => (int)r.Key.Ordinal).Order().ToListAsync());
    }

    [Fact]
    public async Task Append_AfterSomebodyElseSealedTheStream_IsRefusedWhileTheRowIsNotConfirmed()
    {
        await _ledger.AppendAsync([Record(1)]);
        await _store.SealAsync(new LedgerStream(5, 1), default);
        _isConfirmed = false;
        var append = _ledger.AppendAsync([Record(2)]);
        await AdvanceUntilAsync(append);
        await Assert.ThrowsAsync<IOException>(() => append);
        Assert.Equal([1], await new LedgerTrace(_store).AllAsync(default).Select(r => (int)r.Key.Ordinal).ToListAsync());
    }

    /// <summary>The row is looked for behind the entry: a silo that slept between the two, and was taken for dead and its writers ended meanwhile, must not go on under one that nobody knew of.</summary>
    [Fact]
    public async Task Append_LooksForItsRow_OnlyWhenItsWriterIsEntered()
    {
        var entered = new List<ulong>();
        await using var ledger = new LedgerWriter(_store, _documents, new Clock(_time), _time, NullLogger.Instance, drawId: () => 77, silo: () => "10.0.0.1:1@7", isMember: async () =>
        {
            entered.AddRange((await WritersDocument.ReadAsync(_documents, default)).Keys);
            return true;
        });
        await ledger.AppendAsync([Record(1)]);
        Assert.Equal([77ul], entered);
    }

    [Fact]
    public async Task Append_WhenAnEmptyStreamWasSealedAhead_NeverGoesBehindIt()
    {
        // What whoever sees this process dead does between two streams of it.
        await _ledger.AppendAsync([Record(1)]);
        await _store.SealAsync(new LedgerStream(5, 1), default);
        await _store.SealAsync(new LedgerStream(5, 2), default);
        _time.Advance(TimeSpan.FromHours(2));
        var append = _ledger.AppendAsync([Record(2)]);
        await AdvanceUntilAsync(append);
        await append;
        Assert.DoesNotContain(await Streams(), s => s.Stream is { Writer: 5, Number: > 1 });
    }

    [Fact]
    public async Task Dispose_EntersItsWriterAsEnded()
    {
        await _ledger.AppendAsync([Record(1)]);
        await _ledger.DisposeAsync();
        Assert.Equal(1U, (await WritersDocument.ReadAsync(_documents, default))[5].Last);
    }

    private async Task<List<(LedgerStream Stream, bool Sealed)>> Streams() => await _store.ListAsync(default).Select(l => (l.Stream, l.Sealed)).OrderBy(s => s.Stream.Number).ToListAsync();

    private async Task AdvanceUntilAsync(Task task)
    {
        for (var i = 0; i < 1_000 && !task.IsCompleted; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.True(task.IsCompleted);
    }

    private static LedgerRecord Record(ushort ordinal) => new() { Key = new RecipientKey(1, 2, ordinal), Kind = LedgerKind.Delivered, Time = new StoreTime(5) };

    private sealed class Clock(TimeProvider time) : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(time.GetUtcNow());

        public bool IsSettled => true;
    }
}
