using System.Globalization;
using System.Runtime.CompilerServices;
using Angarium.Mail;
using Angarium.Spool.Codec;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Files;

/// <summary>
/// Ledger streams as files `ledger/&lt;writer&gt;/&lt;n&gt;.log`; an ended stream has its end in `&lt;n&gt;.end` beside it, so that nothing is ever appended to an old file. An append is conditional on
/// the end that this process knows; after a failed one the stream is over. A torn tail is never returned; damage before an intact block is passed over, loudly. Any thread; appends of a
/// stream take turns.
/// </summary>
internal sealed partial class FileLedgerStore(IFileSystem files, string root, ILogger logger) : ILedgerStore, IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<LedgerStream, OpenStream> _open = [];
    private readonly string _folder = Path.Combine(root, "ledger");

    public async Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        await files.LeaveCaller();
        cancellationToken.ThrowIfCancellationRequested();
        OpenStream open;
        lock (_gate)
        {
            if (!_open.TryGetValue(stream, out open!)) _open.Add(stream, open = new OpenStream());
        }

        lock (open)
        {
            try
            {
                if (open.IsOver || offset != open.End) throw new LedgerConflictException($"{stream} ends at {open.End}{(open.IsOver ? " for good" : "")}, not at {offset}");
                var isNew = open.File is null;
                if (isNew)
                {
                    // A file that is there already is another process's or an older one's: not ours to append to.
                    if (Exists(stream)) throw new LedgerConflictException($"{stream} was written by somebody else");
                    files.CreateFolder(FolderOf(stream));
                    open.File = files.Create(PathOf(stream));
                }

                open.File!.Write(offset, [block]);
                open.File.Sync();
                if (isNew)
                {
                    files.SyncFolder(FolderOf(stream));
                    files.SyncFolder(_folder);
                }

                return open.End = offset + block.Length;
            }
            catch (UnauthorizedAccessException denied)
            {
                End(stream, open);
                throw new IOException($"{stream} cannot be written", denied);
            }
            catch (Exception failure) when (failure is IOException or LedgerConflictException)
            {
                End(stream, open);
                throw;
            }
        }
    }

    public async Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) =>
        (await ReadAsync(stream, offset, maxBytes, isOurs: true, cancellationToken).ConfigureAwait(Turns.Captured))!.Value;

    public Task<LedgerRead?> TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) => ReadAsync(stream, offset, maxBytes, isOurs: false, cancellationToken);

    /// <param name="stream">Which.</param>
    /// <param name="offset">From where.</param>
    /// <param name="maxBytes">At most, but one block.</param>
    /// <param name="isOurs">A block begins at the offset, or what lies there is damaged; otherwise null tells that none does.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    private async Task<LedgerRead?> ReadAsync(LedgerStream stream, long offset, int maxBytes, bool isOurs, CancellationToken cancellationToken)
    {
        await files.LeaveTurn();
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        lock (_gate)
        {
            // The usual refresh of a silo's own stream: nothing new, no file is opened.
            if (_open.TryGetValue(stream, out var own) && !own.IsOver && offset >= own.End) return new LedgerRead(default, offset, false, offset);
        }

        try
        {
            var end = EndOf(stream, out var isSealed);
            using var file = files.Open(PathOf(stream), writable: false);
            if (file is null) return new LedgerRead(default, offset, isSealed, offset);
            return Read(stream, file, offset, Math.Min(end, file.Length), maxBytes, isSealed, isOurs);
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new IOException($"{stream} cannot be read", denied);
        }
    }

    public async Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        await files.LeaveCaller();
        OpenStream? open;
        lock (_gate) _open.TryGetValue(stream, out open);
        try
        {
            if (open is null) return Seal(stream, null);
            lock (open) return Seal(stream, open);
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new IOException($"{stream} cannot be sealed", denied);
        }
    }

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await files.LeaveTurn();
        foreach (var writerName in files.Folders(_folder))
        {
            if (!ulong.TryParse(writerName, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var writer)) continue;
            foreach (var name in files.Files(Path.Combine(_folder, writerName)))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!name.EndsWith(".log", StringComparison.Ordinal) || !uint.TryParse(name[..^4], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) continue;
                var stream = new LedgerStream(writer, number);
                if (Describe(stream) is { } listing) yield return listing;
            }
        }
    }

    public async Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        await files.LeaveTurn();
        lock (_gate)
        {
            if (_open.Remove(stream, out var open)) open.File?.Dispose();
        }

        // The end last: a stream without it would be read as one that still grows.
        files.Delete(PathOf(stream));
        files.Delete(EndPathOf(stream));
        files.DeleteFolder(FolderOf(stream));
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var open in _open.Values) open.File?.Dispose();
            _open.Clear();
        }
    }

    /// <summary>No more appends. A stream that never was this process's is not remembered as if it were, or what others wrote to it would be hidden.</summary>
    private void End(LedgerStream stream, OpenStream open)
    {
        open.IsOver = true;
        if (open.File is not null) return;
        lock (_gate) _open.Remove(stream);
    }

    private long Seal(LedgerStream stream, OpenStream? open)
    {
        if (StoredEnd(stream) is { } before) return before;
        long end = 0;
        if (open is not null) (end, open.IsOver) = (open.End, true);
        else
        {
            using var file = files.Open(PathOf(stream), writable: false);
            if (file is not null) end = Scan(stream, file);
        }

        files.CreateFolder(FolderOf(stream));
        var draft = EndPathOf(stream) + ".tmp";
        files.Delete(draft);
        using (var file = files.Create(draft))
        {
            file.Write(0, [System.Text.Encoding.ASCII.GetBytes(end.ToString(CultureInfo.InvariantCulture) + "\n")]);
            file.Sync();
        }

        files.Rename(draft, EndPathOf(stream));
        files.SyncFolder(FolderOf(stream));
        files.SyncFolder(_folder);
        if (open is not null)
        {
            open.File?.Dispose();
            lock (_gate) _open.Remove(stream);
        }

        return end;
    }

    /// <summary>The end of the last intact block.</summary>
    private long Scan(LedgerStream stream, IStoredFile file)
    {
        long at = 0, length = file.Length;
        for (; ; )
        {
            var read = Read(stream, file, at, length, LedgerBlock.MaxSize, isSealed: false)!.Value;
            if (read.Next == at) break;
            at = read.Next;
        }

        if (at < length) LogTorn(logger, stream, length - at);
        return at;
    }

    private LedgerRead? Read(LedgerStream stream, IStoredFile file, long offset, long end, int maxBytes, bool isSealed, bool isOurs = true)
    {
        if (offset >= end) return new LedgerRead(default, offset, isSealed, offset);
        var buffer = new byte[(int)Math.Min(Math.Max(maxBytes, LedgerBlock.HeaderSize), end - offset)];
        var got = file.Read(offset, buffer);
        var size = Whole(stream, buffer.AsSpan(0, got), offset);
        if (size > 0) return new LedgerRead(buffer.AsMemory(0, size), offset + size, isSealed && offset + size == end, end);

        // One block is larger than what was asked for, or it is none.
        var claimed = LedgerBlock.ClaimedSize(buffer.AsSpan(0, got));
        if (claimed > got && offset + claimed <= end)
        {
            buffer = new byte[claimed];
            got = file.Read(offset, buffer);
            if (Whole(stream, buffer.AsSpan(0, got), offset) == claimed) return new LedgerRead(buffer, offset + claimed, isSealed && offset + claimed == end, end);
        }

        if (isOurs) StoredVersion.Refuse(buffer.AsSpan(0, got), LedgerBlock.Letters, $"The block of {stream} at {offset}");
        var next = NextBlock(stream, file, offset + 8, end);
        if (next < 0) return new LedgerRead(default, isSealed ? end : offset, isSealed, end);
        if (!isOurs) return null;
        SpoolInstruments.Corrupt();
        LogDamage(logger, stream, offset, next);
        return Read(stream, file, next, end, maxBytes, isSealed);
    }

    /// <summary>Octets of the whole, intact blocks at the begin.</summary>
    private static int Whole(LedgerStream stream, ReadOnlySpan<byte> bytes, long offset)
    {
        var at = 0;
        while (LedgerBlock.Read(bytes[at..], stream, offset + at, out _, out _) is > 0 and var size) at += size;
        return at;
    }

    /// <summary>Where the next intact block begins; -1 = there is none.</summary>
    internal static long NextBlock(LedgerStream stream, IStoredFile file, long from, long end)
    {
        byte[] window = [];
        var head = new byte[LedgerBlock.HeaderSize];
        var scan = new byte[64 << 10];
        for (var at = from; at + LedgerBlock.HeaderSize <= end; at += scan.Length - head.Length)
        {
            var got = file.Read(at, scan.AsSpan(0, (int)Math.Min(scan.Length, end - at)));
            for (var i = 0; i + head.Length <= got; i += 8)
            {
                var claimed = LedgerBlock.ClaimedSize(scan.AsSpan(i));
                if (claimed == 0 || at + i + claimed > end) continue;
                if (window.Length < claimed) window = new byte[claimed];
                var block = window.AsSpan(0, claimed);
                if (file.Read(at + i, block) == claimed && LedgerBlock.Read(block, stream, at + i, out _, out _) == claimed) return at + i;
            }

            if (got < scan.Length) break;
        }

        return -1;
    }

    private LedgerStreamListing? Describe(LedgerStream stream)
    {
        var end = EndOf(stream, out var isSealed);
        using var file = files.Open(PathOf(stream), writable: false);
        if (file is null) return null;
        return new LedgerStreamListing(stream, Math.Min(end, file.Length), isSealed, StoreTime.FromDateTimeOffset(files.Modified(PathOf(stream))));
    }

    /// <summary>How far the stream may be read: to its end when that is known, else as far as it goes.</summary>
    private long EndOf(LedgerStream stream, out bool isSealed)
    {
        if (StoredEnd(stream) is { } end)
        {
            isSealed = true;
            return end;
        }

        isSealed = false;
        OpenStream? open;
        lock (_gate) _open.TryGetValue(stream, out open);
        return open?.End ?? long.MaxValue;
    }

    internal long? StoredEnd(LedgerStream stream)
    {
        using var file = files.Open(EndPathOf(stream), writable: false);
        if (file is null) return null;
        Span<byte> text = stackalloc byte[20];
        var got = text[..file.Read(0, text)];
        return got.IndexOf((byte)'\n') is > 0 and var line && long.TryParse(got[..line], NumberStyles.None, CultureInfo.InvariantCulture, out var end) ? end : null;
    }

    private bool Exists(LedgerStream stream)
    {
        using var log = files.Open(PathOf(stream), writable: false);
        using var end = files.Open(EndPathOf(stream), writable: false);
        return log is not null || end is not null;
    }

    private string FolderOf(LedgerStream stream) => Path.Combine(_folder, stream.Writer.ToString("x16", CultureInfo.InvariantCulture));

    internal string PathOf(LedgerStream stream) => Path.Combine(FolderOf(stream), stream.Number.ToString(CultureInfo.InvariantCulture) + ".log");

    private string EndPathOf(LedgerStream stream) => Path.ChangeExtension(PathOf(stream), ".end");

    [LoggerMessage(1040, LogLevel.Critical, "{Stream} is damaged from {From} to {To}, before its last good block: what lay there is passed over; run `angarium spool verify`")]
    private static partial void LogDamage(ILogger logger, LedgerStream stream, long from, long to);

    [LoggerMessage(1041, LogLevel.Information, "{Stream} ends in {Bytes} octets of an append that was never acknowledged")]
    private static partial void LogTorn(ILogger logger, LedgerStream stream, long bytes);

    /// <summary>A stream that this process appends to; locked while it does. <see cref="End"/> is durable.</summary>
    private sealed class OpenStream
    {
        private long _end;

        public IStoredFile? File { get; set; }

        public long End { get => Volatile.Read(ref _end); set => Volatile.Write(ref _end, value); }

        public bool IsOver { get; set; }
    }
}
