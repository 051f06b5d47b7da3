using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Angarium.Spool.Files;

/// <summary>The file system of this machine. Holds no state; any thread; every call may block.</summary>
internal sealed partial class LocalFileSystem : IFileSystem
{
    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode FileMode0600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static LocalFileSystem Instance { get; } = new();

    public bool Blocks => true;

    public void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, FolderMode);
    }

    public bool FolderExists(string path) => Directory.Exists(path);

    public IReadOnlyList<string> Files(string folder) => List(folder, Directory.EnumerateFiles);

    public IReadOnlyList<string> Folders(string folder) => List(folder, Directory.EnumerateDirectories);

    public IStoredFile Create(string path)
    {
        if (OperatingSystem.IsWindows()) return new LocalFile(File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete));
        var handle = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete, UnixCreateMode = FileMode0600, BufferSize = 0,
        });
        return new LocalFile(handle.SafeFileHandle, handle);
    }

    public IStoredFile? Open(string path, bool writable)
    {
        try
        {
            return new LocalFile(File.OpenHandle(path, FileMode.Open, writable ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public void Rename(string from, string to) => File.Move(from, to, overwrite: true);

    public void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (DirectoryNotFoundException)
        {
            // Then there is no such file either.
        }
    }

    public void DeleteFolder(string path)
    {
        try
        {
            Directory.Delete(path);
        }
        catch (IOException)
        {
            // Not empty, or gone.
        }
    }

    public void SyncFolder(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        // The framework opens no folders: open and fsync by the C library.
        using var folder = OpenFolder(path, 0);
        if (folder.IsInvalid) throw new IOException($"Cannot open folder {path} to sync it: {Marshal.GetLastPInvokeErrorMessage()}", Marshal.GetLastPInvokeError());
        Sync(folder, FSync);
    }

    public FileSystemSpace Space(string path)
    {
        var drive = new DriveInfo(path);
        return new FileSystemSpace(drive.AvailableFreeSpace, drive.TotalSize);
    }

    public DateTimeOffset Modified(string path) => File.GetLastWriteTimeUtc(path);

    private static string[] List(string folder, Func<string, IEnumerable<string>> entries)
    {
        try
        {
            return [.. entries(folder).Select(p => Path.GetFileName(p))];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static void Sync(SafeFileHandle handle, Func<SafeFileHandle, int> call)
    {
        while (call(handle) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != InterruptedCall) throw new IOException($"Cannot sync: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }
    }

    private const int InterruptedCall = 4;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial SafeFileHandle OpenFolder(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int FSync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int FDataSync(SafeFileHandle handle);

    private sealed class LocalFile(SafeFileHandle handle, FileStream? owner = null) : IStoredFile
    {
        public long Length => RandomAccess.GetLength(handle);

        public int Read(long offset, Span<byte> into)
        {
            var done = 0;
            while (done < into.Length)
            {
                var got = RandomAccess.Read(handle, into[done..], offset + done);
                if (got == 0) break;
                done += got;
            }

            return done;
        }

        public void Write(long offset, IReadOnlyList<ReadOnlyMemory<byte>> parts) => RandomAccess.Write(handle, parts, offset);

        public void Sync()
        {
            // Not the framework's flush where it can be helped: it takes EROFS for success, which is what ext4 answers after its journal has aborted.
            if (OperatingSystem.IsLinux()) LocalFileSystem.Sync(handle, FDataSync);
            else RandomAccess.FlushToDisk(handle);
        }

        public void Dispose()
        {
            owner?.Dispose();
            handle.Dispose();
        }
    }
}
