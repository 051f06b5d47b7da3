using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>
/// The rows of one lane in memory, in order of score and then key, and by key. Some 56 octets a row where a sorted tree with a table beside it takes 150: rows lie in one array, found by key
/// through chains of a hash table and in order through blocks of places. Finding, putting and removing are O(log n). Used under its partition's lock.
/// </summary>
internal sealed class LaneRows
{
    private const int None = -1, Least = 4, MostInBlock = 256;

    private readonly List<Block> _blocks = [];
    private Row[] _rows = new Row[Least];

    /// <summary>By hash: the first row of a chain; and by row: the next in its chain, or in the chain of those that are free.</summary>
    private int[] _buckets = NewBuckets(Least), _next = new int[Least];
    private int _used, _free = None;

    public int Count { get; private set; }

    /// <summary>The lowest score; there is a row.</summary>
    public long Earliest => _rows[_blocks[0].Places[0]].Score;

    /// <summary>The score of a row; null = it is not here.</summary>
    public long? Find(RecipientKey key) => Locate(key) is var place and not None ? _rows[place].Score : null;

    /// <summary>Puts a row, or moves the one of this key; true = it was not there.</summary>
    public bool Put(long score, IndexMember member)
    {
        var place = Locate(member.Key);
        var isNew = place == None;
        if (isNew) place = Take(member.Key);
        else Unorder(place);
        _rows[place] = new Row(score, member);
        Order(place);
        return isNew;
    }

    public bool Remove(RecipientKey key)
    {
        var place = Locate(key);
        if (place == None) return false;
        Unorder(place);
        ref var link = ref _buckets[BucketOf(key)];
        while (link != place) link = ref _next[link];
        link = _next[place];
        (_next[place], _free) = (_free, place);
        Count--;
        if (_rows.Length > Least && Count < _rows.Length / 4) Resize(_rows.Length / 2);
        return true;
    }

    /// <summary>Rows in order from this score on. Not to be used across a change.</summary>
    public IEnumerable<(long Score, IndexMember Member)> From(long score)
    {
        for (var b = Math.Max(0, BlockOf(score, default)); b < _blocks.Count; b++)
        {
            var block = _blocks[b];
            for (var i = 0; i < block.Count; i++)
            {
                var row = _rows[block.Places[i]];
                if (row.Score >= score) yield return (row.Score, row.Member);
            }
        }
    }

    /// <summary>All rows' keys, or so many of them, at even distances in their order. Not to be used across a change.</summary>
    public IEnumerable<RecipientKey> Some(int most)
    {
        var (step, next, at) = (Math.Max(1.0, (double)Count / most), 0.0, 0);
        foreach (var block in _blocks)
        {
            for (; next < at + block.Count; next += step) yield return _rows[block.Places[(int)next - at]].Key;
            at += block.Count;
        }
    }

    private int Locate(RecipientKey key)
    {
        for (var place = _buckets[BucketOf(key)]; place != None; place = _next[place])
            if (_rows[place].Is(key)) return place;
        return None;
    }

    private int BucketOf(RecipientKey key) => key.GetHashCode() & (_buckets.Length - 1);

    /// <summary>A place for a row of this key, in its chain.</summary>
    private int Take(RecipientKey key)
    {
        if (_free == None && _used == _rows.Length) Resize(_rows.Length * 2);
        var place = _free != None ? _free : _used++;
        if (place == _free) _free = _next[place];
        ref var first = ref _buckets[BucketOf(key)];
        (_next[place], first) = (first, place);
        Count++;
        return place;
    }

    /// <summary>Everything anew in arrays of this length (a power of two), without gaps and in order.</summary>
    private void Resize(int length)
    {
        var rows = new Row[length];
        var used = 0;
        foreach (var block in _blocks)
        {
            for (var i = 0; i < block.Count; i++)
            {
                rows[used] = _rows[block.Places[i]];
                block.Places[i] = used++;
            }
        }

        (_rows, _buckets, _next, _used, _free) = (rows, NewBuckets(length), new int[length], used, None);
        for (var place = 0; place < used; place++)
        {
            ref var first = ref _buckets[BucketOf(rows[place].Key)];
            (_next[place], first) = (first, place);
        }
    }

