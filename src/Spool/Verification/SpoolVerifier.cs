using System.Globalization;
using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Spool.Verification;

/// <summary>
/// Reads all packs and ledger streams under `Data` and judges every checksum. Only reads, and takes no lock: it may run beside the process that owns the folder, or when none does. What
/// vanishes meanwhile was deleted; what is cut off at the end of an open file was never acknowledged. Memory: one segment's rows and one block or record at a time. On a pool thread.
/// </summary>
public sealed class SpoolVerifier
{
    private readonly IFileSystem _files;
    private readonly string _root;
    private readonly IProgress<VerifyReport>? _progress;
    private readonly VerifyReport _report = new();

    private SpoolVerifier(IFileSystem files, string root, IProgress<VerifyReport>? progress) => (_files, _root, _progress) = (files, root, progress);

    /// <param name="progress">Told after each file.</param>
    /// <exception cref="StoreUnavailableException">There is no such folder.</exception>
    public static Task<VerifyReport> VerifyAsync(string dataFolder, IProgress<VerifyReport>? progress, CancellationToken cancellationToken) =>
        Task.Run(() => VerifyAsync(LocalFileSystem.Instance, Path.GetFullPath(dataFolder), progress, cancellationToken), cancellationToken);

    internal static async Task<VerifyReport> VerifyAsync(IFileSystem files, string root, IProgress<VerifyReport>? progress, CancellationToken cancellationToken)
    {
        if (!files.FolderExists(root)) throw new StoreUnavailableException($"Data: {root} is not there.");
        var verifier = new SpoolVerifier(files, root, progress);
        foreach (var kind in new[] { PackKind.Birth, PackKind.Moved }) await verifier.PacksAsync(kind, cancellationToken).ConfigureAwait(false);
        await verifier.LedgerAsync(cancellationToken).ConfigureAwait(false);
        return verifier._report;
    }

