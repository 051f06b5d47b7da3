using System.Buffers;
using System.IO.Hashing;
using Angarium.Mail;
using Angarium.Spool.Codec;

namespace Angarium.Spool.Packs;

/// <summary>
/// An entry opened for reading: trace, then body. A body at hand is judged before any of it is given out; a larger one is streamed through one window and judged at its end.
/// Used by one session at a time; holds one buffer until disposed.
/// </summary>
internal sealed class StoredEntry(IPackStore store, PackName pack, EntryRecord record, PackBuffer buffer, ReadOnlyMemory<byte>? body) : SpooledEntry
{
    private byte[]? _window;
    private XxHash3? _hash;
    private long _read;
    private bool _traceRead, _judged, _disposed;

    public EntryRecord Record => record;

    public override Envelope Envelope => record.Envelope;

    public override IReadOnlyList<RecipientKey> Keys => record.Keys;

    public override MessageId Message => record.Message;

    public override string Domain => record.Domain;

    public override long ContentLength => record.Trace.Length + record.BodyLength;

    public override bool ContentIsEightBit => record.IsEightBit;

    public override ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_traceRead)
        {
            _traceRead = true;
            if (!record.Trace.IsEmpty) return new(record.Trace);
        }

        return ReadBodyAsync(cancellationToken);
    }

    /// <summary>The next part of the body alone, as <see cref="ReadAsync"/>.</summary>
    public ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken)
    {
        if (_judged) return new(ReadOnlyMemory<byte>.Empty);
        if (body is not { } whole) return StreamAsync(cancellationToken);
        _judged = true;
        if (Checksum.Of(whole.Span) != record.BodyHash) throw Damaged();
        return new(whole);
    }

    public override void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        buffer.Release();
        if (_window is not null) ArrayPool<byte>.Shared.Return(_window);
        _window = null;
    }

    private async ValueTask<ReadOnlyMemory<byte>> StreamAsync(CancellationToken cancellationToken)
    {
        var left = record.BodyLength - _read;
        _hash ??= new XxHash3();
        if (left == 0)
        {
            _judged = true;
            return _hash.GetCurrentHashAsUInt64() == record.BodyHash ? ReadOnlyMemory<byte>.Empty : throw Damaged();
        }

        _window ??= ArrayPool<byte>.Shared.Rent((int)Math.Min(SpoolReader.Window, left));
        var want = (int)Math.Min(Math.Min(_window.Length, SpoolReader.Window), left);
        var got = await store.ReadAsync(pack, record.BodyOffset + _read, _window.AsMemory(0, want), cancellationToken).ConfigureAwait(Turns.Captured);
        if (got < 0) throw new IOException($"Pack {pack} has been deleted while an entry of it was read");
        if (got < want) throw Damaged();
        _read += got;
        _hash.Append(_window.AsSpan(0, got));
        if (_read == record.BodyLength && want == record.BodyLength)
        {
            // All of it at once: judge it before it is given out.
            _judged = true;
            if (_hash.GetCurrentHashAsUInt64() != record.BodyHash) throw Damaged();
        }

        return _window.AsMemory(0, got);
    }

    private InvalidDataException Damaged()
    {
        SpoolInstruments.Corrupt();
        return new InvalidDataException($"The content of {record.Message} in pack {pack} fails its checksum");
    }
}
