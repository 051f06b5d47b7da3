namespace Angarium.Spool.Files;

/// <summary>The stores cannot be opened: one line that says why and what to do.</summary>
public sealed class StoreUnavailableException : Exception
{
    public StoreUnavailableException() { }

    public StoreUnavailableException(string message) : base(message) { }

    public StoreUnavailableException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>
/// The folder `Data` of the embedded stores: made for this user alone, and locked for as long as this object lives; the lock ends with the process, however it ends. Made at start, on
/// one thread.
/// </summary>
public sealed class DataFolder : IDisposable
{
    /// <summary>File systems whose locks or flushes do not hold between machines or over a crash.</summary>
    private static readonly string[] Network =
        ["nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "lustre", "glusterfs", "beegfs", "gfs", "gfs2", "ocfs2", "davfs", "coda", "pvfs2", "orangefs"];

    private readonly FileStream _lock;

    private DataFolder(string path, FileStream @lock) => (Path, _lock) = (path, @lock);

    /// <summary>Absolute.</summary>
    public string Path { get; }

    /// <exception cref="StoreUnavailableException">It cannot be made, is locked by another process, or lies on a network file system.</exception>
    public static DataFolder Open(string path) => Open(path, FileSystemType);

    /// <summary>The folder of a process whose stores are elsewhere: made and locked in the same way, for scratch files and the socket of commands; any file system will do.</summary>
    /// <exception cref="StoreUnavailableException">It cannot be made, or is locked by another process.</exception>
    public static DataFolder OpenWithoutStores(string path) => Open(path, static _ => null, []);

    internal static DataFolder Open(string path, Func<string, string?> fileSystemType) => Open(path, fileSystemType, ["spool", "moved", "ledger", "private", "scratch"]);

    private static DataFolder Open(string path, Func<string, string?> fileSystemType, string[] folders)
    {
        path = System.IO.Path.GetFullPath(path);
        try
        {
            LocalFileSystem.Instance.CreateFolder(path);
            if (fileSystemType(path) is { } type && IsNetwork(type))
                throw new StoreUnavailableException($"Data: {path} is on a network file system ({type}), where locks and flushes cannot be relied on; name a folder on a local disk.");
            var file = new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            foreach (var inner in folders) LocalFileSystem.Instance.CreateFolder(System.IO.Path.Combine(path, inner));
            LocalFileSystem.Instance.SyncFolder(path);
            if (System.IO.Path.GetDirectoryName(path) is { } parent) LocalFileSystem.Instance.SyncFolder(parent);
            return new DataFolder(path, file);
        }
        catch (IOException failure) when (failure is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException) && IsLockRefused(path))
        {
            throw new StoreUnavailableException($"Data: {path} is in use by another process; each relay needs a folder of its own.", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"Data: {path} cannot be used: {failure.Message}", failure);
        }
    }

    public void Dispose() => _lock.Dispose();

    internal static bool IsNetwork(string type) =>
        Network.Contains(type, StringComparer.Ordinal) || (type.StartsWith("fuse.", StringComparison.Ordinal) && type != "fuse.fuse-overlayfs");

    /// <summary>The type of the mount that holds the path, as the kernel lists it (it tells kinds of FUSE apart, which statfs does not); null = unknown.</summary>
    internal static string? FileSystemType(string path)
    {
        const string Mounts = "/proc/self/mountinfo";
        if (!File.Exists(Mounts)) return null;
        var (best, type) = (-1, (string?)null);
        var real = Resolve(path);
        foreach (var line in File.ReadLines(Mounts))
        {
            // proc(5): id parent major:minor root mount-point options [fields] - type source options
            var fields = line.Split(' ');
            var dash = Array.IndexOf(fields, "-", 6);
            if (dash < 0 || dash + 1 >= fields.Length) continue;
            var mount = Unescape(fields[4]);
            var isWithin = mount == "/" || real == mount || real.StartsWith(mount + "/", StringComparison.Ordinal);

            // A later mount on the same place covers the earlier one.
            if (isWithin && mount.Length >= best) (best, type) = (mount.Length, fields[dash + 1]);
        }

        return type;
    }

    private static string Resolve(string path)
    {
        var real = "/";
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = System.IO.Path.Combine(real, part);
            real = new DirectoryInfo(real).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? real;
        }

        return real;
    }

    private static string Unescape(string text) => text.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal)
        .Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal);

    private static bool IsLockRefused(string path)
    {
        try
        {
            using var file = new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
