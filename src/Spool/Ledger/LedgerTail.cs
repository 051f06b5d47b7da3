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
public sealed class LedgerTail(ILedgerStore store)
{
    private const int Piece = 256 << 10;

    /// <summary>A store's clocks may differ by so much: what was sealed just now keeps its place in the cursor.</summary>
    private static readonly TimeSpan s_margin = TimeSpan.FromMinutes(2);

    /// <param name="cursor">Where to begin.</param>
    /// <param name="wanted">Which records.</param>
    /// <param name="most">Records of the page.</param>
    /// <param name="maxOctets">Octets that are read for it; then the page ends with what there is.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<LedgerPage> ReadAsync(LedgerCursor cursor, Func<LedgerRecord, bool> wanted, int most, long maxOctets, CancellationToken cancellationToken)
    {
        var listed = new List<LedgerStreamListing>();
        await foreach (var listing in store.ListAsync(cancellationToken).ConfigureAwait(Turns.Captured)) listed.Add(listing);
        var lanes = listed.Where(l => !IsDone(l, cursor)).GroupBy(l => l.Stream.Writer).Select(g => new Lane(store, [.. g.OrderBy(l => l.Stream.Number)], cursor)).ToList();
        var merged = new PriorityQueue<Lane, long>();
        foreach (var lane in lanes)
            if (await lane.FillAsync(cancellationToken).ConfigureAwait(Turns.Captured)) merged.Enqueue(lane, lane.Time);
        var found = new List<PlacedRecord>();
        while (found.Count < most && lanes.Sum(l => l.Octets) < maxOctets && merged.TryDequeue(out var lane, out _))
        {
            lane.Take(wanted, most - found.Count, found);
            if (await lane.FillAsync(cancellationToken).ConfigureAwait(Turns.Captured)) merged.Enqueue(lane, lane.Time);
        }

        return new LedgerPage(found, Next(cursor, listed, lanes), merged.Count == 0);
    }

    private static bool IsDone(LedgerStreamListing listing, LedgerCursor cursor) => listing.Sealed && listing.Modified <= cursor.Horizon && !cursor.Places.ContainsKey(listing.Stream);

    private static LedgerCursor Next(LedgerCursor cursor, List<LedgerStreamListing> listed, List<Lane> lanes)
    {
        var places = lanes.SelectMany(l => l.Places).ToDictionary();
        var sealedOnes = listed.Where(l => l.Sealed).ToList();
        // All that is sealed and older has been read: its places are needed no more.
        var unread = sealedOnes.Where(l => !IsDone(l, cursor) && !lanes.Any(lane => lane.Done.Contains(l.Stream))).Select(l => l.Modified).ToList();
        var newest = unread.Count > 0 ? unread.Min() : sealedOnes.Count > 0 ? sealedOnes.Max(l => l.Modified) : default;
        var horizon = newest.Milliseconds > s_margin.TotalMilliseconds ? StoreTime.Max(cursor.Horizon, newest - s_margin) : cursor.Horizon;
        foreach (var done in sealedOnes.Where(l => l.Modified <= horizon && lanes.Any(lane => lane.Done.Contains(l.Stream)))) places.Remove(done.Stream);
        return new LedgerCursor(horizon, places);
    }

    /// <summary>One writer's streams, in order.</summary>
    private sealed class Lane(ILedgerStore store, IReadOnlyList<LedgerStreamListing> streams, LedgerCursor cursor)
    {
        private readonly Queue<LedgerStreamListing> _streams = new(streams);
        private readonly Queue<(long Offset, long Next, List<LedgerRecord> Records)> _blocks = new();
        private LedgerStream _stream;
        private LedgerPlace _place;
        private long _readTo;
        private bool _isOpen;

        /// <summary>Octets read.</summary>
        public long Octets { get; private set; }

        /// <summary>Where each stream that was begun, now or before, is left.</summary>
        public Dictionary<LedgerStream, LedgerPlace> Places { get; } = streams.Where(l => cursor.Places.ContainsKey(l.Stream)).ToDictionary(l => l.Stream, l => cursor.Places[l.Stream]);

        /// <summary>Sealed streams that were read to their end.</summary>
        public HashSet<LedgerStream> Done { get; } = [];

        /// <summary>Of the next record.</summary>
        public long Time => _blocks.Peek().Records[Math.Min(_place.Skip, _blocks.Peek().Records.Count - 1)].Time.Milliseconds;

        /// <summary>False = there is nothing more now.</summary>
        public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
        {
            while (_blocks.Count == 0)
            {
                if (!_isOpen)
                {
                    if (!_streams.TryDequeue(out var next)) return false;
                    _stream = next.Stream;
                    _place = cursor.Places.GetValueOrDefault(_stream);
                    (_readTo, _isOpen, Places[_stream]) = (_place.Offset, true, _place);
                }

                var read = await store.ReadAsync(_stream, _readTo, Piece, cancellationToken).ConfigureAwait(Turns.Captured);
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
            for (; index < records.Count && most > 0; index++)
            {
                if (!wanted(records[index])) continue;
                found.Add(new PlacedRecord(_stream, offset, index, records[index]));
                most--;
            }

            if (index == records.Count)
            {
                _blocks.Dequeue();
                _place = new LedgerPlace(next, 0);
            }
            else
            {
                _place = new LedgerPlace(offset, index);
            }

            Places[_stream] = _place;
        }

        private void Split(ReadOnlySpan<byte> data, long offset)
        {
            while (LedgerBlock.ClaimedSize(data) is > 0 and var size && size <= data.Length)
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
