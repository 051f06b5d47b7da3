using System.Buffers;
using System.IO.Pipelines;

namespace Angarium.TestKit.Dialogs;

/// <summary>
/// A connection in memory. The server runs inside each write of the client, up to where it waits again: what it has seen when, is settled by the writes alone.
/// While <see cref="Hold"/> is in force it does not run, and writes gather. Each write is a segment of its own for the server.
/// </summary>
public sealed class MemoryConnection : IDuplexPipe
{
    private readonly Gate _gate = new();
    private readonly Pipe _toServer, _toClient;

    /// <param name="window">Octets of replies that the client leaves unread before the server has to wait; 0 = any.</param>
    public MemoryConnection(int window = 0)
    {
        _toServer = new Pipe(new PipeOptions(new ExactPool(), _gate, PipeScheduler.Inline, 0, 0, 1, false));
        _toClient = new Pipe(new PipeOptions(null, PipeScheduler.Inline, PipeScheduler.Inline, window, window / 2, useSynchronizationContext: false));
        Client = new ClientStream(_toClient.Reader.AsStream(), _toServer.Writer);
    }

    public PipeReader Input => _toServer.Reader;

    public PipeWriter Output => _toClient.Writer;

    /// <summary>The client's side; disposing it closes the connection from there.</summary>
    public Stream Client { get; }

    /// <summary>The client has no more to send, but still listens.</summary>
    public void EndInput() => _toServer.Writer.Complete();

    /// <summary>Octets of the server, or its end, wait for the client.</summary>
    public bool HasOutput
    {
        get
        {
            if (!_toClient.Reader.TryRead(out var read)) return false;
            _toClient.Reader.AdvanceTo(read.Buffer.Start);
            return true;
        }
    }

    public void Hold() => _gate.Hold();

    public void Release() => _gate.Release();

    /// <summary>Serves the connection and closes the server's side of it when that ends.</summary>
    public async Task ServeAsync(Func<IDuplexPipe, Task> server)
    {
        try
        {
            await server(this);
        }
        finally
        {
            await Input.CompleteAsync();
            await Output.CompleteAsync();
        }
    }

    private sealed class Gate : PipeScheduler
    {
        private readonly Queue<(Action<object?>, object?)> _held = [];
        private bool _isHeld;

        public void Hold() => _isHeld = true;

        public void Release()
        {
            _isHeld = false;
            while (_held.TryDequeue(out var next)) next.Item1(next.Item2);
        }

        public override void Schedule(Action<object?> action, object? state)
        {
            if (_isHeld) _held.Enqueue((action, state));
            else action(state);
        }
    }

    // Buffers as small as asked for: the pipe cannot put two writes of an octet into one segment.
    private sealed class ExactPool : MemoryPool<byte>
    {
        public override int MaxBufferSize => int.MaxValue;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => new Owner(new byte[Math.Max(1, minBufferSize)]);

        protected override void Dispose(bool disposing) { }

        private sealed class Owner(byte[] bytes) : IMemoryOwner<byte>
        {
            public Memory<byte> Memory => bytes;

            public void Dispose() { }
        }
    }

    private sealed class ClientStream(Stream input, PipeWriter output) : Stream
    {
        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => input.ReadAsync(buffer, offset, count, cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            buffer.CopyTo(output.GetMemory(buffer.Length));
            output.Advance(buffer.Length);
            await output.FlushAsync(cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            output.Complete();
            input.Dispose();
            base.Dispose(disposing);
        }
    }
}