    private async Task PacksAsync(PackKind kind, CancellationToken cancellationToken)
    {
        var folder = FilePackStore.FolderOf(_root, kind);
        foreach (var writerName in _files.Folders(folder).Order(StringComparer.Ordinal))
        {
            if (!ulong.TryParse(writerName, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var writer)) continue;
            var writerFolder = Path.Combine(folder, writerName);
            foreach (var name in _files.Files(writerFolder).Where(f => f.EndsWith(".seg", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
            {
                var path = Path.Combine(writerFolder, name);
                try
                {
                    await SegmentAsync(kind, writer, path, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
                {
                    _report.Add(path, $"cannot be read: {failure.Message}");
                }

                _progress?.Report(_report);
            }
        }
    }

    private async Task SegmentAsync(PackKind kind, ulong writer, string path, CancellationToken cancellationToken)
    {
        using var file = _files.Open(path, writable: false);
        if (file is null) return;
        SegmentContents? listed;
        using (var index = _files.Open(Path.ChangeExtension(path, ".idx"), writable: false)) listed = SegmentScan.ByIndex(file, index);
        var contents = listed ?? SegmentScan.Through(file);
        var head = new byte[SegmentFormat.HeaderSize];
        if (contents.Rows.Count > 0 && !SegmentFormat.TryReadHeader(head.AsSpan(0, file.Read(0, head)), out _)) _report.Add(path, "its header is damaged");
        foreach (var (from, to) in contents.Damage) _report.Add(path, $"damaged from {from} to {to}: what lay there is lost");
        _report.TornBytes += contents.TornBytes;
        foreach (var row in contents.Rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var pack = new PackName(kind, writer, row.Number);
            _report.Packs++;
            _report.Bytes += row.Length;

            // What a scan returned has just been judged whole.
            if (listed is not null && !SegmentScan.IsIntact(file, row)) _report.Add(pack.ToString(), $"fails its checksum, in {path} at {row.Offset}");
            await PackAsync(file, pack, row, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task PackAsync(IStoredFile file, PackName pack, SegmentRow row, CancellationToken cancellationToken)
    {
        var reader = new SpoolReader(new SegmentView(file, pack, row), new PackCache(0), NullLogger.Instance);
        var toc = (await reader.ReadTocAsync(pack, cancellationToken).ConfigureAwait(false)).Value;
        if (toc is null)
        {
            _report.Add(pack.ToString(), "its header or table of contents is damaged: none of its mail can be delivered");
            return;
        }

        // Recipients of several domains share one body: it is read once.
        var judged = new HashSet<(long, long, ulong)>();
        foreach (var listed in toc.Entries)
        {
            _report.Entries++;
            using var entry = (await reader.OpenAsync(new EntryPlace(pack, listed.Offset, listed.Length), cancellationToken).ConfigureAwait(false)).Value;
            if (entry is null) _report.Add(pack.ToString(), $"the envelope of message {listed.Message} at {listed.Offset} is damaged");
            else if (entry.Message != listed.Message || entry.ContentLength != listed.ContentLength || !entry.Keys.SequenceEqual(listed.Keys))
                _report.Add(pack.ToString(), $"the table of contents and the envelope of message {listed.Message} at {listed.Offset} differ");
            else if (judged.Add((entry.Record.BodyOffset, entry.Record.BodyLength, entry.Record.BodyHash)) && !await IsBodyIntactAsync(entry, cancellationToken).ConfigureAwait(false))
                _report.Add(pack.ToString(), $"the content of message {listed.Message} at {entry.Record.BodyOffset} is damaged");
        }
    }

    private static async Task<bool> IsBodyIntactAsync(StoredEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            while (!(await entry.ReadBodyAsync(cancellationToken).ConfigureAwait(false)).IsEmpty) { }
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private async Task LedgerAsync(CancellationToken cancellationToken)
    {
        using var store = new FileLedgerStore(_files, _root, NullLogger.Instance);
        await foreach (var listing in store.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                Stream(store, listing.Stream, cancellationToken);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                _report.Add(listing.Stream.ToString(), $"cannot be read: {failure.Message}");
            }

            _progress?.Report(_report);
        }
    }

    private void Stream(FileLedgerStore store, LedgerStream stream, CancellationToken cancellationToken)
    {
        var ended = store.StoredEnd(stream);
        using var file = _files.Open(store.PathOf(stream), writable: false);
        if (file is null) return;
        _report.Streams++;
        var length = file.Length;
        if (ended > length) _report.Add(stream.ToString(), $"is {length} octets long, but was ended at {ended}: what lay there is lost");
        var end = Math.Min(ended ?? length, length);
        for (long at = 0; at < end;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Block(file, stream, at, end) is > 0 and var size)
            {
                at += size;
                continue;
            }

            var next = FileLedgerStore.NextBlock(stream, file, at + 8, end);
            if (next < 0 && ended is null)
            {
                _report.TornBytes += end - at;
                return;
            }

            _report.Add(stream.ToString(), $"damaged from {at} to {(next < 0 ? end : next)}: what lay there is lost");
            at = next < 0 ? end : next;
        }
    }

    /// <summary>The size of the intact block at this place; 0 = there is none.</summary>
    private int Block(IStoredFile file, LedgerStream stream, long at, long end)
    {
        var head = new byte[LedgerBlock.HeaderSize];
        var claimed = LedgerBlock.ClaimedSize(head.AsSpan(0, file.Read(at, head)));
        if (claimed == 0 || at + claimed > end) return 0;
        var bytes = new byte[claimed];
        if (LedgerBlock.Read(bytes.AsSpan(0, file.Read(at, bytes)), stream, at, out _, out var records) != claimed) return 0;
        var decoded = LedgerReader.Decode(bytes, out var damaged).Count;
        if (damaged > 0 || decoded != records) _report.Add(stream.ToString(), $"the block at {at} holds {decoded} readable records of {records}");
        _report.Records += decoded;
        _report.Bytes += claimed;
        return claimed;
    }
}
