using System.Buffers;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Packs;

/// <summary>
/// Writes moved packs (design rules 5 and 10): entries keep their birth keys, times and message ids, bodies are stored once. Owns a writer id of its own; calls from any thread,
/// one at a time proceeds. Until its pack is durable nothing has changed.
/// </summary>
internal sealed class PackMover(
    IPackStore store, SpoolReader reader, IScratchFolder scratch, IStoreClock clock, TimeProvider time, ILogger logger, Func<ulong>? drawId = null) : IPackMover, IDisposable
{
    /// <summary>A body above this travels alone, through a scratch file.</summary>
    private const int LargeBody = 16 << 20;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly PackCreator _creator = new(store, clock, time, logger);
    private ulong _writer;
    private uint _number;

    /// <exception cref="InvalidDataException">An entry is not there any more or fails its checksum: leave it out.</exception>
    public async Task<PackName?> MoveAsync(
        IReadOnlyList<MovedEntry> entries, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions, CancellationToken cancellationToken)
    {
        if (entries.Count == 0) throw new ArgumentException("There is nothing to move", nameof(entries));
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(Turns.Captured);
        var bodies = new Dictionary<(PackName, long), BodyDraft>();
        var rented = new List<byte[]>();
        ScratchContent? tail = null;
        try
        {
            var drafts = new List<EntryDraft>(entries.Count);
            long size = 0;
            foreach (var moved in entries.OrderBy(e => e.Entry.Domain, StringComparer.Ordinal))
            {
                using var source = await OpenAsync(moved, cancellationToken).ConfigureAwait(Turns.Captured);
                var record = source.Record;
                if (!bodies.TryGetValue((moved.Source, record.BodyOffset), out var body))
                {
                    size += record.BodyLength;
                    if (record.BodyLength > LargeBody)
                    {
                        if (bodies.Count > 0 || await SpillAsync(source, cancellationToken).ConfigureAwait(Turns.Captured) is not { } spilt) return null;
                        tail = spilt;
                        body = new BodyDraft { Tail = tail, IsEightBit = record.IsEightBit };
                    }
                    else
                    {
                        if (tail is not null || size > PackFormat.MovedSize) return null;
                        body = new BodyDraft { Bytes = await CopyAsync(source, rented, cancellationToken).ConfigureAwait(Turns.Captured), IsEightBit = record.IsEightBit };
                    }

                    bodies.Add((moved.Source, record.BodyOffset), body);
                }

                drafts.Add(Draft(moved, record, body));
            }

            return await CreateAsync(drafts, sources, positions, tail).ConfigureAwait(Turns.Captured);
        }
        finally
        {
            foreach (var array in rented) ArrayPool<byte>.Shared.Return(array);
            tail?.Dispose();
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task<PackName?> CreateAsync(List<EntryDraft> drafts, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions, ScratchContent? tail)
    {
        if (_writer == 0 || _number == uint.MaxValue) NewWriter();
        for (var tries = 0; tries < 3; tries++)
        {
            var name = new PackName(PackKind.Moved, _writer, ++_number);
            foreach (var draft in drafts) (draft.Body.Offset, draft.Body.IsCounted) = (0, false);
            var (head, _) = PackEncoder.Encode(name, clock.Now, drafts, sources, positions);
            try
            {
                var (outcome, _) = await _creator.CreateAsync(name, new PackImage(head.Memory, tail)).ConfigureAwait(Turns.Captured);
                if (outcome == PackOutcome.Created) return name;
                if (outcome != PackOutcome.Conflict) return null;
                NewWriter();
            }
            finally
            {
                head.Release();
            }
        }

        return null;
    }

    private void NewWriter()
    {
        _writer = (drawId ?? PackWriter.DrawId)();
        _number = 0;
    }

    private async Task<StoredEntry> OpenAsync(MovedEntry moved, CancellationToken cancellationToken)
    {
        var (status, entry) = await reader.OpenAsync(new EntryPlace(moved.Source, moved.Entry.Offset, moved.Entry.Length), cancellationToken).ConfigureAwait(Turns.Captured);
        return entry ?? throw new InvalidDataException($"Entry {moved.Entry.Offset} of pack {moved.Source} cannot be moved: {status}");
    }

    private static EntryDraft Draft(MovedEntry moved, EntryRecord record, BodyDraft body)
    {
        var wanted = moved.Unfinished.ToHashSet();
        var picks = Enumerable.Range(0, record.Keys.Count).Where(i => wanted.Contains(record.Keys[i])).ToArray();
        if (picks.Length != wanted.Count) throw new InvalidDataException($"Entry {moved.Entry.Offset} of pack {moved.Source} does not hold all the recipients that are to be moved");
        return new EntryDraft
        {
            Envelope = record.Envelope, Picks = picks, Keys = Array.ConvertAll(picks, i => record.Keys[i]), Domain = record.Domain, Message = record.Message,
            Birth = (moved.Entry.BirthOffset, moved.Entry.BirthLength),
            // The source's buffer goes with the source.
            Trace = record.Trace.ToArray(),
            Body = body,
        };
    }

    private static async Task<ReadOnlyMemory<byte>> CopyAsync(StoredEntry source, List<byte[]> rented, CancellationToken cancellationToken)
    {
        var length = (int)source.Record.BodyLength;
        var array = ArrayPool<byte>.Shared.Rent(Math.Max(1, length));
        rented.Add(array);
        for (var at = 0; ;)
        {
            var part = await source.ReadBodyAsync(cancellationToken).ConfigureAwait(Turns.Captured);
            if (part.IsEmpty) return array.AsMemory(0, length);
            part.Span.CopyTo(array.AsSpan(at));
            at += part.Length;
        }
    }

    private async Task<ScratchContent?> SpillAsync(StoredEntry source, CancellationToken cancellationToken)
    {
        using var file = scratch.TryCreate();
        if (file is null) return null;
        for (; ; )
        {
            var part = await source.ReadBodyAsync(cancellationToken).ConfigureAwait(Turns.Captured);
            if (part.IsEmpty) return file.Complete();
            if (!await file.AppendAsync(part, cancellationToken).ConfigureAwait(Turns.Captured)) return null;
        }
    }
}
