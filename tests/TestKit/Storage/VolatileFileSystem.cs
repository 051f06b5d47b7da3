using Angarium.Spool.Files;

namespace Angarium.TestKit.Storage;

/// <summary>
/// A file system that keeps what was flushed and, at <see cref="Crash"/>, loses the rest: of each unflushed write a random part survives, and a file or name whose folder was not synced
/// may be gone. Answers at once, on the caller's thread; not for several threads.
/// </summary>
internal sealed class VolatileFileSystem(Random random) : IFileSystem
{
    private readonly Dictionary<string, Node> _names = [];
    private readonly Dictionary<string, Node> _durableNames = [];
    private readonly HashSet<string> _folders = [];
    private readonly HashSet<string> _durableFolders = [];

    /// <summary>Called before each write and flush; may throw.</summary>
    public Action<string>? Before { get; set; }

    public bool Blocks => false;

    public FileSystemSpace SpaceLeft { get; set; } = new(1L << 40, 1L << 41);

    public void CreateFolder(string path)
    {
        for (var p = path; p is not null && p != "/"; p = Path.GetDirectoryName(p)) _folders.Add(p);
    }

    public bool FolderExists(string path) => _folders.Contains(path);

    public IReadOnlyList<string> Files(string folder) => [.. _names.Keys.Where(n => Path.GetDirectoryName(n) == folder).Select(n => Path.GetFileName(n))];

    public IReadOnlyList<string> Folders(string folder) => [.. _folders.Where(n => Path.GetDirectoryName(n) == folder).Select(n => Path.GetFileName(n))];

    public IStoredFile Create(string path)
    {
        if (!_folders.Contains(Path.GetDirectoryName(path)!)) throw new DirectoryNotFoundException(path);
        var node = new Node();
        if (!_names.TryAdd(path, node)) throw new IOException($"{path} exists");
        return new OpenFile(this, node, path);
    }

    public IStoredFile? Open(string path, bool writable) => _names.TryGetValue(path, out var node) ? new OpenFile(this, node, path) : null;

    public void Rename(string from, string to)
    {
        _names[to] = _names[from];
        _names.Remove(from);
    }

    public void Delete(string path) => _names.Remove(path);

    public void DeleteFolder(string path)
    {
        if (Files(path).Count == 0 && Folders(path).Count == 0) _folders.Remove(path);
    }

    public void SyncFolder(string path)
    {
        Before?.Invoke("sync " + path);
        foreach (var gone in _durableNames.Keys.Where(n => Path.GetDirectoryName(n) == path && !_names.ContainsKey(n)).ToList()) _durableNames.Remove(gone);
        foreach (var (name, node) in _names.Where(n => Path.GetDirectoryName(n.Key) == path)) _durableNames[name] = node;
        foreach (var folder in _folders.Where(f => Path.GetDirectoryName(f) == path)) _durableFolders.Add(folder);
    }

    public FileSystemSpace Space(string path) => SpaceLeft;

    public DateTimeOffset Modified(string path) => DateTimeOffset.UnixEpoch;

    /// <summary>Makes the folders that are there durable, as the start of a process does with its layout.</summary>
    public void SettleFolders() => _durableFolders.UnionWith(_folders);

    /// <summary>Power is lost: what was not flushed survives in part or not at all.</summary>
    public void Crash()
    {
        Before = null;
        var names = new Dictionary<string, Node>();
        foreach (var name in _names.Keys.Union(_durableNames.Keys).Order(StringComparer.Ordinal))
        {
            _names.TryGetValue(name, out var now);
            _durableNames.TryGetValue(name, out var flushed);
            var kept = ReferenceEquals(now, flushed) || random.Next(2) == 0 ? flushed : now;
            if (kept is not null && FolderSurvives(Path.GetDirectoryName(name)!)) names[name] = kept;
        }

        foreach (var node in names.Values.Distinct()) node.Crash(random);
        _names.Clear();
        _durableNames.Clear();
        foreach (var (name, node) in names) _names[name] = _durableNames[name] = node;
        _folders.RemoveWhere(f => !FolderSurvives(f));
    }

    private bool FolderSurvives(string folder) => _durableFolders.Contains(folder);

    private sealed class Node
    {
        private byte[] _durable = [];
        private readonly List<(long Offset, byte[] Bytes)> _unflushed = [];

        public byte[] Bytes { get; private set; } = [];

        public void Write(long offset, byte[] bytes)
        {
            Bytes = Apply(Bytes, offset, bytes);
            _unflushed.Add((offset, bytes));
        }

        public void Flush()
        {
            _durable = Bytes;
            _unflushed.Clear();
        }

        public void Crash(Random random)
        {
            foreach (var (offset, bytes) in _unflushed)
            {
                // Any sectors of it, in any order, or a prefix, or nothing.
                var part = bytes[..random.Next(bytes.Length + 1)];
                for (var at = 0; at < part.Length; at += 512)
                    if (random.Next(3) > 0) _durable = Apply(_durable, offset + at, part[at..Math.Min(part.Length, at + 512)]);
            }

            Bytes = _durable;
            _unflushed.Clear();
        }

        private static byte[] Apply(byte[] before, long offset, byte[] bytes)
        {
            var after = new byte[Math.Max(before.Length, offset + bytes.Length)];
            before.CopyTo(after, 0);
            bytes.CopyTo(after, offset);
            return after;
        }
    }

    private sealed class OpenFile(VolatileFileSystem system, Node node, string path) : IStoredFile
    {
        public long Length => node.Bytes.Length;

        public int Read(long offset, Span<byte> into)
        {
            var count = (int)Math.Clamp(node.Bytes.Length - offset, 0, into.Length);
            node.Bytes.AsSpan((int)Math.Min(offset, node.Bytes.Length), count).CopyTo(into);
            return count;
        }

        public void Write(long offset, IReadOnlyList<ReadOnlyMemory<byte>> parts)
        {
            var bytes = parts.SelectMany(p => p.ToArray()).ToArray();
            try
            {
                system.Before?.Invoke("write " + path);
            }
            catch (IOException)
            {
                // A failed write is a torn one.
                node.Write(offset, bytes[..system.Torn(bytes.Length)]);
                throw;
            }

            node.Write(offset, bytes);
        }

        public void Sync()
        {
            system.Before?.Invoke("flush " + path);
            node.Flush();
        }

        public void Dispose() { }
    }

    private int Torn(int length) => random.Next(length + 1);
}
