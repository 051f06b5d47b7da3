using System.Security.Cryptography;
using Angarium.Mail;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Packs;

/// <summary>
/// Group commit of this process's packs (design rules 1 to 3). A message that arrives while nothing is in flight is committed at once; what arrives meanwhile gathers, and the next
/// pack takes it all, up to 4 MiB or 60,000 recipients. Large messages travel alone, beside the others. Owns the writer id and the packs in flight. Any thread; the state is under
/// one lock that is never held over a copy or a call. Nothing survives a crash but what was committed.
/// </summary>
public sealed partial class PackWriter : ISpoolWriter, IAsyncDisposable
{
    /// <summary>What may gather behind the packs in flight; beyond it the answer is 451 at once.</summary>
    private const long MaxGatheredBytes = 64L << 20;
    private const int MaxGatheredMessages = 20_000;

    /// <summary>Large messages have files or requests of their own, so a few are written beside the small ones.</summary>
    private const int MaxLargeInFlight = 4;

    private readonly Lock _gate = new();
    private readonly IPackStore _store;
    private readonly PackCreator _creator;
    private readonly PackCache _cache;
    private readonly IStoreClock _clock;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _spacing;
    private readonly Func<ulong> _drawId;
    private readonly ITimer _spacer;
    private readonly Queue<Waiting> _small = [];
    private readonly Queue<Waiting> _large = [];
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _gatheredBytes;
    private int _smallInFlight, _largeInFlight, _lastCount;
    private long? _lastStart;
    private bool _closed;
    private ulong _writer;
    private uint _number;

    internal PackWriter(IPackStore store, PackCache cache, IStoreClock clock, TimeProvider time, TimeSpan spacing, ILogger logger, Func<ulong>? drawId = null)
    {
        _store = store;
        _cache = cache;
        _clock = clock;
        _time = time;
        _logger = logger;
        _spacing = spacing;
        _drawId = drawId ?? DrawId;
        _creator = new PackCreator(store, clock, time, logger);
        _writer = _drawId();
        _spacer = time.CreateTimer(static self => ((PackWriter)self!).Pump(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Told of every durable pack. Set once, before the first commit.</summary>
    public ICommitListener? Listener { get; set; }

    /// <summary>A random 64-bit id that is not zero (design rule 1).</summary>
    internal static ulong DrawId()
    {
        Span<byte> bytes = stackalloc byte[8];
        ulong id;
        do
        {
            RandomNumberGenerator.Fill(bytes);
            id = BitConverter.ToUInt64(bytes);
        }
        while (id == 0);
        return id;
    }

    public Task<CommitReceipt> CommitAsync(NewMessage message, CancellationToken cancellationToken)
    {
        if (message.Domains.Count != message.Envelope.Recipients.Count || message.Domains.Count is 0 or > PackFormat.MaxRecipients)
            throw new ArgumentException($"{message.Domains.Count} domains for {message.Envelope.Recipients.Count} recipients; 1 to {PackFormat.MaxRecipients} are possible", nameof(message));
        if (message.IdOffset >= 0 && message.IdOffset + MessageIdLength > message.Trace.Length) throw new ArgumentException("The message id does not fit into the trace", nameof(message));
        // What cannot be written fails by itself, and not those that would be written with it.
        if (message.Envelope.NotBefore.Milliseconds < 0 || message.Envelope.Accepted.Milliseconds < 0) throw new ArgumentException("A time before 1970 cannot be stored", nameof(message));
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled<CommitReceipt>(cancellationToken);

        var waiting = new Waiting(message);
        lock (_gate)
        {
            if (_closed || _gatheredBytes + waiting.Size > MaxGatheredBytes && _gatheredBytes > 0 || _small.Count + _large.Count >= MaxGatheredMessages)
                return Task.FromResult(new CommitReceipt(CommitStatus.Unavailable, default));
            (waiting.IsLarge ? _large : _small).Enqueue(waiting);
            _gatheredBytes += waiting.Size;
        }

        Pump();
        return cancellationToken.CanBeCanceled && !waiting.Task.IsCompleted ? WaitAsync(waiting, cancellationToken) : waiting.Task;
    }

    /// <summary>Takes no more, and completes when what is in flight or gathered has been answered.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate) _closed = true;
        Pump();
        await _drained.Task.ConfigureAwait(Turns.Captured);
        await _spacer.DisposeAsync().ConfigureAwait(Turns.Captured);
    }

    private static readonly int MessageIdLength = Base32.EncodedLength(RecipientKey.Size);

    private async Task<CommitReceipt> WaitAsync(Waiting waiting, CancellationToken cancellationToken)
    {
        var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (self, abandoned) = ((PackWriter, Waiting))state!;
                self.Abandon(abandoned, token);
            },
            (this, waiting));
        await using (registration.ConfigureAwait(Turns.Captured)) return await waiting.Task.ConfigureAwait(Turns.Captured);
    }

