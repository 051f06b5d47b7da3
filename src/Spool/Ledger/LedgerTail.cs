using Angarium.Mail;

namespace Angarium.Spool.Ledger;

/// <summary>One record and where it stands: together an id for ever. A value.</summary>
public readonly record struct PlacedRecord(LedgerStream Stream, long Offset, int Index, LedgerRecord Record);

/// <param name="Records">About in the order of time; those of one recipient exactly.</param>
/// <param name="Next">Where to go on.</param>
/// <param name="IsEnd">There was nothing more when it was read.</param>
public sealed record LedgerPage(IReadOnlyList<PlacedRecord> Records, LedgerCursor Next, bool IsEnd);

/// <summary>
/// Reads all streams of the ledger on from a cursor as one: never misses a late append, for a cursor is a place in each stream, and keeps the records of each recipient in order. Those come one
/// after the other in a writer's streams, which are read in their order; where another writer goes on, the owner token of the domain has passed to it half a minute later (design rule 14), and the
/// streams are merged by time. Any thread; keeps nothing.
/// </summary>
/// <param name="store">Where the streams are.</param>
/// <param name="isForeign">Cursors come from somebody out there: one with a place that is none is refused.</param>
public sealed class LedgerTail(ILedgerStore store, bool isForeign = false)
{
    private const int Piece = 256 << 10;

    /// <summary>A store's clocks may differ by so much: what was sealed just now keeps its place in the cursor.</summary>
    private static readonly TimeSpan s_margin = TimeSpan.FromMinutes(2);

    /// <summary>Where the ledger ends now, by its listing: nothing is read.</summary>
    public async Task<LedgerCursor> EndAsync(CancellationToken cancellationToken)
    {
        var listed = await ListAsync(cancellationToken).ConfigureAwait(Turns.Captured);
        var sealedOnes = listed.Where(l => l.Sealed).ToList();
        var end = LedgerCursor.From(sealedOnes.Count > 0 ? Before(sealedOnes.Max(l => l.Modified)) : default);
        // A listing is no moment: what follows a stream that still grew in it has not begun.
        var begun = listed.GroupBy(l => l.Stream.Writer).SelectMany(g => UpToFirstOpen(g.OrderBy(l => l.Stream.Number)));
        return new LedgerCursor(end.Horizon, begun.Where(l => !IsDone(l, end)).ToDictionary(l => l.Stream, l => new LedgerPlace(l.Length, 0)));

        static IEnumerable<LedgerStreamListing> UpToFirstOpen(IEnumerable<LedgerStreamListing> streams)
        {
            foreach (var stream in streams)
            {
                yield return stream;
                if (!stream.Sealed) yield break;
            }
        }
    }

    /// <param name="cursor">Where to begin.</param>
    /// <param name="wanted">Which records.</param>
    /// <param name="most">Records of the page.</param>
    /// <param name="maxOctets">Octets that are read for it; then the page ends with what there is.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ForeignCursorException">The cursor is none of ours.</exception>
    public Task<LedgerPage> ReadAsync(LedgerCursor cursor, Func<LedgerRecord, bool> wanted, int most, long maxOctets, CancellationToken cancellationToken) =>
        ReadUntilAsync(cursor, null, wanted, most, maxOctets, cancellationToken);

