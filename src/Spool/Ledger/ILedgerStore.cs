namespace Angarium.Spool.Ledger;

/// <summary>One append-only stream of the ledger: a grain host's random id and its running number from 1.</summary>
public readonly record struct LedgerStream(ulong Writer, uint Number)
{
    public override string ToString() => $"ledger/{Writer:x16}/{Number}";
}

/// <summary>How far a stream has been read: an octet offset at a block's edge.</summary>
public readonly record struct LedgerPosition(LedgerStream Stream, long Offset);

/// <summary>
/// The seam of the ledger's streams (design rules 6 to 10): appended by one writer, conditional on position; read by everyone; sealed at their end.
/// One contract suite runs against every provider.
/// </summary>
public interface ILedgerStore
{
    /// <summary>
    /// Appends a block at exactly <paramref name="offset"/>, durably, and returns the new end. The block comes framed and with a checksum .
    /// </summary>
    /// <exception cref="LedgerConflictException">The stream ends elsewhere or is sealed: this writer's stream is over.</exception>
    /// <exception cref="IOException">It may or may not have been written: go on in a new stream.</exception>
    Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken);

    /// <summary>Reads whole, intact blocks from <paramref name="offset"/>, at most <paramref name="maxBytes"/> (at least one block). A missing stream is empty and not sealed.</summary>
    Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken);

    /// <summary>The same from a place that somebody out there named: null = no block begins there, which is no damage of the store's.</summary>
    Task<LedgerRead?> TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken);

    /// <summary>Ends the stream for ever: later appends conflict. Harmless when repeated. Returns its end.</summary>
    Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken);

    IAsyncEnumerable<LedgerStreamListing> ListAsync(CancellationToken cancellationToken);

    Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken);
}

/// <param name="Data">Whole blocks, back to back.</param>
/// <param name="Next">Where to go on.</param>
/// <param name="Sealed">The stream ends at <paramref name="Next"/> and will not grow.</param>
/// <param name="End">What was durable when the read began lies before it. Who reads on until nothing comes never ends while the stream is appended to.</param>
public readonly record struct LedgerRead(ReadOnlyMemory<byte> Data, long Next, bool Sealed, long End);

/// <summary>A stream as it stood when it was listed. A value.</summary>
public readonly record struct LedgerStreamListing(LedgerStream Stream, long Length, bool Sealed, Mail.StoreTime Modified);

/// <summary>An append found its stream longer, shorter or sealed. The writer draws a new stream; what it holds unacknowledged is appended there.</summary>
public sealed class LedgerConflictException : Exception
{
    public LedgerConflictException() { }

    public LedgerConflictException(string message) : base(message) { }

    public LedgerConflictException(string message, Exception inner) : base(message, inner) { }
}
