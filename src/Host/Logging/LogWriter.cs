using System.Buffers;
using System.Text;

namespace Angarium.Host.Logging;

/// <summary>
/// Lines on their way to a stream: they gather in a buffer, and one thread writes what has gathered in one piece, at most a hundred times a second. Who writes while 4 MiB wait, waits too: nothing
/// is dropped. Any thread. A crash loses what has not been written, at most some 10 ms of it while the stream takes them.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private const int Most = 4 << 20;
    private static readonly TimeSpan s_spacing = TimeSpan.FromMilliseconds(10), s_patience = TimeSpan.FromSeconds(2);

    private readonly object _gate = new();
    private readonly Stream _stream;
    private readonly Thread _thread;
    private ArrayBufferWriter<byte> _gathered = new(16 << 10), _writing = new(16 << 10);
    private bool _closed;

    public LogWriter(Stream stream)
    {
        _stream = stream;
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Takes a line, whose parts follow each other; its end is added. After the end of the writer it is dropped.</summary>
    public void Write(ReadOnlySpan<char> head, ReadOnlySpan<char> text, ReadOnlySpan<char> tail)
    {
        lock (_gate)
        {
            while (_gathered.WrittenCount >= Most && !_closed) Monitor.Wait(_gate);
            if (_closed) return;
            if (_gathered.WrittenCount == 0) Monitor.PulseAll(_gate);
            Encoding.UTF8.GetBytes(head, _gathered);
            Encoding.UTF8.GetBytes(text, _gathered);
            Encoding.UTF8.GetBytes(tail, _gathered);
            _gathered.Write("\n"u8);
        }
    }

    /// <summary>Writes what has gathered, if the stream takes it within 2 s, and ends.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join(s_patience);
    }

    private void Run()
    {
        while (true)
        {
            bool isLast;
            lock (_gate)
            {
                while (_gathered.WrittenCount == 0 && !_closed) Monitor.Wait(_gate);
                isLast = _closed;
                (_gathered, _writing) = (_writing, _gathered);
                Monitor.PulseAll(_gate);
            }

            try
            {
                _stream.Write(_writing.WrittenSpan);
                _stream.Flush();
            }
            catch (IOException)
            {
                // Nobody reads the log any more, and there is nowhere to say so; mail goes on.
            }

            if (isLast) return;
            // A line a message would be a write each: company is worth this wait.
            if (_writing.Capacity > Most) _writing = new ArrayBufferWriter<byte>(16 << 10);
            else _writing.ResetWrittenCount();
            Thread.Sleep(s_spacing);
        }
    }
}