    /// <summary>The same, but no further than to another cursor, which is behind this one in no stream: two that read on from there have read the same.</summary>
    /// <param name="cursor">Where to begin.</param>
    /// <param name="until">Where to end; a page that is the end goes on there. Null = where the ledger ends.</param>
    /// <param name="wanted">Which records.</param>
    /// <param name="most">Records of the page.</param>
    /// <param name="maxOctets">Octets that are read for it; then the page ends with what there is.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<LedgerPage> ReadUntilAsync(LedgerCursor cursor, LedgerCursor? until, Func<LedgerRecord, bool> wanted, int most, long maxOctets, CancellationToken cancellationToken)
    {
        var listed = await ListAsync(cancellationToken).ConfigureAwait(Turns.Captured);
        var lanes = listed.Where(l => !IsDone(l, cursor) && (until is null || until.Places.ContainsKey(l.Stream) || IsDone(l, until)))
            .GroupBy(l => l.Stream.Writer).Select(g => new Lane(store, isForeign, [.. g.OrderBy(l => l.Stream.Number)], cursor, until)).ToList();
        var merged = new PriorityQueue<Lane, long>();
        foreach (var lane in lanes)
            if (await lane.FillAsync(cancellationToken).ConfigureAwait(Turns.Captured)) merged.Enqueue(lane, lane.Time);
        var found = new List<PlacedRecord>();
        while (found.Count < most && lanes.Sum(l => l.Octets) < maxOctets && merged.TryDequeue(out var lane, out _))
        {
            cancellationToken.ThrowIfCancellationRequested();
            lane.Take(wanted, most - found.Count, found);
            if (await lane.FillAsync(cancellationToken).ConfigureAwait(Turns.Captured)) merged.Enqueue(lane, lane.Time);
        }

        // Of a stream that ends sooner than it did (it was deleted meanwhile) the rest may be in another.
        var isEnd = merged.Count == 0 && (until is null || lanes.All(l => l.IsThrough));
        return new LedgerPage(found, isEnd && until is not null ? until : Next(cursor, listed, lanes), isEnd);
    }

    private async Task<List<LedgerStreamListing>> ListAsync(CancellationToken cancellationToken)
    {
        var listed = new List<LedgerStreamListing>();
        await foreach (var listing in store.ListAsync(cancellationToken).ConfigureAwait(Turns.Captured)) listed.Add(listing);
        return listed;
    }

    private static StoreTime Before(StoreTime time) => time.Milliseconds > s_margin.TotalMilliseconds ? time - s_margin : default;

    private static bool IsDone(LedgerStreamListing listing, LedgerCursor cursor) => listing.Sealed && listing.Modified <= cursor.Horizon && !cursor.Places.ContainsKey(listing.Stream);

    private static LedgerCursor Next(LedgerCursor cursor, List<LedgerStreamListing> listed, List<Lane> lanes)
    {
        var places = lanes.SelectMany(l => l.Places).ToDictionary();
        var sealedOnes = listed.Where(l => l.Sealed).ToList();
        // All that is sealed and older has been read: its places are needed no more.
        var unread = sealedOnes.Where(l => !IsDone(l, cursor) && !lanes.Any(lane => lane.Done.Contains(l.Stream))).Select(l => l.Modified).ToList();
        var newest = unread.Count > 0 ? unread.Min() : sealedOnes.Count > 0 ? sealedOnes.Max(l => l.Modified) : default;
        var horizon = StoreTime.Max(cursor.Horizon, Before(newest));
        foreach (var done in sealedOnes.Where(l => l.Modified <= horizon && lanes.Any(lane => lane.Done.Contains(l.Stream)))) places.Remove(done.Stream);
        return new LedgerCursor(horizon, places);
    }

    /// <summary>One writer's streams, in order.</summary>
    private sealed class Lane(ILedgerStore store, bool isForeign, IReadOnlyList<LedgerStreamListing> streams, LedgerCursor cursor, LedgerCursor? until)
    {
        private readonly Queue<LedgerStreamListing> _streams = new(streams);
        private readonly Queue<(long Offset, long Next, List<LedgerRecord> Records)> _blocks = new();
        private LedgerStream _stream;
        private LedgerPlace _place;

        /// <summary>Where this stream's reading ends; null = where it does.</summary>
        private LedgerPlace? _limit;
        private long _readTo;
        private bool _isOpen;

        /// <summary>Octets read.</summary>
        public long Octets { get; private set; }

        /// <summary>Where each stream that was begun, now or before, is left.</summary>
        public Dictionary<LedgerStream, LedgerPlace> Places { get; } = streams.Where(l => cursor.Places.ContainsKey(l.Stream)).ToDictionary(l => l.Stream, l => cursor.Places[l.Stream]);

        /// <summary>Sealed streams that were read to their end.</summary>
        public HashSet<LedgerStream> Done { get; } = [];

