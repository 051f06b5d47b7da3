using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>
/// Makes one request of many small reads in one part of a pack, where each read is a request to a remote store: a commit's entries lie together and are wanted at about the same time. The first
/// read is made as asked, so that entries that lie apart cost no more than themselves; a second one near it within 30 s reads a window of 512 KiB once, for all who ask meanwhile and afterwards.
/// Windows are bounded in octets, those that are being read too; the oldest go first, and none is used for longer than 30 s: what damaged one on its way is not met again by the next attempt. Any
/// thread, under its own lock; nothing survives a crash.
/// </summary>
internal sealed class NearbyReads(IPackStore store, long capacity, TimeProvider time) : IPackStore
{
    /// <summary>Windows begin at multiples of this, and reach as far again: what begins in the first half and is no longer than this lies in one.</summary>
    private const int Step = SpoolReader.Window;
    private const int MaxSeen = 4_096;

    /// <summary>From here on octets are what a read costs, not the request: entries of this size, and tables of contents.</summary>
    private const int Large = SpoolReader.FirstTableRead;

    private static readonly TimeSpan Life = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<(PackName Pack, long Start), Window> _windows = [];
    private readonly Queue<Window> _order = [];
    private readonly Dictionary<(PackName Pack, long Start), long> _seen = [];
    private readonly Queue<(PackName Pack, long Start)> _seenOrder = [];
    private long _bytes, _filling;

    public int MaxCreationsInFlight => store.MaxCreationsInFlight;

    public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken) => store.CreateAsync(name, image, cancellationToken);

    public IAsyncEnumerable<PackListing> ListAsync(CancellationToken cancellationToken) => store.ListAsync(cancellationToken);

    public async Task DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        await store.DeleteAsync(name, cancellationToken).ConfigureAwait(Turns.Captured);
        lock (_gate)
        {
            foreach (var window in _windows.Values.Where(window => window.Pack == name).ToList()) Forget(window);
        }
    }

    public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        if (into.IsEmpty || into.Length >= Large || !TryHold(name, offset / Step * Step, out var window)) return store.ReadAsync(name, offset, into, cancellationToken);
        return CopyAsync(window, (int)(offset % Step), into, cancellationToken);
    }

    private static async ValueTask<int> CopyAsync(Window window, int from, Memory<byte> into, CancellationToken cancellationToken)
    {
        try
        {
            var length = await window.Filled.Task.WaitAsync(cancellationToken).ConfigureAwait(Turns.Captured);
            if (length < 0) return length;
            var part = window.Buffer.Array.AsMemory(0, length)[Math.Min(from, length)..];
            if (part.Length > into.Length) part = part[..into.Length];
            part.CopyTo(into);
            return part.Length;
        }
        finally
        {
            window.Buffer.Release();
        }
    }

    /// <summary>The window, held for the caller; false = nothing near was asked for lately, or too much is on its way: read as asked.</summary>
    private bool TryHold(PackName pack, long start, out Window window)
    {
        lock (_gate)
        {
            if (_windows.TryGetValue((pack, start), out window!))
            {
                if (!IsOver(window.Began) && window.Buffer.TryHold()) return true;
                Forget(window);
            }

            if (!WasSeen((pack, start)) || _filling + 2 * Step > capacity) return false;
            window = new Window(pack, start, PackBuffer.Rent(2 * Step), time.GetTimestamp());
            window.Buffer.TryHold();
            _filling += window.Buffer.Array.Length;
            _windows.Add((pack, start), window);
            _order.Enqueue(window);
            _bytes += window.Buffer.Array.Length;
            while (_order.TryPeek(out var oldest) && (_bytes > capacity || IsOver(oldest.Began))) Forget(_order.Dequeue());
        }

        _ = FillAsync(window);
        return true;
    }

    private bool WasSeen((PackName Pack, long Start) place)
    {
        var now = time.GetTimestamp();
        var isKnown = _seen.TryGetValue(place, out var last);
        _seen[place] = now;
        if (isKnown) return !IsOver(last);
        _seenOrder.Enqueue(place);
        if (_seenOrder.Count > MaxSeen) _seen.Remove(_seenOrder.Dequeue());
        return false;
    }

    /// <summary>Ends with an answer for everyone who waits, whatever happens. Only a window that was read stays.</summary>
    private async Task FillAsync(Window window)
    {
        window.Buffer.TryHold();
        try
        {
            var got = await store.ReadAsync(window.Pack, window.Start, window.Buffer.Array.AsMemory(0, 2 * Step), CancellationToken.None).ConfigureAwait(Turns.Captured);
            if (got <= 0) Drop(window);
            window.Filled.SetResult(got);
        }
        catch (Exception failure)
        {
            Drop(window);
            window.Filled.SetException(failure);
            // Those who wait see it; when nobody does any more, nobody needs to.
            _ = window.Filled.Task.Exception;
        }
        finally
        {
            lock (_gate) _filling -= window.Buffer.Array.Length;
            window.Buffer.Release();
        }
    }

    private void Drop(Window window)
    {
        lock (_gate) Forget(window);
    }

    private bool IsOver(long began) => time.GetElapsedTime(began) >= Life;

    /// <summary>Under the lock; a window that is not listed any more is none of its business.</summary>
    private void Forget(Window window)
    {
        if (_windows.GetValueOrDefault((window.Pack, window.Start)) != window) return;
        _windows.Remove((window.Pack, window.Start));
        _bytes -= window.Buffer.Array.Length;
        window.Buffer.Release();
    }

    /// <summary>A stretch of a pack and who fills it. Its buffer has one holder for as long as it is listed, one while it is filled, and one for each reader.</summary>
    private sealed class Window(PackName pack, long start, PackBuffer buffer, long began)
    {
        public PackName Pack => pack;

        public long Start => start;

        public PackBuffer Buffer => buffer;

        public long Began => began;

        /// <summary>How many octets of it there are; -1 = there is no such pack.</summary>
        public TaskCompletionSource<int> Filled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
