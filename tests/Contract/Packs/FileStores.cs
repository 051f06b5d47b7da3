using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Time;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Contract.Packs;

/// <summary>Makes file providers for the suites. Pure.</summary>
internal static class FileStores
{
    public const string Root = "/data";

    public static VolatileFileSystem Volatile(int seed)
    {
        var files = new VolatileFileSystem(new Random(seed));
        foreach (var folder in new[] { "spool", "moved", "ledger", "private" }) files.CreateFolder($"{Root}/{folder}");
        files.SettleFolders();
        return files;
    }

    public static FilePackStore Packs(IFileSystem files, string root) =>
        new(files, root, new FreeSpace(files, root, default, TimeProvider.System), new WallClock(), TimeProvider.System, NullLogger.Instance);

    private sealed class WallClock : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(DateTimeOffset.UtcNow);

        public bool IsSettled => true;
    }
}
