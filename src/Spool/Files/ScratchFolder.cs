using System.IO.Hashing;
using System.Text;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Angarium.Spool.Files;

/// <summary>Scratch files in `scratch` under `Data`, unlinked as soon as they are open; leftovers of a crash are removed at start. Holds no state; any thread.</summary>
internal sealed partial class ScratchFolder : IScratchFolder
{
    private readonly string _path;
    private readonly FreeSpace _space;
    private readonly ILogger _logger;
    private long _last;

    public ScratchFolder(string root, FreeSpace space, ILogger logger)
    {
        _path = Path.Combine(root, "scratch");
        (_space, _logger) = (space, logger);
        LocalFileSystem.Instance.CreateFolder(_path);
        foreach (var leftover in Directory.EnumerateFiles(_path)) File.Delete(leftover);
    }

    public IScratchWriter? TryCreate()
    {
        try
        {
            if (!_space.HasRoomFor(0)) return null;
            var path = Path.Combine(_path, $"{Environment.ProcessId}-{Interlocked.Increment(ref _last)}");
            var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            File.Delete(path);
            return new Writer(this, handle);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            LogNotCreated(_logger, failure);
            return null;
        }
    }

    [LoggerMessage(1050, LogLevel.Error, "A scratch file could not be created: large messages are refused for now")]
    private static partial void LogNotCreated(ILogger logger, Exception failure);

    [LoggerMessage(1051, LogLevel.Error, "A scratch file could not be written: its message is refused")]
    private static partial void LogNotWritten(ILogger logger, Exception failure);

    private sealed class Writer(ScratchFolder folder, SafeFileHandle handle) : IScratchWriter
    {
        private readonly XxHash3 _hash = new();
        private bool _isEightBit, _isComplete, _isBroken;

        public long Length { get; private set; }

        public async ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            ObjectDisposedException.ThrowIf(_isComplete || _isBroken, this);
            try
            {
                if (!folder._space.HasRoomFor(bytes.Length))
                {
                    _isBroken = true;
                    return false;
                }

                await RandomAccess.WriteAsync(handle, bytes, Length, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                _isBroken = true;
                LogNotWritten(folder._logger, failure);
                return false;
            }

            _hash.Append(bytes.Span);
            _isEightBit = _isEightBit || !Ascii.IsValid(bytes.Span);
            Length += bytes.Length;
            folder._space.Used(bytes.Length);
            return true;
        }

        public ScratchContent Complete()
        {
            ObjectDisposedException.ThrowIf(_isComplete || _isBroken, this);
            _isComplete = true;
            return new ScratchContent(handle, Length, _hash.GetCurrentHashAsUInt64(), _isEightBit);
        }

        public void Dispose()
        {
            if (_isComplete) return;
            _isBroken = true;
            handle.Dispose();
            folder._space.Forget();
        }
    }
}
