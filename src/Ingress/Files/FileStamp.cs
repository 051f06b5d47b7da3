namespace Angarium.Ingress.Files;

/// <summary>What tells a changed file from an unchanged one. Taken of the opened file, so that a link changed by one rename (as Kubernetes does it) is followed.</summary>
public readonly record struct FileStamp(DateTime Written, long Length)
{
    /// <summary>The stamp of a file that is not there or may not be read.</summary>
    public static FileStamp None => default;

    public static FileStamp Of(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return new FileStamp(File.GetLastWriteTimeUtc(file), RandomAccess.GetLength(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return None;
        }
    }
}