    private void Order(int place)
    {
        var (score, key) = (_rows[place].Score, _rows[place].Key);
        var b = BlockOf(score, key);
        if (b < 0)
        {
            if (_blocks.Count == 0) _blocks.Add(new Block());
            b = 0;
        }

        var block = _blocks[b];
        var at = Above(block, score, key);
        if (block.Count == MostInBlock)
        {
            // At the very end nothing comes before the new block's first row: the full one stays full.
            var isEnd = at == block.Count && b == _blocks.Count - 1;
            var upper = block.Split(isEnd ? block.Count : block.Count / 2);
            _blocks.Insert(b + 1, upper);
            if (at >= block.Count) (block, at) = (upper, at - block.Count);
        }

        block.Insert(at, place);
    }

    private void Unorder(int place)
    {
        var b = BlockOf(_rows[place].Score, _rows[place].Key);
        var block = _blocks[b];
        block.RemoveAt(Above(block, _rows[place].Score, _rows[place].Key) - 1);
        if (block.Count == 0) _blocks.RemoveAt(b);
        else if (b + 1 < _blocks.Count && block.Count + _blocks[b + 1].Count <= MostInBlock / 2)
        {
            block.Append(_blocks[b + 1]);
            _blocks.RemoveAt(b + 1);
        }
    }

    /// <summary>The last block whose first row is not above; -1 = all are.</summary>
    private int BlockOf(long score, RecipientKey key)
    {
        int low = 0, high = _blocks.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_rows[_blocks[middle].Places[0]].CompareTo(score, key) <= 0) low = middle + 1;
            else high = middle;
        }

        return low - 1;
    }

    /// <summary>Where the first row above stands in a block.</summary>
    private int Above(Block block, long score, RecipientKey key)
    {
        int low = 0, high = block.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_rows[block.Places[middle]].CompareTo(score, key) <= 0) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private static int[] NewBuckets(int length)
    {
        var buckets = new int[length];
        Array.Fill(buckets, None);
        return buckets;
    }

    /// <summary>A row without the gaps that its parts would have one after the other: 32 octets.</summary>
    private readonly struct Row(long score, IndexMember member)
    {
        public readonly long Score = score;
        private readonly ulong _writer = member.Key.Writer;
        private readonly uint _pack = member.Key.Pack, _offset = member.Offset, _length = member.Length;
        private readonly ushort _ordinal = member.Key.Ordinal, _first = member.First;

        public RecipientKey Key => new(_writer, _pack, _ordinal);

        public IndexMember Member => new(Key, _offset, _length, _first);

        public bool Is(RecipientKey key) => _writer == key.Writer && _pack == key.Pack && _ordinal == key.Ordinal;

        public int CompareTo(long score, RecipientKey key) => Score != score ? Score.CompareTo(score) : Key.CompareTo(key);
    }

    /// <summary>Places of rows that follow each other.</summary>
    private sealed class Block
    {
        public int[] Places = new int[Least];
        public int Count;

        public void Insert(int at, int place)
        {
            if (Count == Places.Length) Array.Resize(ref Places, Count * 2);
            Places.AsSpan(at, Count - at).CopyTo(Places.AsSpan(at + 1));
            Places[at] = place;
            Count++;
        }

        public void RemoveAt(int at)
        {
            Places.AsSpan(at + 1, Count - at - 1).CopyTo(Places.AsSpan(at));
            Count--;
        }

        /// <summary>What stands from here on, as a block of its own.</summary>
        public Block Split(int at)
        {
            var upper = new Block { Places = new int[at == Count ? Least : Places.Length], Count = Count - at };
            Places.AsSpan(at, Count - at).CopyTo(upper.Places);
            Count = at;
            return upper;
        }

        public void Append(Block next)
        {
            if (Count + next.Count > Places.Length) Array.Resize(ref Places, MostInBlock);
            next.Places.AsSpan(0, next.Count).CopyTo(Places.AsSpan(Count));
            Count += next.Count;
        }
    }
}
