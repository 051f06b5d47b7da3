using Angarium.Mail;
using Angarium.Spool;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Verification;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Spool;

/// <summary>The check of the stores finds every flipped byte that matters, and nothing where nothing is wrong.</summary>
public sealed class SpoolVerifierTests : IDisposable
{
    private readonly string _data = Path.Combine(Path.GetTempPath(), "angarium-test-" + Guid.NewGuid().ToString("n"));

    public void Dispose()
    {
        if (Directory.Exists(_data)) Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Verify_WhileTheStoresAreOpenAndAfter_CountsAllAndFindsNothing()
    {
        await using (var stores = await OpenAsync())
        {
            await using var ledger = stores.CreateLedger(null);
            await FillAsync(stores, ledger);
            AssertClean(await VerifyAsync());
        }

        AssertClean(await VerifyAsync());
    }

    [Fact]
    public async Task Verify_AnyByteOfASealedSegmentOrStreamFlipped_FindsIt()
    {
        await using (var stores = await OpenAsync())
        {
            await using var ledger = stores.CreateLedger(null);
            await FillAsync(stores, ledger);
        }

        foreach (var path in new[] { One("*.seg"), One("*.log") })
        {
            var before = await File.ReadAllBytesAsync(path);

            // A damaged footer only costs a scan; its frames are judged as before.
            var end = path.EndsWith(".seg", StringComparison.Ordinal) ? before.Length - SegmentFormat.RowSize - SegmentFormat.FooterTrailerSize - 7 : before.Length - 7;
            for (var at = 0; at < end; at += 1 + at % 5)
            {
                var after = before.ToArray();
                after[at] ^= 0x20;
                await File.WriteAllBytesAsync(path, after);
                var report = await VerifyAsync();
                Assert.True(report.ProblemCount > 0, $"{Path.GetFileName(path)}: octet {at}");
                Assert.All(report.Problems, p => Assert.DoesNotContain('\n', p.ToString()));
            }

            await File.WriteAllBytesAsync(path, before);
        }

        AssertClean(await VerifyAsync());
    }

    [Fact]
    public async Task Verify_ATornTailOfAnOpenStream_IsNoProblem()
    {
        await using (var stores = await OpenAsync())
        {
            await using var ledger = stores.CreateLedger(null);
            await FillAsync(stores, ledger);
        }

        File.Delete(One("*.end"));
        await File.AppendAllBytesAsync(One("*.log"), new byte[13]);
        var report = await VerifyAsync();
        AssertClean(report);
        Assert.Equal(13, report.TornBytes);
    }

    [Fact]
    public async Task Verify_NoSuchFolder_SaysSo() => await Assert.ThrowsAsync<StoreUnavailableException>(VerifyAsync);

    private static void AssertClean(VerifyReport report)
    {
        Assert.Empty(report.Problems);
        Assert.Equal((1, 2, 1, 2), (report.Packs, report.Entries, report.Streams, report.Records));
    }

    private static async Task FillAsync(EmbeddedStores stores, LedgerWriter ledger)
    {
        var receipt = await stores.Writer.CommitAsync(Mails.To("Subject: a\r\n\r\nbody\r\n", "a@one.example", "b@two.example"), CancellationToken.None);
        Assert.Equal(CommitStatus.Committed, receipt.Status);
        await ledger.AppendAsync([.. Enumerable.Range(0, 2).Select(i => new LedgerRecord { Key = receipt.Id.First with { Ordinal = (ushort)i }, Kind = LedgerKind.Delivered, Time = new StoreTime(5) })]);
    }

    private string One(string pattern) => Assert.Single(Directory.GetFiles(_data, pattern, SearchOption.AllDirectories));

    private Task<VerifyReport> VerifyAsync() => SpoolVerifier.VerifyAsync(_data, null, CancellationToken.None);

    private Task<EmbeddedStores> OpenAsync() =>
        EmbeddedStores.OpenAsync(_data, new SpoolOptions { MinFree = "1" }, NullLoggerFactory.Instance, TimeProvider.System, CancellationToken.None);
}