    /// <summary>
    /// Ends the wait as soon as nobody reads the caller's memory any more: the caller reuses it. A large message is read from its file until the end, so its wait is not cut short.
    /// </summary>
    private void Abandon(Waiting waiting, CancellationToken token)
    {
        lock (_gate)
        {
            if (waiting.IsLarge && waiting.State != WaitingState.Gathered) return;
            waiting.Abandoned = token;
            if (waiting.State == WaitingState.Copying) return;
        }

        waiting.TrySetCanceled(token);
    }

    /// <summary>Starts every commit that may start now.</summary>
    private void Pump()
    {
        for (; ; )
        {
            List<Waiting>? batch;
            lock (_gate)
            {
                batch = TakeSmall() ?? TakeLarge();
                if (batch is null)
                {
                    if (_closed && _smallInFlight + _largeInFlight == 0 && _small.Count + _large.Count == 0) _drained.TrySetResult();
                    return;
                }

                if (batch[0].IsLarge) _largeInFlight++;
                else _smallInFlight++;
            }

            _ = RunAsync(batch);
        }
    }

    private List<Waiting>? TakeSmall()
    {
        if (_smallInFlight >= _store.MaxCreationsInFlight) return null;
        var now = _time.GetTimestamp();

        // Under load starts keep their distance: a commit is in flight, or the last one found more than one message waiting. Who sends one message after the other never waits.
        var isLoaded = _smallInFlight > 0 || _lastCount > 1;
        if (isLoaded && _small.Count > 0 && _lastStart is { } last && _spacing - _time.GetElapsedTime(last, now) is { Ticks: > 0 } wait)
        {
            _spacer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
            return null;
        }

        List<Waiting>? batch = null;
        long bytes = 0, recipients = 0;
        while (_small.TryPeek(out var next))
        {
            var count = next.Message.Domains.Count;
            if (batch is not null && (bytes + next.Size > PackFormat.BirthSize || recipients + count > PackFormat.MaxRecipients)) break;
            _small.Dequeue();
            _gatheredBytes -= next.Size;
            if (next.Abandoned is not null) continue;
            next.State = WaitingState.Copying;
            bytes += next.Size;
            recipients += count;
            (batch ??= []).Add(next);
        }

        if (batch is not null) (_lastStart, _lastCount) = (now, batch.Count);
        return batch;
    }

    private List<Waiting>? TakeLarge()
    {
        while (_largeInFlight < MaxLargeInFlight && _large.TryDequeue(out var next))
        {
            _gatheredBytes -= next.Size;
            if (next.Abandoned is not null) continue;
            next.State = WaitingState.Copying;
            return [next];
        }

        return null;
    }

    private async Task RunAsync(List<Waiting> batch)
    {
        var outcome = PackOutcome.Unavailable;
        try
        {
            outcome = await CommitAsync(batch).ConfigureAwait(Turns.Captured);
        }
        catch (Exception failure)
        {
            LogCommitBroke(_logger, failure);
        }

        var status = outcome == PackOutcome.Full ? CommitStatus.Full : CommitStatus.Unavailable;
        foreach (var waiting in batch) waiting.TrySetResult(new CommitReceipt(status, default));
        List<Waiting> behind = [];
        lock (_gate)
        {
            if (batch[0].IsLarge) _largeInFlight--;
            else _smallInFlight--;

            // What gathered behind a store that did not answer for 20 s is told so now, not after another 20 s.
            while (outcome == PackOutcome.Unavailable && _small.TryDequeue(out var next))
            {
                _gatheredBytes -= next.Size;
                behind.Add(next);
            }
        }

        foreach (var waiting in behind) waiting.TrySetResult(new CommitReceipt(CommitStatus.Unavailable, default));
        Pump();
    }

