using Angarium.Mail;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.View;

// The streams of all writers (design rule 10): one follow at a time. In the steady state a conditional read of the writers' document and of each open tail, never a listing.
internal sealed partial class RecordView
{
    /// <summary>How long the silo of a writer may be in no list before it counts as dead: lists are seconds old, and a row that was lost does not come again.</summary>
    private static readonly TimeSpan AbsentFor = TimeSpan.FromMinutes(1);

    private readonly Dictionary<LedgerStream, (long Offset, bool Sealed)> _positions = [];

    /// <summary>Whom to follow. Touched by the one follow that runs.</summary>
    private readonly Dictionary<ulong, Followed> _writers = [];

    /// <summary>What this process appends to now, as far as it was fed.</summary>
    private LedgerStream _ownStream;
    private string? _writersTag;
    private long _writersReadAt;
    private bool _writersRead;

    public IReadOnlyList<LedgerPosition> Positions
    {
        get
        {
            lock (_gate) return [.. _positions.Where(p => !p.Value.Sealed).Select(p => new LedgerPosition(p.Key, p.Value.Offset))];
        }
    }

    /// <summary>Own records are in the view already: the position moves without reading.</summary>
    private void Fed(LedgerStream stream, long end)
    {
        lock (_gate)
        {
            _ownStream = stream;
            if (!_positions.TryGetValue(stream, out var position) || !position.Sealed && position.Offset < end) _positions[stream] = (end, false);
        }
    }

    /// <param name="lists">All streams are listed, not only those of the writers that are known.</param>
    private async Task FollowAsync(bool lists, CancellationToken cancellationToken)
    {
        if (!standing.IsSoleProcess) lists |= await ReadWritersAsync(cancellationToken);
        if (lists) await ListStreamsAsync(cancellationToken);
        LedgerStream own;
        lock (_gate) own = _ownStream;
        if (own.Writer != 0 && !_writers.ContainsKey(own.Writer)) _writers.Add(own.Writer, new Followed(own.Writer, silos.Own, FirstUnread(own.Writer, 1)));
        var open = _writers.Values.Where(w => !w.IsDone).ToList();
        _following = open.Count;
        try
        {
            await Task.WhenAll(open.Select(w => FollowAsync(w, cancellationToken)).ToList());
            _readBytes = Math.Min(MostReadBytes, _readBytes * 2);
        }
        catch (IOException)
        {
            _readBytes = Math.Max(LeastReadBytes, _readBytes / 4);
            throw;
        }

        foreach (var gone in _writers.Values.Where(w => w.IsDone && !w.IsListed).ToList()) _writers.Remove(gone.Writer);
    }

    /// <summary>True = the document tells less than what is needed: streams of writers that it names no more may not have been read.</summary>
    private async Task<bool> ReadWritersAsync(CancellationToken cancellationToken)
    {
        var isLate = !_writersRead || time.GetElapsedTime(_writersReadAt) > WritersDocument.KeptFor / 2;
        var readAt = time.GetTimestamp();
        var (changed, document) = await documents.ReadIfChangedAsync(WritersDocument.Name, _writersTag, cancellationToken);
        if (changed)
        {
            var lines = document is null ? [] : WritersDocument.Parse(document.Content.Span);
            foreach (var line in lines.Values)
            {
                if (!_writers.TryGetValue(line.Writer, out var known)) _writers.Add(line.Writer, known = new Followed(line.Writer, line.Silo, FirstUnread(line.Writer, 1)));
                (known.Silo, known.Last, known.IsListed) = (line.Silo, line.Last, true);
            }

            foreach (var known in _writers.Values.Where(w => !lines.ContainsKey(w.Writer)))
            {
                isLate |= known is { IsListed: true, IsDone: false };
                known.IsListed = false;
            }

            _writersTag = document?.Tag;
        }

        (_writersRead, _writersReadAt) = (true, readAt);
        return isLate;
    }

    private async Task ListStreamsAsync(CancellationToken cancellationToken)
    {
        var listed = new Dictionary<ulong, List<LedgerStreamListing>>();
        await foreach (var listing in ledger.ListAsync(cancellationToken))
        {
            if (!listed.TryGetValue(listing.Stream.Writer, out var streams)) listed.Add(listing.Stream.Writer, streams = []);
            streams.Add(listing);
        }

        foreach (var (writer, streams) in listed)
        {
            var newest = streams.MaxBy(s => s.Stream.Number);
            if (!_writers.TryGetValue(writer, out var known))
            {
                // Of a writer that the document names no more: it has ended, or the document was lost and it will enter itself again.
                _writers.Add(writer, known = new Followed(writer, "", 1));
            }

            known.Number = FirstUnread(writer, streams.Min(s => s.Stream.Number));
            if (!known.IsListed && known.Last is null && newest.Sealed) known.Last = newest.Stream.Number;
            known.IsDone = known.Last < known.Number;
        }

        lock (_gate)
        {
            foreach (var deleted in _positions.Keys.Where(p => p != _ownStream && (!listed.TryGetValue(p.Writer, out var streams) || streams.All(s => s.Stream != p))).ToList()) _positions.Remove(deleted);
        }
    }

