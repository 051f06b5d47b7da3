using Angarium.Spool.Packs;

namespace Angarium.Spool.Azure;

/// <summary>A pack's bytes as the body of one request: the head from memory, then the tail from its scratch file, never all of it in memory. Used by one request; reads nothing once disposed.</summary>
internal sealed class PackStream(PackImage image) : Stream
{
    private PackImage? _image = image;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length { get; } = image.Length;

    public override long Position { get; set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_image is null, this);
        var (head, at) = (_image.Head, Position);
        int got;
        if (at < head.Length)
        {
            got = Math.Min(buffer.Length, head.Length - (int)at);
            head.Slice((int)at, got).CopyTo(buffer);
        }
        else
        {
            got = _image.Tail is { } tail && at < Length ? await tail.ReadAsync(at - head.Length, buffer, cancellationToken).ConfigureAwait(false) : 0;
            if (got == 0 && at < Length && buffer.Length > 0) throw new EndOfStreamException("A scratch file is shorter than it was");
        }

        Position = at + got;
        return got;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Requests are asynchronous");

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => Length };

    public override void Flush() { }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _image = null;
        base.Dispose(disposing);
    }
}
