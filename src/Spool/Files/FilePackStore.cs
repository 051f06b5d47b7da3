using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.CompilerServices;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Files;

/// <summary>
/// Packs in segment files of 64 MiB, `spool/&lt;writer&gt;/&lt;n&gt;.seg` and `moved/…` (design rules 1, 2, 3, 5). A pack is Created once its frame, and with a new file its folder, was
/// flushed. After a failed write or flush a segment is never touched again; a start never appends to an old one. Owns the index of all packs in memory, rebuilt at start from footers
/// and from a scan of what was not sealed. Any thread: the index is under one lock, each writer's appends take turns.
/// </summary>
internal sealed partial class FilePackStore : IPackStore, IDisposable
{
    public const long SegmentSize = 64L << 20;

    /// <summary>A segment that is not full is sealed at this age, so that it can be given back when its packs are finished.</summary>
    private static readonly TimeSpan SegmentAge = TimeSpan.FromMinutes(10);

    /// <summary>An open segment of this size whose packs are all finished is given back at once.</summary>
    private const long WorthGivingBack = 4L << 20;

    private const int MaxOpenForReading = 256;
    private const int CopyWindow = 256 << 10;

    private readonly Lock _gate = new();
    private readonly IFileSystem _files;
    private readonly string _root;
    private readonly FreeSpace _space;
    private readonly IStoreClock _clock;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Dictionary<PackName, (Segment Segment, SegmentRow Row)> _packs = [];
    private readonly HashSet<PackName> _creating = [];
    private readonly Dictionary<(PackKind, ulong), Appender> _appenders = [];
    private readonly Queue<Segment> _openForReading = [];

    /// <summary>Highest segment number that an earlier process used under a writer id: should the id be used again, those files are left alone.</summary>
    private readonly Dictionary<(PackKind, ulong), uint> _taken = [];
    private bool _disposed;

    public FilePackStore(IFileSystem files, string root, FreeSpace space, IStoreClock clock, TimeProvider time, ILogger logger)
    {
        (_files, _root, _space, _clock, _time, _logger) = (files, root, space, clock, time, logger);
        Load();
    }

    /// <summary>Appends to one file are flushed in order.</summary>
    public int MaxCreationsInFlight => 1;

    /// <summary>The newest time of creation found at start: the clock must not run behind it.</summary>
    public StoreTime Newest { get; private set; }

    internal static string FolderOf(string root, PackKind kind) => Path.Combine(root, kind == PackKind.Birth ? "spool" : "moved");

