using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Unit.Spool;

/// <summary>Streams in memory that a test lets grow. Any thread.</summary>
internal sealed class GrowingLedger : ILedgerStore
{
    private const int PerBlock = 4;

    private readonly Lock _gate = new();
    private readonly Dictionary<LedgerStream, (List<byte> Octets, bool Sealed, StoreTime Modified)> _streams = [];
    private readonly Dictionary<ulong, uint> _current = [];
    private int _count;

    public StoreTime Now { get; set; } = new(1_000_000_000);

    /// <summary>For tests that note when they did something.</summary>
    public List<StoreTime> Times { get; } = [];

    public List<LedgerRecord> Written { get; } = [];

    /// <summary>Of a message by its number; none by default.</summary>
    public Func<int, EnvelopeSummary?> Summary { get; init; } = _ => null;

    /// <summary>Whose the n-th record is: of few recipients, which go from writer to writer.</summary>
    public Func<ulong, int, RecipientKey> Key { get; init; } = (_, n) => new RecipientKey(9, 1, (ushort)(n % 5));

    /// <summary>Octets that one reading has, about.</summary>
    public int Piece { get; init; } = 200;

    public void Append(ulong writer, int count)
    {
        lock (_gate)
        {
            var stream = new LedgerStream(writer, _current.TryGetValue(writer, out var number) ? number : _current[writer] = 1);
            var (octets, _, _) = _streams.TryGetValue(stream, out var known) ? known : ([], false, Now);
            foreach (var some in Enumerable.Range(0, count).Chunk(PerBlock))
            {
                var records = some.Select(_ => new LedgerRecord { Key = Key(writer, _count), Kind = LedgerKind.Deferred, Time = Now, Due = Now, Summary = Summary(_count), Attempt = _count++ }).ToArray();
                Written.AddRange(records);
                octets.AddRange(Encode(stream, octets.Count, records));
            }

            _streams[stream] = (octets, false, Now);
        }
    }

    public void Roll(ulong writer)
    {
        lock (_gate)
        {
            if (!_current.TryGetValue(writer, out var number)) return;
            var stream = new LedgerStream(writer, number);
            if (!_streams.TryGetValue(stream, out var known)) return;
            _streams[stream] = (known.Octets, true, Now);
            _current[writer] = number + 1;
        }
    }

    /// <summary>A listing still shows the writer's first stream; who reads it finds nothing.</summary>
    public void Forget(ulong writer)
    {
        lock (_gate) _streams[new LedgerStream(writer, 1)] = ([], false, Now);
    }

    public Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var (octets, isSealed, _) = _streams[stream];
            var data = CollectionsMarshal.AsSpan(octets)[(int)Math.Min(offset, octets.Count)..];
            var length = 0;
            while (length < data.Length && (length == 0 || length < Piece)) length += LedgerBlock.ClaimedSize(data[length..]);
            return Task.FromResult(new LedgerRead(data[..length].ToArray(), offset + length, isSealed && length == data.Length, octets.Count));
        }
    }

    public async Task<LedgerRead?> TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var data = CollectionsMarshal.AsSpan(_streams[stream].Octets)[(int)Math.Min(offset, _streams[stream].Octets.Count)..];
            if (data.Length > 0 && LedgerBlock.Read(data, stream, offset, out _, out _) == 0) return null;
        }

        return await ReadAsync(stream, offset, maxBytes, cancellationToken);
    }

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        LedgerStreamListing[] all;
        lock (_gate) all = [.. _streams.Select(s => new LedgerStreamListing(s.Key, s.Value.Octets.Count, s.Value.Sealed, s.Value.Modified))];
        foreach (var one in all) yield return one;
        await Task.CompletedTask;
    }

    public Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();

    private static byte[] Encode(LedgerStream stream, long offset, LedgerRecord[] records)
    {
        var buffer = new byte[LedgerBlock.Size(records.Sum(LedgerCodec.Bound))];
        LedgerWriter.Encode(buffer, records, stream, offset);
        return buffer[..LedgerBlock.ClaimedSize(buffer)];
    }
}
