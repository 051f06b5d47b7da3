using System.Globalization;
using Angarium.Mail;

namespace Angarium.Spool.Files;

/// <summary>The start: every segment's packs are entered, from its footer, the index beside it, or a scan, after which such an index is left for the next start.</summary>
internal sealed partial class FilePackStore
{
    private void Load()
    {
        var scanned = 0;
        long segments = 0;
        foreach (var kind in new[] { PackKind.Birth, PackKind.Moved })
        {
            var folder = FolderOf(_root, kind);
            foreach (var writerName in _files.Folders(folder).Order(StringComparer.Ordinal))
            {
                if (!ulong.TryParse(writerName, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var writer)) continue;
                var writerFolder = Path.Combine(folder, writerName);
                foreach (var number in Numbers(writerFolder))
                {
                    segments++;
                    _taken[(kind, writer)] = number;
                    if (LoadSegment(kind, writer, number, Path.Combine(writerFolder, number.ToString(CultureInfo.InvariantCulture) + ".seg"))) scanned++;
                }

                if (Numbers(writerFolder).Count == 0) ClearFolder(writerFolder);
            }
        }

        SpoolInstruments.Packs.Set(_packs.Count);
        LogLoaded(_logger, _packs.Count, segments, scanned);
    }

    private List<uint> Numbers(string folder) =>
        [.. _files.Files(folder).Where(f => f.EndsWith(".seg", StringComparison.Ordinal))
            .Select(f => uint.TryParse(f[..^4], NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0).Where(n => n > 0).Order()];

    /// <summary>True when it had to be read through.</summary>
    private bool LoadSegment(PackKind kind, ulong writer, uint number, string path)
    {
        try
        {
            using var file = _files.Open(path, writable: false);
            if (file is null) return false;
            SegmentContents? contents;
            using (var index = _files.Open(Path.ChangeExtension(path, ".idx"), writable: false)) contents = SegmentScan.ByIndex(file, index);
            var isScanned = contents is null;
            contents ??= SegmentScan.Through(file);
            foreach (var (from, to) in contents.Damage)
            {
                SpoolInstruments.Corrupt();
                LogDamage(_logger, path, from, to);
            }

            if (contents.TornBytes > 0) LogTorn(_logger, path, contents.TornBytes);
            var segment = new Segment(kind, writer, number, path, contents.Nonce ?? 0) { IsClosed = true, Length = file.Length, Packed = contents.Rows.Sum(r => r.Length) };
            var deleted = Deletions(segment);
            var doubled = new List<Segment>();
            foreach (var row in contents.Rows)
            {
                if (deleted.Contains(row.Number)) continue;
                if (row.Created > Newest) Newest = row.Created;

                // A pack lies in two segments when its first write ended unknown. The later copy is the one that was acknowledged; the earlier may be in no more than memory.
                var name = new PackName(kind, writer, row.Number);
                if (_packs.TryGetValue(name, out var earlier) && --earlier.Segment.Live == 0 && earlier.Segment != segment) doubled.Add(earlier.Segment);
                _packs[name] = (segment, row);
                segment.Live++;
            }

            foreach (var emptied in doubled) Unlink(emptied);

            // What shows damage stays for people to look at.
            if (segment.Live == 0 && contents.Damage.Count == 0) Unlink(segment);
            else if (isScanned && contents.Damage.Count == 0 && contents.Nonce is { } nonce) WriteIndex(segment, contents.Rows, nonce);
            return isScanned;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // What cannot be read now is not given up: it stays, and the next start tries again.
            LogUnreadable(_logger, path, failure);
            return false;
        }
    }

    private HashSet<uint> Deletions(Segment segment)
    {
        var deleted = new HashSet<uint>();
        using var file = _files.Open(segment.DeletionsPath, writable: false);
        if (file is null) return deleted;
        var bytes = new byte[(int)Math.Min(file.Length, 16 << 20)];
        var got = file.Read(0, bytes);
        for (var at = 0; at + 8 <= got; at += 8)
            if (SegmentFormat.TryReadDeletion(bytes.AsSpan(at, 8), segment.Nonce, out var number)) deleted.Add(number);
        return deleted;
    }

    private void WriteIndex(Segment segment, List<SegmentRow> rows, ulong nonce)
    {
        var draft = segment.IndexPath + ".tmp";
        _files.Delete(draft);
        using (var file = _files.Create(draft))
        {
            file.Write(0, [SegmentFormat.Footer(rows, nonce)]);
            file.Sync();
        }

        _files.Rename(draft, segment.IndexPath);
    }

    /// <summary>Removes what a vanished segment has left beside it.</summary>
    private void ClearFolder(string folder)
    {
        foreach (var name in _files.Files(folder))
            if (name.EndsWith(".del", StringComparison.Ordinal) || name.EndsWith(".idx", StringComparison.Ordinal) || name.EndsWith(".tmp", StringComparison.Ordinal))
                _files.Delete(Path.Combine(folder, name));
        _files.DeleteFolder(folder);
    }
}