    public async Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken)
    {
        await _files.LeaveCaller();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_packs.ContainsKey(name)) return PackCreation.Exists;
            if (!_creating.Add(name)) return PackCreation.Unknown;
        }

        try
        {
            // The cleaner must be able to work on a full disk: its packs are what makes room.
            if (name.Kind == PackKind.Birth && !_space.HasRoomFor(image.Length)) return PackCreation.Full;
            var appender = AppenderOf(name.Kind, name.Writer);
            if (image.Tail is not null) return await CreateLargeAsync(appender, name, image, cancellationToken).ConfigureAwait(false);
            await appender.Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                return Append(appender, name, image.Head);
            }
            finally
            {
                appender.Turn.Release();
            }
        }
        finally
        {
            lock (_gate) _creating.Remove(name);
        }
    }

    public async ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        await _files.LeaveTurn();
        for (var tries = 0; ; tries++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            IStoredFile file;
            SegmentRow row;
            lock (_gate)
            {
                if (!_packs.TryGetValue(name, out var place)) return -1;
                row = place.Row;
                file = OpenForReading(place.Segment);
            }

            if (offset >= row.Length) return 0;
            try
            {
                return file.Read(row.Offset + offset, into.Span[..(int)Math.Min(into.Length, row.Length - offset)]);
            }
            catch (ObjectDisposedException) when (tries < 3)
            {
                // Closed meanwhile to keep the number of open files down, or unlinked: look again.
            }
            catch (UnauthorizedAccessException denied)
            {
                throw new IOException($"Pack {name} cannot be read", denied);
            }
        }
    }

    public async IAsyncEnumerable<PackListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PackListing[] all;
        lock (_gate)
        {
            all = new PackListing[_packs.Count];
            var i = 0;
            foreach (var (name, (segment, row)) in _packs) all[i++] = new PackListing(name, row.Length, row.Created, new SpaceUnit(segment.Number, segment.Packed));
        }

        foreach (var listing in all)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return listing;
        }

        await Task.CompletedTask.ConfigureAwait(false);
    }

    public async Task DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        await _files.LeaveTurn();
        Segment segment;
        bool isLast;
        lock (_gate)
        {
            if (!_packs.Remove(name, out var place)) return;
            segment = place.Segment;
            isLast = --segment.Live == 0;
            SpoolInstruments.Packs.Set(_packs.Count);
        }

        try
        {
            if (isLast && TryClose(segment)) Unlink(segment);
            else NoteDeletion(segment, name.Number);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The pack is gone for this process; after a restart it may be listed again, and is found finished again.
            LogNotDeleted(_logger, name, failure);
        }
    }

    /// <summary>Seals what is open, so that the next start reads footers only.</summary>
    public void Dispose()
    {
        List<Appender> appenders;
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            appenders = [.. _appenders.Values];
        }

        foreach (var appender in appenders)
        {
            appender.Turn.Wait();
            if (appender.Current is { } current) Seal(appender, current);
            appender.Turn.Release();
        }

        lock (_gate)
        {
            foreach (var segment in _packs.Values.Select(p => p.Segment).Distinct()) CloseFiles(segment);
        }
    }

    private Appender AppenderOf(PackKind kind, ulong writer)
    {
        lock (_gate)
        {
            if (!_appenders.TryGetValue((kind, writer), out var appender)) _appenders.Add((kind, writer), appender = new Appender(kind, writer, _taken.GetValueOrDefault((kind, writer))));
            return appender;
        }
    }

    /// <summary>One frame, one flush. In the appender's turn.</summary>
    private PackCreation Append(Appender appender, PackName name, ReadOnlyMemory<byte> pack)
    {
        var segment = appender.Current;
        var size = SegmentFormat.FrameSize(pack.Length);
        if (segment is not null && (segment.Length + size > SegmentSize || _time.GetElapsedTime(segment.Opened) > SegmentAge))
        {
            Seal(appender, segment);
            segment = null;
        }

        var isNew = segment is null;
        try
        {
            segment ??= appender.Current = Open(appender);
            var created = _clock.Now;
            var head = new byte[SegmentFormat.FrameHeaderSize];
            SegmentFormat.WriteFrameHeader(head, name.Number, pack.Length, created, segment.Nonce);
            var tail = new byte[size - SegmentFormat.FrameHeaderSize - pack.Length];
            BinaryPrimitives.WriteUInt64BigEndian(tail, Codec.Checksum.Of(pack.Span, segment.Nonce));
            ReadOnlyMemory<byte>[] parts = isNew
                ? [SegmentFormat.Header(segment.Kind, segment.Writer, segment.Number, segment.Nonce), head, pack, tail]
                : [head, pack, tail];
            segment.File!.Write(isNew ? 0 : segment.Length, parts);
            segment.File.Sync();
            if (isNew) SyncNames(segment);
            Enter(name, segment, new SegmentRow(name.Number, segment.Length + SegmentFormat.FrameHeaderSize, pack.Length, created));
            _space.Used(size);
            return PackCreation.Created;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Abandon(appender, segment, name, failure);
        }
    }

    /// <summary>A segment of its own, sealed at once. Beside the appender's turn: nothing else writes to that file.</summary>
    private async Task<PackCreation> CreateLargeAsync(Appender appender, PackName name, PackImage image, CancellationToken cancellationToken)
    {
        Segment? segment = null;
        var buffer = ArrayPool<byte>.Shared.Rent(CopyWindow);
        try
        {
            segment = Open(appender);
            var created = _clock.Now;
            var head = new byte[SegmentFormat.FrameHeaderSize];
            SegmentFormat.WriteFrameHeader(head, name.Number, image.Length, created, segment.Nonce);
            var hash = new XxHash3((long)segment.Nonce);
            hash.Append(image.Head.Span);
            segment.File!.Write(0, [SegmentFormat.Header(segment.Kind, segment.Writer, segment.Number, segment.Nonce), head, image.Head]);
            long at = SegmentFormat.HeaderSize + head.Length + image.Head.Length;
            for (long read = 0; read < image.Tail!.Length;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var got = await image.Tail.ReadAsync(read, buffer.AsMemory(0, (int)Math.Min(CopyWindow, image.Tail.Length - read)), cancellationToken).ConfigureAwait(false);
                if (got == 0) throw new IOException("The scratch file is shorter than it was");
                hash.Append(buffer.AsSpan(0, got));
                segment.File.Write(at, [buffer.AsMemory(0, got)]);
                read += got;
                at += got;
            }

            var row = new SegmentRow(name.Number, SegmentFormat.HeaderSize + SegmentFormat.FrameHeaderSize, image.Length, created);
            var trailer = new byte[SegmentFormat.HeaderSize + SegmentFormat.FrameSize(image.Length) - at];
            BinaryPrimitives.WriteUInt64BigEndian(trailer, hash.GetCurrentHashAsUInt64());
            segment.File.Write(at, [trailer, SegmentFormat.Footer([row], segment.Nonce)]);
            segment.File.Sync();
            SyncNames(segment);
            segment.IsClosed = true;
            Enter(name, segment, row);
            _space.Used(image.Length);
            return PackCreation.Created;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            return Abandon(null, segment, name, failure);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private Segment Open(Appender appender)
    {
        var folder = Path.Combine(FolderOf(_root, appender.Kind), appender.Writer.ToString("x16", CultureInfo.InvariantCulture));
        _files.CreateFolder(folder);
        var number = appender.NextNumber();
        var path = Path.Combine(folder, number.ToString(CultureInfo.InvariantCulture) + ".seg");
        return new Segment(appender.Kind, appender.Writer, number, path, PackWriter.DrawId())
        {
            File = _files.Create(path), Length = SegmentFormat.HeaderSize, Opened = _time.GetTimestamp(),
        };
    }

    private void SyncNames(Segment segment)
    {
        var folder = Path.GetDirectoryName(segment.Path)!;
        _files.SyncFolder(folder);
        _files.SyncFolder(Path.GetDirectoryName(folder)!);
    }

    private void Enter(PackName name, Segment segment, SegmentRow row)
    {
        lock (_gate)
        {
            segment.Rows.Add(row);
            segment.Length = SegmentFormat.Align(row.Offset + row.Length + SegmentFormat.FrameTrailerSize);
            segment.Live++;
            segment.Packed += row.Length;
            _packs.Add(name, (segment, row));
            SpoolInstruments.Packs.Set(_packs.Count);
        }
    }

    /// <summary>After a failed write or flush nothing is known of the file's end: it is never written or flushed again (design rule 2).</summary>
    private PackCreation Abandon(Appender? appender, Segment? segment, PackName name, Exception failure)
    {
        var isFull = failure is IOException io && io.IsFull();
        if (isFull) LogFull(_logger, name);
        else LogAbandoned(_logger, name, failure);
        _space.Forget();
        if (segment is null) return isFull ? PackCreation.Full : PackCreation.Unknown;
        bool isEmpty;
        lock (_gate)
        {
            segment.IsClosed = true;
            if (appender?.Current == segment) appender.Current = null;
            isEmpty = segment.Live == 0;
        }

        try
        {
            // Nothing in it was ever acknowledged, or all of it is finished. Else the pack may be in it all the same, and must not come back beside its next copy.
            if (isEmpty) Unlink(segment);
            else NoteDeletion(segment, name.Number);
        }
        catch (Exception again) when (again is IOException or UnauthorizedAccessException)
        {
            LogNotUnlinked(_logger, segment.Path, again);
        }

        return isFull ? PackCreation.Full : PackCreation.Unknown;
    }

    /// <summary>Ends a segment with its footer. Without one (a failure here) the next start reads it through, no more. In the appender's turn.</summary>
    private void Seal(Appender appender, Segment segment)
    {
        IStoredFile? file;
        lock (_gate)
        {
            appender.Current = null;
            segment.IsClosed = true;
            file = segment.Live == 0 ? null : segment.File;
        }

        try
        {
            if (file is null)
            {
                Unlink(segment);
                return;
            }

            file.Write(segment.Length, [SegmentFormat.Footer(segment.Rows, segment.Nonce)]);
            file.Sync();
        }
        catch (ObjectDisposedException)
        {
            // Its last pack was deleted just now, and the file with it.
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            LogNotSealed(_logger, segment.Path, failure);
        }

        lock (_gate)
        {
            segment.Rows.Clear();
            segment.Rows.TrimExcess();
            if (segment.File is not null && !segment.IsUnlinked) _openForReading.Enqueue(segment);
        }
    }

    /// <summary>True when nothing will be written to the segment any more and no pack in it exists: it may be unlinked.</summary>
    private bool TryClose(Segment segment)
    {
        Appender? appender;
        lock (_gate)
        {
            if (segment.IsClosed) return segment.Live == 0;
            if (segment.Length < WorthGivingBack || !_appenders.TryGetValue((segment.Kind, segment.Writer), out appender)) return false;
        }

        // A segment that is being appended to is not closed: the next deletion or the seal will find it.
        if (!appender.Turn.Wait(0)) return false;
        try
        {
            lock (_gate)
            {
                if (appender.Current != segment || segment.Live > 0) return false;
                appender.Current = null;
                segment.IsClosed = true;
                return true;
            }
        }
        finally
        {
            appender.Turn.Release();
        }
    }

    private void Unlink(Segment segment)
    {
        bool isWriterOurs;
        lock (_gate)
        {
            if (segment.IsUnlinked) return;
            segment.IsUnlinked = true;
            CloseFiles(segment);
            isWriterOurs = _appenders.ContainsKey((segment.Kind, segment.Writer));
        }

        // The segment first: without the list of deletions its packs would be listed again.
        _files.Delete(segment.Path);
        _files.Delete(segment.DeletionsPath);
        _files.Delete(segment.IndexPath);
        if (!isWriterOurs) _files.DeleteFolder(Path.GetDirectoryName(segment.Path)!);
        _space.Forget();
    }

    /// <summary>Not flushed: when it is lost, the sweep finds the pack finished once more.</summary>
    private void NoteDeletion(Segment segment, uint number)
    {
        lock (_gate)
        {
            if (segment.IsUnlinked) return;
            segment.Deletions ??= _files.Open(segment.DeletionsPath, writable: true) ?? _files.Create(segment.DeletionsPath);
            segment.Deletions.Write(segment.Deletions.Length / 8 * 8, [SegmentFormat.Deletion(number, segment.Nonce)]);
            if (!segment.IsClosed) return;
            segment.Deletions.Dispose();
            segment.Deletions = null;
        }
    }

    private IStoredFile OpenForReading(Segment segment)
    {
        if (segment.File is { } open) return open;
        segment.File = _files.Open(segment.Path, writable: false) ?? throw new IOException($"Segment {segment.Path} is not there any more");
        _openForReading.Enqueue(segment);
        while (_openForReading.Count > MaxOpenForReading && _openForReading.TryDequeue(out var oldest))
        {
            oldest.File?.Dispose();
            oldest.File = null;
        }

        return segment.File;
    }

    private static void CloseFiles(Segment segment)
    {
        segment.File?.Dispose();
        segment.File = null;
        segment.Deletions?.Dispose();
        segment.Deletions = null;
    }

    /// <summary>One writer's open segment. <see cref="Current"/> changes only in its turn.</summary>
    private sealed class Appender(PackKind kind, ulong writer, uint taken)
    {
        private uint _last = taken;

        public PackKind Kind { get; } = kind;

        public ulong Writer { get; } = writer;

        public SemaphoreSlim Turn { get; } = new(1, 1);

        public Segment? Current { get; set; }

        public uint NextNumber() => Interlocked.Increment(ref _last);
    }
}