    private uint FirstUnread(ulong writer, uint from)
    {
        lock (_gate)
        {
            while (_positions.TryGetValue(new LedgerStream(writer, from), out var position) && position.Sealed) from++;
            return from;
        }
    }

    private async Task FollowAsync(Followed writer, CancellationToken cancellationToken)
    {
        await ReadOnAsync(writer, cancellationToken);
        if (writer.IsDone || !IsDead(writer)) return;
        // Behind a stream that was sealed empty its writer never goes: see LedgerWriter.
        for (; ; writer.Number++)
        {
            var stream = new LedgerStream(writer.Writer, writer.Number);
            var end = await ledger.SealAsync(stream, cancellationToken);
            await ReadAsync(stream, cancellationToken);
            if (end == 0 || standing.IsSoleProcess) break;
        }

        await WritersDocument.EndAsync(documents, writer.Writer, writer.Number, clock.Now, cancellationToken);
        LogSealed(log, writer.Writer, writer.Silo, writer.Number);
        (writer.Last, writer.IsDone) = (writer.Number, true);
    }

    private async Task ReadOnAsync(Followed writer, CancellationToken cancellationToken)
    {
        while (!writer.IsDone)
        {
            // One's own too: an append whose reply was lost is in the stream and was not fed.
            if (!await ReadAsync(new LedgerStream(writer.Writer, writer.Number), cancellationToken)) return;
            if (writer.Number >= writer.Last) writer.IsDone = true;
            else writer.Number++;
        }
    }

    /// <summary>Reads to the stream's end as it is when this begins: what comes meanwhile is for the next. True = it will not grow.</summary>
    private async Task<bool> ReadAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        (long Offset, bool Sealed) position;
        lock (_gate) position = _positions.GetValueOrDefault(stream);
        for (var end = long.MaxValue; !position.Sealed;)
        {
            var read = await ledger.ReadAsync(stream, position.Offset, _readBytes, cancellationToken);
            TakeAll(stream, read.Data);
            end = Math.Min(end, read.End);
            var isEnd = read.Data.IsEmpty || read.Next == position.Offset || read.Next >= end;
            position = (read.Next, read.Sealed);
            lock (_gate)
            {
                // A stream that is not there yet has no position: whoever needs it reads it whole.
                if (position.Sealed || position.Offset > 0) _positions[stream] = position;
            }

            if (isEnd) break;
        }

        return position.Sealed;
    }

    private bool IsDead(Followed writer)
    {
        if (writer.Writer == ownWriter() || writer.Silo == silos.Own && !standing.IsSoleProcess) return false;
        lock (_gate)
        {
            if (writer.Writer == _ownStream.Writer) return false;
        }

        if (standing.IsSoleProcess) return true;
        if (silos.IsAlive(writer.Silo) is { } isAlive)
        {
            writer.AbsentSince = null;
            return !isAlive;
        }

        // Only who is sure of its own row can say that another's is in no list.
        if (!standing.IsConfirmed) writer.AbsentSince = null;
        else writer.AbsentSince ??= time.GetTimestamp();
        return writer.AbsentSince is { } since && time.GetElapsedTime(since) > AbsentFor;
    }

    [LoggerMessage(2204, LogLevel.Critical, "{Records} records of ledger stream {Stream} are damaged: what they say is not known, and their mail may be sent again")]
    private static partial void LogDamaged(ILogger logger, LedgerStream stream, int records);

    [LoggerMessage(2202, LogLevel.Information, "The ledger of writer {Writer:x16} was ended at its stream {Last}: its silo {Silo} is dead")]
    private static partial void LogSealed(ILogger logger, ulong writer, string silo, uint last);

    /// <summary>A writer and how far its streams were read. In the memory of one follow after the other.</summary>
    private sealed class Followed(ulong writer, string silo, uint number)
    {
        public readonly ulong Writer = writer;
        public string Silo = silo;

        /// <summary>The stream that is read; all before it were read to their ends.</summary>
        public uint Number = number;

        /// <summary>None follows; null = not known to have ended.</summary>
        public uint? Last;
        public bool IsListed;
        public bool IsDone;
        public long? AbsentSince;
    }
}
