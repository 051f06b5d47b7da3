namespace Angarium.Spool.Files;

/// <summary>Tells a full disk from other failures. Pure.</summary>
internal static class FileSystemErrors
{
    private const int NoSpace = 28, QuotaExceeded = 122, NoSpaceWindows = unchecked((int)0x80070070);

    /// <summary>ENOSPC or EDQUOT.</summary>
    public static bool IsFull(this IOException failure) => failure.HResult is NoSpace or QuotaExceeded or NoSpaceWindows;

    public static IOException Full(string message) => new(message, NoSpace);
}
