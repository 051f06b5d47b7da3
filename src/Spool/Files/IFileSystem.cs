namespace Angarium.Spool.Files;

/// <summary>
/// What the file provider needs of a file system, no more, so that a double can lose whatever was not flushed. Calls block; paths are absolute. Failures are
/// <see cref="IOException"/> (full: <see cref="FileSystemErrors.IsFull"/>). Any thread.
/// </summary>
internal interface IFileSystem
{
    /// <summary>Calls wait for a disk: make them on a pool thread. A double answers at once, and its callers stay on their thread.</summary>
    bool Blocks { get; }

    /// <summary>Creates the folder and its missing parents, for this user alone (0700). Durable only after the folders they are in were synced.</summary>
    void CreateFolder(string path);

    bool FolderExists(string path);

    /// <summary>Names of the files in a folder; a missing folder has none.</summary>
    IReadOnlyList<string> Files(string folder);

    IReadOnlyList<string> Folders(string folder);

    /// <summary>A new file, open for reading and writing, for this user alone (0600).</summary>
    /// <exception cref="IOException">There is one already.</exception>
    IStoredFile Create(string path);

    /// <summary>Null = there is none.</summary>
    IStoredFile? Open(string path, bool writable);

    /// <summary>Atomic; replaces <paramref name="to"/>. Durable only after the folder was synced.</summary>
    void Rename(string from, string to);

    /// <summary>Harmless when there is none.</summary>
    void Delete(string path);

    /// <summary>Harmless when it is not there or not empty.</summary>
    void DeleteFolder(string path);

    /// <summary>Makes the names in the folder durable.</summary>
    void SyncFolder(string path);

    FileSystemSpace Space(string path);

    DateTimeOffset Modified(string path);
}

/// <summary>An open file. Reads and writes at offsets; any thread.</summary>
internal interface IStoredFile : IDisposable
{
    long Length { get; }

    /// <summary>Short only at the end of the file.</summary>
    int Read(long offset, Span<byte> into);

    /// <summary>All of it, or an exception: then any part of it may have been written.</summary>
    void Write(long offset, IReadOnlyList<ReadOnlyMemory<byte>> parts);

    /// <summary>Makes all that was written durable. After a failure nothing is known of what was written since the last one.</summary>
    void Sync();
}

/// <summary>Octets of a file system: what may still be written, and all. A value.</summary>
internal readonly record struct FileSystemSpace(long Free, long Total);