    private async Task<PackOutcome> CommitAsync(List<Waiting> batch)
    {
        for (; ; )
        {
            var started = _time.GetTimestamp();
            var name = NextName();
            var drafts = PackLayout.Of(name.Id, batch.ConvertAll(w => w.Message), out var ids);
            var (head, rows) = PackEncoder.Encode(name, _clock.Now, drafts, [], []);
            try
            {
                EndCopying(batch);
                var (outcome, began) = await _creator.CreateAsync(name, new PackImage(head.Memory, batch[0].Message.Scratch)).ConfigureAwait(Turns.Captured);
                if (outcome == PackOutcome.Conflict)
                {
                    // Design rule 1: somebody has used our id. It ends here; what is still wanted goes out under a new one.
                    EndWriter(name.Writer);
                    if (BeginCopyingAgain(batch)) continue;
                    return PackOutcome.Unavailable;
                }

                if (outcome != PackOutcome.Created) return outcome;
                SpoolInstruments.Committed(batch.Count, head.Length + (batch[0].Message.Scratch?.Length ?? 0), _time.GetElapsedTime(started));
                if (!batch[0].IsLarge) _cache.Add(name, head);
                Tell(new CommittedPack(name.Id, began, rows));
                for (var i = 0; i < batch.Count; i++) batch[i].TrySetResult(new CommitReceipt(CommitStatus.Committed, ids[i]));
                return outcome;
            }
            finally
            {
                head.Release();
            }
        }
    }

    private void Tell(CommittedPack pack)
    {
        try
        {
            Listener?.OnCommitted(pack);
        }
        catch (Exception failure)
        {
            // The sweep hands over what this did not.
            LogListenerBroke(_logger, pack.Id, failure);
        }
    }

    private PackName NextName()
    {
        lock (_gate)
        {
            if (_number == uint.MaxValue)
            {
                _writer = _drawId();
                _number = 0;
            }

            return new PackName(PackKind.Birth, _writer, ++_number);
        }
    }

    private void EndWriter(ulong writer)
    {
        lock (_gate)
        {
            if (_writer != writer) return;
            _writer = _drawId();
            _number = 0;
            LogWriterEnded(_logger, writer, _writer);
        }
    }

    private void EndCopying(List<Waiting> batch)
    {
        List<Waiting> abandoned = [];
        lock (_gate)
        {
            foreach (var waiting in batch)
            {
                waiting.State = WaitingState.InFlight;
                if (waiting.Abandoned is not null && !waiting.IsLarge) abandoned.Add(waiting);
            }
        }

        foreach (var waiting in abandoned) waiting.TrySetCanceled(waiting.Abandoned!.Value);
    }

    /// <summary>The memory of abandoned messages is not ours any more: they drop out. False = none is left.</summary>
    private bool BeginCopyingAgain(List<Waiting> batch)
    {
        lock (_gate)
        {
            if (batch.TrueForAll(w => w.Abandoned is not null)) return false;
            batch.RemoveAll(w => w.Abandoned is not null);
            foreach (var waiting in batch) waiting.State = WaitingState.Copying;
            return true;
        }
    }

    private enum WaitingState { Gathered, Copying, InFlight }

    /// <summary>One message and its caller. State and abandonment are under the writer's lock.</summary>
    private sealed class Waiting(NewMessage message) : TaskCompletionSource<CommitReceipt>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public NewMessage Message { get; } = message;

        public bool IsLarge => Message.Scratch is not null;

        /// <summary>About what it takes in a pack: close enough to bound one.</summary>
        public long Size { get; } = message.Content.Length + message.Trace.Length + 128 + 128L * message.Domains.Count;

        public WaitingState State { get; set; }

        public CancellationToken? Abandoned { get; set; }
    }
}
