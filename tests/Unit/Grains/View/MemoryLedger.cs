using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;

namespace Angarium.Unit.Grains.View;

/// <summary>Streams in memory, shared by the silos of a test, with counts of what was asked.</summary>
internal sealed class MemoryLedger(IStoreClock clock) : ILedgerStore
{
    private readonly Dictionary<LedgerStream, Stored> _streams = [];

    public int Listings { get; private set; }

    public List<LedgerStream> Reads { get; } = [];

    public bool IsAway { get; set; }

    /// <summary>It is too slow for a reading of more at once.</summary>
    public int MostBytes { get; set; } = int.MaxValue;

    /// <summary>What the last reading asked for.</summary>
    public int Asked { get; private set; }

    /// <summary>Called before an append is judged: another's turn.</summary>
    public Func<Task>? BeforeAppend { get; set; }

    /// <summary>Called when a read is answered, before its reader goes on.</summary>
    public Action<LedgerStream>? AfterRead { get; set; }

    public async Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        if (BeforeAppend is { } before)
        {
            BeforeAppend = null;
            await before();
        }

        Answer();
        var stored = _streams.GetValueOrDefault(stream) ?? new Stored();
        if (stored.IsSealed || stored.Bytes.Length != offset) throw new LedgerConflictException($"{stream} ends at {stored.Bytes.Length}");
        _streams[stream] = stored;
        stored.Bytes = [.. stored.Bytes, .. block.Span];
        stored.Modified = clock.Now;
        return stored.Bytes.Length;
    }

    public Task<LedgerRead?> TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken)
    {
        Answer();
        Reads.Add(stream);
        if ((Asked = maxBytes) > MostBytes) throw new IOException("the store does not answer in time");
        var read = _streams.TryGetValue(stream, out var stored)
            ? new LedgerRead(stored.Bytes.AsMemory((int)offset), stored.Bytes.Length, stored.IsSealed, stored.Bytes.Length)
            : new LedgerRead(default, offset, false, offset);
        AfterRead?.Invoke(stream);
        return Task.FromResult(read);
    }

    public Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        Answer();
        if (!_streams.TryGetValue(stream, out var stored)) _streams[stream] = stored = new Stored { Modified = clock.Now };
        stored.IsSealed = true;
        return Task.FromResult((long)stored.Bytes.Length);
    }

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Answer();
        Listings++;
        foreach (var (stream, stored) in _streams.ToList()) yield return new LedgerStreamListing(stream, stored.Bytes.Length, stored.IsSealed, stored.Modified);
        await Task.CompletedTask;
    }

    public Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        _streams.Remove(stream);
        return Task.CompletedTask;
    }

    public IEnumerable<LedgerStream> Streams => _streams.Keys;

    private void Answer()
    {
        if (IsAway) throw new IOException("the ledger is away");
    }

    private sealed class Stored
    {
        public byte[] Bytes { get; set; } = [];

        public bool IsSealed { get; set; }

        public StoreTime Modified { get; set; }
    }
}