        /// <summary>All its streams were read as far as they were to be.</summary>
        public bool IsThrough { get; private set; }

        private bool IsAtLimit => _limit is { } limit && (_readTo > limit.Offset || (_readTo == limit.Offset && (limit.Skip == 0 || (_place.Offset == limit.Offset && _place.Skip >= limit.Skip))));

        /// <summary>Of the next record.</summary>
        public long Time => _blocks.Peek().Records[Math.Min(_place.Skip, _blocks.Peek().Records.Count - 1)].Time.Milliseconds;

        /// <summary>False = there is nothing more now.</summary>
        public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
        {
            while (_blocks.Count == 0)
            {
                if (!_isOpen)
                {
                    if (!_streams.TryDequeue(out var next))
                    {
                        IsThrough = true;
                        return false;
                    }

                    _stream = next.Stream;
                    _place = cursor.Places.GetValueOrDefault(_stream);
                    _limit = until is not null && until.Places.TryGetValue(_stream, out var limit) ? limit : null;
                    (_readTo, _isOpen, Places[_stream]) = (_place.Offset, true, _place);
                }

                if (IsAtLimit)
                {
                    _isOpen = false;
                    continue;
                }

                var read = isForeign && _readTo > 0 && cursor.Places.TryGetValue(_stream, out var named) && named.Offset == _readTo
                    ? await store.TryReadAsync(_stream, _readTo, Piece, cancellationToken).ConfigureAwait(Turns.Captured) ?? throw new ForeignCursorException()
                    : await store.ReadAsync(_stream, _readTo, Piece, cancellationToken).ConfigureAwait(Turns.Captured);
                Octets += read.Data.Length;
                Split(read.Data.Span, _readTo);
                var isSame = read.Next == _readTo;
                _readTo = read.Next;
                if (_blocks.Count > 0) break;
                if (!isSame) continue;
                // Its successor is begun after it was sealed: records of one recipient would come out of order.
                if (!read.Sealed) return false;
                Done.Add(_stream);
                _isOpen = false;
            }

            return true;
        }

        /// <summary>Takes the next block, or as much of it as there is room for.</summary>
        public void Take(Func<LedgerRecord, bool> wanted, int most, List<PlacedRecord> found)
        {
            var (offset, next, records) = _blocks.Peek();
            var index = _place.Skip;
            var end = _limit is { } limit && limit.Offset == offset ? Math.Min(limit.Skip, records.Count) : records.Count;
            for (; index < end && most > 0; index++)
            {
                if (!wanted(records[index])) continue;
                found.Add(new PlacedRecord(_stream, offset, index, records[index]));
                most--;
            }

            // A cursor may come from anybody: one that skips more than there is, is behind it.
            if (index >= records.Count)
            {
                _blocks.Dequeue();
                _place = new LedgerPlace(next, 0);
            }
            else
            {
                _place = new LedgerPlace(offset, index);
                // No further: what was read of it beyond is not for this reading.
                if (index >= end) _blocks.Clear();
            }

            Places[_stream] = _place;
        }

        private void Split(ReadOnlySpan<byte> data, long offset)
        {
            while (LedgerBlock.ClaimedSize(data) is > 0 and var size && size <= data.Length && (_limit is not { } limit || offset < limit.Offset || (offset == limit.Offset && limit.Skip > 0)))
            {
                var records = LedgerReader.Decode(data[..size], out _);
                if (records.Count > 0) _blocks.Enqueue((offset, offset + size, records));
                // Nothing of it is to be read: the place is behind it.
                else if (_blocks.Count == 0) (_place, Places[_stream]) = (new LedgerPlace(offset + size, 0), new LedgerPlace(offset + size, 0));
                offset += size;
                data = data[size..];
            }
        }
    }
}

/// <summary>A cursor names a place at which nothing begins.</summary>
public sealed class ForeignCursorException : Exception
{
    public ForeignCursorException() : base("The cursor names a place that is none.") { }

    public ForeignCursorException(string message) : base(message) { }

    public ForeignCursorException(string message, Exception inner) : base(message, inner) { }
}
