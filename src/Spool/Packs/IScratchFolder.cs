namespace Angarium.Spool.Packs;

/// <summary>Where content over the in-memory bound gathers: unlinked files beside the spool. Nothing in it survives the process. Any thread.</summary>
public interface IScratchFolder
{
    /// <summary>A new empty scratch file; null when the disk has no room or the folder cannot be written now.</summary>
    IScratchWriter? TryCreate();
}

/// <summary>One scratch file while it is written, by one transaction. Disposing it before <see cref="Complete"/> drops what was gathered.</summary>
public interface IScratchWriter : IDisposable
{
    long Length { get; }

    /// <summary>Appends all of <paramref name="bytes"/>; false when the disk has no room: nothing more may then be appended, and the file is only to be disposed.</summary>
    ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Ends the writing and hands the file over to its reader; disposing this writer then does nothing.</summary>
    ScratchContent Complete();
}
