using System.Buffers;
using Angarium.Spool.Codec;
using Angarium.Spool.Documents;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Ledger;

/// <summary>
/// Group commit of this process's ledger (design rules 6 to 10): one append is in flight, what comes meanwhile gathers for the next. Owns the current stream; it is rolled hourly, at 40,000
/// appends or 64 MiB; after a failed append it is over, and its records go to a new one. The writer's id is in the document of writers before the first append. Any thread; the state is under
/// one lock. Nothing survives a crash but what was appended. Where an append is a request to be paid for, appends keep their distance under load: an idle writer never waits.
/// <para>
/// Stream n + 1 begins only when n is known to be sealed with something in it. So who finds stream n sealed and read goes on to n + 1, and who sees this process dead ends it for good: it
/// seals one stream after the other until one is empty, and behind an empty one nothing ever comes. A writer that finds that this was done to it (or whose own stream stayed empty) goes on
/// under a new id, and appends under it only when its membership row was seen after that was entered in the document; without that, what it holds stays unacknowledged.
/// </para>
/// </summary>
public sealed partial class LedgerWriter : ILedger, IAsyncDisposable
{
    private const int MaxAppends = 40_000;
    private const long MaxStream = 64L << 20;
    private const int MaxPayload = 4 << 20;
    private const int MaxGathered = 200_000;
    private static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan ProbeEvery = TimeSpan.FromSeconds(1);

    /// <summary>What waits for its record is held up for no longer, however far apart packs are to be.</summary>
    private static readonly TimeSpan MaxSpacing = TimeSpan.FromSeconds(1);

