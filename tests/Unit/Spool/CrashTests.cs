using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Spool;

/// <summary>What was acknowledged comes back from a file system that loses everything it was not asked to flush, with full disks and failing flushes on the way.</summary>
public class CrashTests
{
    private const string Root = "/data";

    [Fact]
    public async Task Recover_AfterCrashesAtRandomPoints_EveryAcknowledgedMessageIsThere()
    {
        for (var seed = 1; seed <= 150; seed++)
        {
            var random = new Random(seed);
            var files = new VolatileFileSystem(random);
            foreach (var folder in new[] { "spool", "moved", "ledger", "private" }) files.CreateFolder($"{Root}/{folder}");
            files.SettleFolders();
            var acknowledged = new Dictionary<MessageId, byte[]>();
            for (var life = 0; life < 3; life++)
            {
                var store = Open(files);
                var writer = new PackWriter(store, new PackCache(0), new WallClock(), TimeProvider.System, TimeSpan.Zero, NullLogger.Instance);
                await CheckAsync(store, acknowledged, seed);
                var crashAt = random.Next(1, 60);
                var calls = 0;
                files.Before = call =>
                {
                    if (++calls >= crashAt) throw new PowerLostException();
                    if (random.Next(12) == 0) throw random.Next(2) == 0 ? FileSystemErrors.Full("full") : new IOException("EIO");
                };
                for (var i = 0; i < 20 && calls < crashAt; i++)
                {
                    var content = new byte[random.Next(5_000)];
                    random.NextBytes(content);
                    var message = Mails.To(content, "a@one.example", "b@two.example");

                    // Unknown results are retried with pauses of real time: one attempt is enough here.
                    var commit = writer.CommitAsync(message, CancellationToken.None);
                    if (!commit.IsCompleted) break;
                    if (await commit is { Status: CommitStatus.Committed } receipt) acknowledged.Add(receipt.Id, Mails.Sent(message, receipt.Id));
                }

                files.Crash();
            }

            await CheckAsync(Open(files), acknowledged, seed);
        }
    }

    /// <summary>A pack whose flush failed lies beside its next copy; when that is finished and deleted, the first does not come back.</summary>
    [Fact]
    public async Task Recover_AfterAFailedFlushBesideLivePacks_ADeletedPackStaysDeleted()
    {
        var files = new VolatileFileSystem(new Random(1));
        foreach (var folder in new[] { "spool", "moved", "ledger", "private" }) files.CreateFolder($"{Root}/{folder}");
        var store = Open(files);
        var writer = new PackWriter(store, new PackCache(0), new WallClock(), TimeProvider.System, TimeSpan.Zero, NullLogger.Instance);
        var first = await CommitAsync();
        var failed = 0;
        files.Before = call =>
        {
            if (call.StartsWith("flush", StringComparison.Ordinal) && failed++ == 0) throw new IOException("EIO");
        };
        var second = await CommitAsync();
        Assert.True(failed > 1);
        await store.DeleteAsync(second, CancellationToken.None);
        var listed = await Open(files).ListAsync(CancellationToken.None).Select(l => l.Name).ToListAsync();
        Assert.Equal([first], listed);

        async Task<PackName> CommitAsync()
        {
            var receipt = await writer.CommitAsync(Mails.To("Subject: x\r\n\r\nbody\r\n", "a@one.example"), CancellationToken.None);
            Assert.Equal(CommitStatus.Committed, receipt.Status);
            return PackName.Birth(receipt.Id.First.PackId);
        }
    }

    private static FilePackStore Open(VolatileFileSystem files) =>
        new(files, Root, new FreeSpace(files, Root, default, TimeProvider.System), new WallClock(), TimeProvider.System, NullLogger.Instance);

    private static async Task CheckAsync(FilePackStore store, Dictionary<MessageId, byte[]> acknowledged, int seed)
    {
        var reader = new SpoolReader(store, new PackCache(0), NullLogger.Instance);
        var found = new Dictionary<MessageId, byte[]>();
        await foreach (var listing in store.ListAsync(CancellationToken.None))
        {
            var toc = await reader.ReadTocAsync(listing.Name, CancellationToken.None);
            Assert.True(toc.Status == SpoolReadStatus.Found, $"seed {seed}: {listing.Name} {toc.Status}");
            foreach (var row in toc.Value!.Entries)
            {
                using var entry = (await reader.ReadEntryAsync(new EntryPlace(listing.Name, row.Offset, row.Length), CancellationToken.None)).Value!;
                found[entry.Message] = await Mails.ContentAsync(entry);
            }
        }

        foreach (var (id, content) in acknowledged)
        {
            Assert.True(found.ContainsKey(id), $"seed {seed}: {id} is lost");
            Assert.Equal(content, found[id]);
        }
    }

    private sealed class PowerLostException : IOException;

    private sealed class WallClock : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(DateTimeOffset.UtcNow);

        public bool IsSettled => true;
    }
}
