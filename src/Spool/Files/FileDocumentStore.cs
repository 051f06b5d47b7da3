using System.Globalization;
using System.Security.Cryptography;
using Angarium.Spool.Codec;
using Angarium.Spool.Documents;

namespace Angarium.Spool.Files;

/// <summary>
/// Documents as files `private/&lt;name&gt;.doc`, each with a counter (its tag) and a checksum before its content, replaced by rename after a flush. Compare-and-swap is under one lock: the
/// lock on `Data` keeps other processes out. Any thread. What was written survives a crash whole.
/// </summary>
internal sealed class FileDocumentStore(IFileSystem files, string root) : IDocumentStore
{
    private const int HeaderSize = 24;
    private const ulong Magic = 0x414e47444f435501;
    private const int MaxSize = 256 << 20;
    private const string Suffix = ".doc";

    private readonly Lock _gate = new();

    /// <summary>Folders whose own names are known to be durable: one made by a write that failed later, or by an earlier process, may not be.</summary>
    private readonly HashSet<string> _settled = [];
    private readonly string _folder = Path.Combine(root, "private");

    public async Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        await files.LeaveTurn();
        lock (_gate) return Read(name, path);
    }

    public async Task<DocumentRead> ReadIfChangedAsync(string name, string? tag, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        await files.LeaveTurn();
        lock (_gate)
        {
            if (tag is not null && StoredTag(path) == tag) return new DocumentRead(false, null);
            var document = Read(name, path);
            return document?.Tag == tag ? new DocumentRead(false, null) : new DocumentRead(true, document);
        }
    }

    public async Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        await files.LeaveCaller();
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            var before = Read(name, path);
            if (before?.Tag != tag) return null;

            // A document that is made anew must not get a tag that its predecessor had: it begins with a random one.
            var next = before is null ? RandomNumberGenerator.GetInt32(int.MaxValue) * (1L << 20) + 1 : long.Parse(before.Tag, CultureInfo.InvariantCulture) + 1;
            Write(path, content, next);
            return next.ToString(CultureInfo.InvariantCulture);
        }
    }

    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        await files.LeaveCaller();
        lock (_gate)
        {
            var folder = Path.GetDirectoryName(path)!;
            if (!files.FolderExists(folder)) return;
            files.Delete(path);
            files.SyncFolder(folder);
        }
    }

    public async Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        await files.LeaveTurn();
        var names = new List<string>();
        Gather(_folder, "", names);
        return [.. names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    private void Gather(string folder, string within, List<string> names)
    {
        foreach (var file in files.Files(folder))
            if (file.EndsWith(Suffix, StringComparison.Ordinal)) names.Add(within + file[..^Suffix.Length]);
        foreach (var inner in files.Folders(folder)) Gather(Path.Combine(folder, inner), within + inner + "/", names);
    }

    private Document? Read(string name, string path)
    {
        using var file = Open(path);
        if (file is null) return null;
        var bytes = new byte[(int)Math.Min(file.Length, MaxSize)];
        var got = file.Read(0, bytes);
        StoredVersion.Refuse(bytes.AsSpan(0, got), "ANGDOCU"u8, $"The document {name}");
        var reader = new ByteReader(bytes.AsSpan(0, got));
        var isOurs = reader.U64() == Magic;
        var counter = (long)reader.U64();
        var hash = reader.U64();
        if (reader.Failed || !isOurs || hash != Checksum.Of(bytes.AsSpan(HeaderSize, got - HeaderSize), (ulong)counter))
        {
            SpoolInstruments.Corrupt();
            throw new IOException($"The document {name} fails its checksum");
        }

        return new Document(bytes.AsMemory(HeaderSize, got - HeaderSize), counter.ToString(CultureInfo.InvariantCulture));
    }

    private IStoredFile? Open(string path)
    {
        try
        {
            return files.Open(path, writable: false);
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new IOException($"{path} cannot be read", denied);
        }
    }

    private void Write(string path, ReadOnlyMemory<byte> content, long counter)
    {
        if (content.Length > MaxSize - HeaderSize) throw new ArgumentException("The document is too large", nameof(content));
        var header = new byte[HeaderSize];
        var writer = new ByteWriter(header);
        writer.U64(Magic);
        writer.U64((ulong)counter);
        writer.U64(Checksum.Of(content.Span, (ulong)counter));
        var folder = Path.GetDirectoryName(path)!;
        var draft = path + ".tmp";
        try
        {
            files.CreateFolder(folder);
            files.Delete(draft);
            using (var file = files.Create(draft))
            {
                file.Write(0, [header, content]);
                file.Sync();
            }

            files.Rename(draft, path);
            files.SyncFolder(folder);
            if (_settled.Contains(folder)) return;
            for (var inner = folder; inner.Length > root.Length; files.SyncFolder(inner)) inner = Path.GetDirectoryName(inner)!;
            _settled.Add(folder);
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new IOException($"{path} cannot be written", denied);
        }
    }

    /// <summary>The tag in the header, without a look at the rest.</summary>
    private string? StoredTag(string path)
    {
        using var file = Open(path);
        Span<byte> header = stackalloc byte[HeaderSize];
        if (file is null || file.Read(0, header) < HeaderSize) return null;
        var reader = new ByteReader(header);
        return reader.U64() == Magic ? ((long)reader.U64()).ToString(CultureInfo.InvariantCulture) : null;
    }

    private string PathOf(string name)
    {
        DocumentName.Check(name);
        return Path.Combine(_folder, name.Replace('/', Path.DirectorySeparatorChar) + Suffix);
    }
}