    /// <summary>Pauses between the attempts at one append.</summary>
    private static readonly TimeSpan[] Pauses = [TimeSpan.Zero, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1)];

    private readonly Lock _gate = new();
    private readonly ILedgerStore _store;
    private readonly IDocumentStore _documents;
    private readonly IStoreClock _clock;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<LedgerStream, long, IReadOnlyList<LedgerRecord>>? _onDurable;
    private readonly Func<string> _silo;
    private readonly Func<Task<bool>> _isMember;
    private readonly TimeSpan _spacing;
    private readonly ITimer _probe, _spacer;
    private readonly Queue<Pending> _gathered = [];
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _gatheredRecords, _lastCount;
    private long? _lastStart;
    private bool _busy, _closed;
    private volatile bool _isHealthy = true;
    private readonly Func<ulong> _drawId;
    private ulong _writer;
    private uint _lastNumber;
    private LedgerStream _stream;

    /// <summary>The last stream, while it is not known to be sealed; <see cref="_isDeposed"/>: somebody else ended it, and this writer's id with it.</summary>
    private LedgerStream _over;
    private bool _isDeposed;
    private long _end;
    private int _appends;
    private long _opened;

    /// <param name="onDurable">Told of each durable append with its stream, the stream's new end and the records, before the tasks of their callers complete; must be quick.</param>
    /// <param name="silo">This silo's life, as membership names it; null = the process is alone.</param>
    /// <param name="isMember">Looks whether this silo's membership row is there, and not only by clocks that may have stood still; null = it always is.</param>
    /// <param name="spacing">Least time between the starts of two appends while more than one caller waits; at most a second is kept.</param>
    public LedgerWriter(
        ILedgerStore store, IDocumentStore documents, IStoreClock clock, TimeProvider time, ILogger logger, Action<LedgerStream, long, IReadOnlyList<LedgerRecord>>? onDurable = null,
        Func<ulong>? drawId = null, Func<string>? silo = null, Func<Task<bool>>? isMember = null, TimeSpan spacing = default)
    {
        (_store, _documents, _clock, _time, _logger, _onDurable) = (store, documents, clock, time, logger, onDurable);
        (_silo, _isMember) = (silo ?? (static () => "-"), isMember ?? (static () => Task.FromResult(true)));
        _spacing = spacing < MaxSpacing ? spacing : MaxSpacing;
        _drawId = drawId ?? PackWriter.DrawId;
        _writer = _drawId();
        _probe = time.CreateTimer(static self => ((LedgerWriter)self!).Probe(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _spacer = time.CreateTimer(static self => ((LedgerWriter)self!).Pump(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public bool IsHealthy => _isHealthy;

    /// <summary>This process's id in the ledger, as it is now.</summary>
    public ulong Writer => Volatile.Read(ref _writer);

    public Task AppendAsync(IReadOnlyList<LedgerRecord> records, TimeSpan? beginBy = null)
    {
        if (records.Count == 0) return Task.CompletedTask;
        var size = 0L;
        foreach (var record in records) size += LedgerCodec.Bound(record);
        if (size > MaxPayload)
        {
            if (records.Count == 1) throw new ArgumentException("A ledger record is too large", nameof(records));
            var half = records.Count / 2;
            return Task.WhenAll(AppendAsync([.. records.Take(half)], beginBy), AppendAsync([.. records.Skip(half)], beginBy));
        }

        var pending = new Pending(records, (int)size, _time.GetTimestamp(), beginBy);
        lock (_gate)
        {
            if (_closed) return Task.FromException(new IOException("The ledger is closed"));
            if (_gatheredRecords + records.Count > MaxGathered) return Task.FromException(new IOException($"More than {MaxGathered} records wait for the ledger"));
            _gathered.Enqueue(pending);
            _gatheredRecords += records.Count;
        }

        Pump();
        return pending.Task;
    }

    /// <summary>Takes no more, answers what has gathered and seals the stream.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate) _closed = true;
        Pump();
        await _drained.Task.ConfigureAwait(Turns.Captured);
        await _probe.DisposeAsync().ConfigureAwait(Turns.Captured);
        await _spacer.DisposeAsync().ConfigureAwait(Turns.Captured);
        End(isDeposed: false);
        if (_over.Writer == 0) return;
        try
        {
            await _store.SealAsync(_over, CancellationToken.None).ConfigureAwait(Turns.Captured);
            await WritersDocument.EndAsync(_documents, _over.Writer, _over.Number, _clock.Now, CancellationToken.None).ConfigureAwait(Turns.Captured);
        }
        catch (IOException failure)
        {
            // Whoever sees this process dead does it.
            LogNotSealed(_logger, _over, failure);
        }
    }

    private void Pump()
    {
        List<Pending> batch;
        lock (_gate)
        {
            if (_busy) return;
            if (_gathered.Count == 0)
            {
                if (_closed) _drained.TrySetResult();
                return;
            }

            // The last append found more than one caller waiting: that is load. Who appends one record after the other never waits.
            var now = _time.GetTimestamp();
            if (_lastCount > 1 && !_closed && _lastStart is { } last && _spacing - _time.GetElapsedTime(last, now) is { Ticks: > 0 } wait)
            {
                _spacer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
                return;
            }

            batch = Take();
            _busy = true;
            (_lastStart, _lastCount) = (now, batch.Count);
        }

        _ = RunAsync(batch);
    }

    private List<Pending> Take()
    {
        var batch = new List<Pending>();
        long size = 0;
        while (_gathered.TryPeek(out var next) && (batch.Count == 0 || size + next.Size <= MaxPayload))
        {
            _gathered.Dequeue();
            _gatheredRecords -= next.Records.Count;
            size += next.Size;
            batch.Add(next);
        }

        return batch;
    }

    private async Task RunAsync(List<Pending> batch)
    {
        try
        {
            await AppendAsync(batch).ConfigureAwait(Turns.Captured);
        }
        catch (Exception failure)
        {
            LogBroke(_logger, failure);
            Fail(batch, new IOException("The ledger could not be appended to", failure));
        }

        lock (_gate) _busy = false;
        Pump();
    }

    private async Task AppendAsync(List<Pending> batch)
    {
        Exception? last = null;
        for (var attempt = 0; attempt < Pauses.Length; attempt++)
        {
            if (Pauses[attempt] > TimeSpan.Zero) await Task.Delay(Pauses[attempt], _time).ConfigureAwait(Turns.Captured);
            GiveUpLate(batch, attempt > 0);
            if (batch.Count == 0) return;
            try
            {
                if (await AppendOnceAsync(batch, attempt > 0).ConfigureAwait(Turns.Captured) is not { } records) return;
                _isHealthy = true;
                _onDurable?.Invoke(_stream, _end, records);
                foreach (var pending in batch) pending.TrySetResult();
                return;
            }
            catch (Exception failure) when (failure is IOException or LedgerConflictException)
            {
                last = failure;
                SpoolInstruments.LedgerFailures.Inc();
                LogAppendFailed(_logger, _stream.Writer == 0 ? new LedgerStream(Writer, _lastNumber + 1) : _stream, failure);
                End(failure is LedgerConflictException);
            }
        }

        _isHealthy = false;
        LogUnhealthy(_logger, last!);
        _probe.Change(ProbeEvery, Timeout.InfiniteTimeSpan);
        Fail(batch, new IOException("The ledger cannot be appended to now", last));
    }

    /// <summary>Design rule 6: a decision whose append has not begun in time is given up; after an attempt nobody knows whether it was written.</summary>
    private void GiveUpLate(List<Pending> batch, bool wasTried) => batch.RemoveAll(pending =>
    {
        if (pending.BeginBy is not { } limit || _time.GetElapsedTime(pending.Since) <= limit) return false;
        pending.TrySetException(wasTried ? new IOException("The ledger was not written in time, and may or may not hold the records") : new TimeoutException("The append did not begin in time"));
        return true;
    });

    /// <summary>Null = nothing was left to write by the time that a stream was there.</summary>
    private async Task<IReadOnlyList<LedgerRecord>?> AppendOnceAsync(List<Pending> batch, bool wasTried)
    {
        if (_stream.Writer != 0 && (_appends >= MaxAppends || _end >= MaxStream || _time.GetElapsedTime(_opened) > MaxAge)) End(isDeposed: false);
        if (_stream.Writer == 0)
        {
            await BeginAsync().ConfigureAwait(Turns.Captured);
            GiveUpLate(batch, wasTried);
            if (batch.Count == 0) return null;
        }

        IReadOnlyList<LedgerRecord> records = batch.Count == 1 ? batch[0].Records : [.. batch.SelectMany(p => p.Records)];
        var bound = LedgerBlock.HeaderSize + 8 + batch.Sum(p => p.Size);
        var buffer = ArrayPool<byte>.Shared.Rent(bound);
        try
        {
            var size = Encode(buffer, records, _stream, _end);
            _end = await _store.AppendAsync(_stream, _end, buffer.AsMemory(0, size), CancellationToken.None).ConfigureAwait(Turns.Captured);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        _appends++;
        SpoolInstruments.LedgerAppends.Inc();
        SpoolInstruments.LedgerRecords.Inc(records.Count);
        return records;
    }

    internal static int Encode(byte[] buffer, IReadOnlyList<LedgerRecord> records, LedgerStream stream, long offset)
    {
        var writer = new ByteWriter(buffer);
        writer.Take(LedgerBlock.HeaderSize);
        foreach (var record in records) LedgerCodec.Write(ref writer, record);
        var payload = writer.Position - LedgerBlock.HeaderSize;
        LedgerBlock.Seal(buffer, payload, records.Count, stream, offset);
        return LedgerBlock.Size(payload);
    }

    private void End(bool isDeposed)
    {
        if (_stream.Writer == 0) return;
        (_over, _isDeposed, _stream) = (_stream, isDeposed, default);
    }

    private async Task BeginAsync()
    {
        if (_over.Writer != 0)
        {
            var end = await _store.SealAsync(_over, CancellationToken.None).ConfigureAwait(Turns.Captured);
            if (end == 0 || _isDeposed)
            {
                await WritersDocument.EndAsync(_documents, Writer, _over.Number, _clock.Now, CancellationToken.None).ConfigureAwait(Turns.Captured);
                DrawWriter();
            }

            _over = default;
        }

        // At each new stream, so that a document that was lost is made good.
        if (!await WritersDocument.RegisterAsync(_documents, Writer, _silo(), _clock.Now, CancellationToken.None).ConfigureAwait(Turns.Captured))
        {
            DrawWriter();
            throw new IOException("This silo was taken for dead, and its writer's streams were sealed");
        }

        // Behind the entry: whoever takes this silo for dead after this look finds the writer in the document, and ends it.
        if (!await _isMember().ConfigureAwait(Turns.Captured)) throw new IOException("This silo's membership row is not confirmed: it begins no stream");

        _stream = new LedgerStream(Writer, ++_lastNumber);
        (_end, _appends, _opened) = (0, 0, _time.GetTimestamp());
    }

    private void DrawWriter()
    {
        Volatile.Write(ref _writer, _drawId());
        _lastNumber = 0;
        LogNewWriter(_logger, _over, Writer);
    }

    /// <summary>While it is unhealthy nothing is leased, so no record may come by which it would be found well again: an empty block is tried.</summary>
    private void Probe()
    {
        lock (_gate)
        {
            if (_isHealthy || _closed) return;
            _probe.Change(ProbeEvery, Timeout.InfiniteTimeSpan);
            if (_busy || _gathered.Count > 0) return;
            _gathered.Enqueue(new Pending([], 0, _time.GetTimestamp(), null));
        }

        Pump();
    }

    private static void Fail(List<Pending> batch, IOException failure)
    {
        foreach (var pending in batch)
        {
            pending.TrySetException(failure);

            // A probe has no caller; its failure has been logged.
            if (pending.Records.Count == 0) _ = pending.Task.Exception;
        }
    }

    private sealed class Pending(IReadOnlyList<LedgerRecord> records, int size, long since, TimeSpan? beginBy) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public IReadOnlyList<LedgerRecord> Records { get; } = records;

        public int Size { get; } = size;

        public long Since { get; } = since;

        public TimeSpan? BeginBy { get; } = beginBy;
    }
}
