using Angarium.Spool.Ledger;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// Events on their way to one webhook, in order, with the places of the ledger between them. Filled by one, emptied by another, on any thread. What finds no room closes it: then it takes no more, and
/// its webhook reads on for itself from behind what it holds. Nothing of it survives; what was not posted is read again.
/// </summary>
internal sealed class WebhookInbox(WebhookMemory memory)
{
    /// <summary>Octets that one holds at most: two batches.</summary>
    public const int Most = 2 * WebhookBatch.MaxOctets;

    private readonly Lock _gate = new();
    private readonly Queue<(EventLine Line, LedgerCursor? After)> _lines = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LedgerCursor? _after;
    private long _held;
    private bool _isClosed;

    public bool IsClosed
    {
        get { lock (_gate) return _isClosed; }
    }

    /// <summary>Types of events that are wanted; none = all.</summary>
    public IReadOnlyList<string> Types { get; set; } = [];

    /// <summary>What the shared reading found up to a place of the ledger. False = it is closed, and has none of that.</summary>
    public bool Add(IReadOnlyList<EventLine> lines, LedgerCursor after)
    {
        lock (_gate)
        {
            if (_isClosed) return false;
            var types = Types;
            var wanted = types.Count == 0 ? lines : [.. lines.Where(l => types.Contains(l.Type))];
            var size = wanted.Sum(l => (long)l.Size);
            if (_held + size > Most || (size > 0 && !memory.TryTake(size, _held)))
            {
                _isClosed = true;
                Signal();
                return false;
            }

            Enqueue(wanted, after, size);
            return true;
        }
    }

    /// <summary>What a webhook has read for itself: all there will be.</summary>
    public void Fill(IReadOnlyList<EventLine> lines, LedgerCursor after)
    {
        lock (_gate)
        {
            var size = lines.Sum(l => (long)l.Size);
            memory.Take(size);
            Enqueue(lines, after, size);
            _isClosed = true;
        }
    }

    /// <summary>The next events: at most so many of them and so large; where the ledger was read to once they are posted, if all up to there are; and how many of them, the last ones, lie behind that.</summary>
    public (List<EventLine> Lines, LedgerCursor? After, int Behind) Take(int most, long octets)
    {
        lock (_gate)
        {
            var taken = new List<EventLine>();
            LedgerCursor? after = null;
            var behind = 0;
            while (taken.Count < most && _lines.TryPeek(out var next) && (taken.Count == 0 || octets >= next.Line.Json.Length + 1))
            {
                _lines.Dequeue();
                octets -= next.Line.Json.Length + 1;
                _held -= next.Line.Size;
                memory.Give(next.Line.Size);
                taken.Add(next.Line);
                (after, behind) = next.After is { } reached ? (reached, 0) : (after, behind + 1);
            }

            if (_lines.Count > 0) return (taken, after, behind);
            (after, _after) = (_after ?? after, null);
            return (taken, after, 0);
        }
    }

    /// <summary>Takes no more and holds nothing.</summary>
    public void Drop()
    {
        lock (_gate)
        {
            memory.Give(_held);
            (_held, _after, _isClosed) = (0, null, true);
            _lines.Clear();
            Signal();
        }
    }

    /// <summary>Until there may be something, or it is closed.</summary>
    public Task ChangedAsync()
    {
        lock (_gate) return _lines.Count > 0 || _after is not null || _isClosed ? Task.CompletedTask : _changed.Task;
    }

    private void Enqueue(IReadOnlyList<EventLine> lines, LedgerCursor after, long size)
    {
        for (var i = 0; i < lines.Count; i++) _lines.Enqueue((lines[i], i == lines.Count - 1 ? after : null));
        _held += size;
        _after = after;
        Signal();
    }

    private void Signal()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
